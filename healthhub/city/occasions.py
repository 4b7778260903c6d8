"""Why a resident goes to a hospital and what is planned to be done there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from healthhub.city import moments
from healthhub.city.body import Body
from healthhub.city.catalogue import DIAGNOSES, DRUGS, PANELS
from healthhub.city.dice import Dice
from healthhub.city.illnesses import OPERATIONS, STUDIES
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.people import Resident
from healthhub.city.places import DEPARTMENTS, STAFF, Department
from healthhub.city.visits import Dose, Operation, Prescription, Report, Study, Visit

LENGTH = 8 * MINUTE
"""A live visit, from registration to last result, is told in so much time."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """A visit still to be made: keys of the catalogue instead of the things themselves.

    ``kind`` is O, E, I or T; ``stay`` the days in bed; ``house`` empty lets habit decide.
    """

    start: Moment
    kind: str
    department: str
    complaint: str
    diagnoses: tuple[str, ...]
    panels: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    days: int = 7
    study: str = ""
    stay: int = 0
    operation: str = ""
    shifts: Mapping[str, float] = field(default_factory=dict)
    house: str = ""
    doses: tuple[Dose, ...] = ()


def _reports(visit: Visit, occasion: Occasion, body: Body, dice: Dice) -> tuple[Report, ...]:
    """One report for each panel; in a stay the first panels are taken again before leaving."""
    laboratory = STAFF[visit.house]["laboratory"]
    rounds = [(visit.start + dice.whole(8, 25) * MINUTE, 1.0, occasion.panels)]
    if visit.kind == "I" and occasion.stay >= 4:
        again = visit.end - DAY - (visit.end % DAY) + 6 * HOUR + dice.whole(0, 40) * MINUTE
        rounds.append((again, 0.2, occasion.panels[:3]))
    reports = []
    for ordered, left, panels in rounds:
        moved = body.shifts(ordered)
        for key, size in occasion.shifts.items():
            moved[key] = moved.get(key, 0.0) + size * left
        collected = ordered + dice.whole(10, 45) * MINUTE + dice.whole(0, 59)
        for key in panels:
            panel = PANELS[key]
            done = collected + panel.hours * HOUR // 2 + dice.whole(5, 50) * MINUTE
            reports.append(
                Report(
                    panel,
                    ordered,
                    collected,
                    done,
                    body.panel(panel, moved),
                    visit.doctor,
                    laboratory[dice.whole(0, 3)],
                    laboratory[dice.whole(4, 5)],
                )
            )
    return tuple(reports)


def _study(visit: Visit, key: str, dice: Dice) -> Study:
    code, name, modality, findings, impression = STUDIES[key]
    done = visit.start + dice.whole(30, 80) * MINUTE
    reader = dice.pick(STAFF[visit.house]["imaging"])
    reported = done + dice.whole(15, 60) * MINUTE
    return Study(
        code, name, modality, done, reported, findings, impression, visit.doctor, reader
    )


def _operation(visit: Visit, key: str, dice: Dice) -> Operation:
    code, name, anaesthesia = OPERATIONS[key]
    begun = visit.start + dice.whole(5, 26) * HOUR + dice.whole(0, 59) * MINUTE
    return Operation(
        code,
        name,
        begun,
        begun + dice.whole(40, 170) * MINUTE,
        dice.pick(STAFF[visit.house][visit.department.key]),
        anaesthesia,
    )


def held(
    occasion: Occasion, house: str, count: int, resident: Resident, body: Body, dice: Dice
) -> Visit:
    """Hold the visit: choose the doctor, measure, examine, prescribe."""
    department = DEPARTMENTS[occasion.department]
    doctor = dice.pick(STAFF[house][department.key])
    start, kind = occasion.start, occasion.kind
    if occasion.stay:
        end = start - start % DAY + occasion.stay * DAY + dice.whole(9, 11) * HOUR
        end += dice.whole(0, 59) * MINUTE
    else:
        end = start + dice.whole(20, 200) * MINUTE
    visit = Visit(
        resident,
        house,
        kind,
        count,
        start,
        end,
        department,
        doctor,
        occasion.complaint,
        tuple([DIAGNOSES[key] for key in occasion.diagnoses]),
        bed=f"{dice.whole(1, 46):02d}" if kind == "I" else "",
        doses=occasion.doses,
    )
    written = start + dice.whole(12, 60) * MINUTE
    return replace(
        visit,
        reports=_reports(visit, occasion, body, dice) if occasion.panels else (),
        studies=(_study(visit, occasion.study, dice),) if occasion.study else (),
        prescriptions=tuple(
            [Prescription(DRUGS[key], written, occasion.days, doctor) for key in occasion.drugs]
        ),
        operation=_operation(visit, occasion.operation, dice) if occasion.operation else None,
        transfer=_transfer(visit, dice) if occasion.stay >= 5 else None,
    )


def _transfer(visit: Visit, dice: Dice) -> tuple[Moment, Department] | None:
    """Some long stays change the ward on the second day."""
    if not dice.chance(0.25):
        return None
    other = dice.pick(("respiratory", "cardiology", "general", "surgery"))
    if other == visit.department.key:
        return None
    return visit.start + DAY + dice.whole(1, 300) * MINUTE, DEPARTMENTS[other]


def consulting_hour(dice: Dice, day: int) -> Moment:
    """A moment of a day number (since 1970) at which out-patients are seen."""
    hour = dice.whole(8, 16)
    return day * DAY + (hour + (hour > 11)) * HOUR + dice.whole(0, 3599)


def any_hour(dice: Dice, day: int) -> Moment:
    """A moment of a day number at which anything may happen."""
    return day * DAY + dice.whole(0, 86_399)


def day_number(moment: Moment) -> int:
    """The day since 1970 of a moment."""
    return moment // moments.DAY


def hurried(visit: Visit, end: Moment) -> Visit:
    """The visit with all its times drawn into the minutes before its end."""
    start = end - LENGTH
    reports = tuple(
        replace(
            report,
            ordered=start + 60,
            collected=start + 120 + n,
            reported=start + 240 + 20 * n,
        )
        for n, report in enumerate(visit.reports)
    )
    studies = tuple(
        replace(study, done=end - 2 * MINUTE, reported=end - 20) for study in visit.studies
    )
    written = tuple(replace(line, written=start + 200) for line in visit.prescriptions)
    return replace(visit, end=end - 10, reports=reports, studies=studies, prescriptions=written)
