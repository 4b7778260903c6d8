"""What the houses' systems send about one family: visits written down, with errors planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from healthhub.city import moments
from healthhub.city.charts import UNKNOWN, Chart, first_chart, righted, second_chart
from healthhub.city.desk import Desk, ReportForm, forms, moved
from healthhub.city.dice import Dice
from healthhub.city.hospital_a import HospitalA
from healthhub.city.hospital_b import HospitalB
from healthhub.city.life import Life
from healthhub.city.moments import DAY, HOUR, MINUTE
from healthhub.city.partner import Partner
from healthhub.city.people import Family, Resident
from healthhub.city.rates import RATES
from healthhub.city.sent import Sent
from healthhub.city.visits import Allergy, Visit

DESKS = {"a": HospitalA, "b": HospitalB, "c": Partner}


@dataclass
class PersonTruth:
    """Which patient numbers stand for a resident. ``numbers``: house, number, errors in it;
    ``charts``: the registration under which each visit stands, by house and count."""

    resident: Resident
    numbers: list[tuple[str, str, str]] = field(default_factory=list)
    charts: dict[tuple[str, int], Chart] = field(default_factory=dict)


class Journal:
    """One family's messages. ``tally`` counts what they tell of, each thing once."""

    def __init__(self, seed: int, family: Family, begin: date, until: date) -> None:
        self.seed, self.family, self.begin, self.until = seed, family, begin, until
        self.dice = Dice(seed, "journal", family.index)
        self.tally: Counter[str] = Counter()
        self.people = [PersonTruth(member) for member in family.members]
        self.lives: list[tuple[PersonTruth, Life, list[Visit]]] = []
        """Each resident's life and visits, once their messages have been made."""
        self._charts: dict[tuple[str, str], Chart] = {}
        self._desks: dict[tuple[str, str], Desk] = {}

    def messages(self) -> Iterator[Sent]:
        """All messages of the family, resident by resident, not in order of time."""
        for truth in self.people:
            life = Life(self.seed, self.family, truth.resident, self.begin, self.until)
            visits = life.visits()
            self.lives.append((truth, life, visits))
            for visit in visits:
                yield from self.attend(truth, visit, life.allergy)

    def attend(
        self, truth: PersonTruth, visit: Visit, allergy: Allergy | None
    ) -> Iterator[Sent]:
        """All that one visit makes the house send, errors among it."""
        dice, resident = self.dice, visit.resident
        spared = self.family.index == 0
        desk = self._desk(resident, visit.house)
        chart, news = self._chart(truth, visit, desk)
        yield from news
        other = None
        if visit.kind == "E" and not spared and dice.chance(RATES.unknown_patient):
            other = second_chart(chart, unknown=True)
        elif visit.count > 1 and not spared and dice.chance(RATES.second_chart):
            other = second_chart(chart, unknown=False)
        if other:
            yield from self._under(truth, desk, other, visit, None)
            yield from self._merge(truth, desk, chart, other, visit)
        else:
            yield from self._under(truth, desk, chart, visit, allergy)

    def _desk(self, resident: Resident, house: str) -> Desk:
        key = (resident.person, house)
        if key not in self._desks:
            self._desks[key] = DESKS[house](resident.ordinal)
        return self._desks[key]

    def _chart(self, truth: PersonTruth, visit: Visit, desk: Desk) -> tuple[Chart, list[Sent]]:
        """The resident's chart at the house, made now or put right now."""
        key = (visit.resident.person, visit.house)
        chart = self._charts.get(key)
        if chart is None:
            chart = first_chart(
                self.dice, visit.resident, self.family, visit.house, visit.start
            )
            self._charts[key] = chart
            return chart, []
        nameless = "之" in chart.name
        old_enough = visit.start - moments.of(visit.resident.birth) > 30 * DAY
        if (nameless and old_enough) or (
            chart.planted in ("typo", "default-birth") and self.dice.chance(0.4)
        ):
            chart = self._charts[key] = righted(chart)
            return chart, [desk.update(chart, visit.start - 5 * MINUTE)]
        return chart, []

    def _note(self, truth: PersonTruth, chart: Chart) -> None:
        entry = (chart.house, chart.number, chart.planted)
        if all(number != chart.number for _, number, _ in truth.numbers):
            truth.numbers.append(entry)
            self.tally[f"patients.{chart.house}"] += 1

    def _under(
        self,
        truth: PersonTruth,
        desk: Desk,
        chart: Chart,
        visit: Visit,
        allergy: Allergy | None,
    ) -> Iterator[Sent]:
        """The visit's messages under a chart."""
        self._note(truth, chart)
        truth.charts[visit.house, visit.count] = chart
        self._count(visit)
        if visit.kind == "I" and visit.end - visit.start > 2 * DAY:
            yield from self._cancellations(desk, chart, visit)
        late = self.dice.chance(RATES.late_registration) and bool(visit.reports)
        for sent in desk.visit(chart, visit, allergy):
            if late and sent.kind in ("ADT^A04", "ADT^A01", "ADT^ZP1"):
                last = max(report.reported for report in visit.reports)
                yield moved(sent, last + HOUR, "result-before-visit", "")
            else:
                yield sent
        for report in visit.reports:
            yield from self._report(desk, chart, visit, forms(report, self.dice))

    def _cancellations(self, desk: Desk, chart: Chart, visit: Visit) -> Iterator[Sent]:
        if self.dice.chance(RATES.cancelled_admission):
            mistaken = replace(visit, count=visit.count + 500, start=visit.start - 3 * HOUR)
            self.tally[f"visits.{visit.house}"] += 1
            self.tally[f"cancelled.{visit.house}"] += 1
            yield from desk.cancelled_admission(chart, mistaken)
        if self.dice.chance(RATES.cancelled_discharge):
            yield from desk.cancelled_discharge(chart, visit)

    def _report(
        self, desk: Desk, chart: Chart, visit: Visit, sent: Iterator[ReportForm]
    ) -> Iterator[Sent]:
        for form in sent:
            if not form.planted and self.dice.chance(RATES.wrong_patient):
                yield from self._under_wrong(chart, visit, form)
            yield desk.report(chart, visit, form)

    def _under_wrong(self, chart: Chart, visit: Visit, form: ReportForm) -> Iterator[Sent]:
        """The report under another of the family who is known to the house, then withdrawn."""
        others = [
            other
            for (person, house), other in self._charts.items()
            if house == chart.house and person != chart.resident.person
        ]
        if not others:
            return
        wrong = others[0]
        desk = self._desk(wrong.resident, chart.house)
        mistaken = replace(visit, count=visit.count + 700)
        sent_at = form.at - 30 * MINUTE
        detail = f"belongs to {chart.resident.person}"
        plan = replace(
            form, planted="wrong-patient", detail=detail, at=sent_at, arrives=sent_at
        )
        yield desk.report(wrong, mistaken, plan)
        withdrawn = form.at - 2 * MINUTE
        yield desk.report(
            wrong, mistaken, replace(plan, status="W", at=withdrawn, arrives=withdrawn)
        )
        self.tally[f"withdrawn.{chart.house}"] += 1
        self.tally[f"withdrawn-results.{chart.house}"] += len(form.results)

    def _merge(
        self, truth: PersonTruth, desk: Desk, chart: Chart, other: Chart, visit: Visit
    ) -> Iterator[Sent]:
        if other.name == UNKNOWN and self.dice.chance(0.4):
            return
        late = self.dice.chance(RATES.late_merge)
        at = visit.end + (self.dice.whole(25, 90) if late else self.dice.whole(1, 3)) * DAY
        if at < moments.of(self.until):
            self._note(truth, chart)
            sent = desk.merge(chart, other, at)
            yield moved(sent, at, "late-merge") if late else sent
            self.tally[f"merges.{chart.house}"] += 1

    def _count(self, visit: Visit) -> None:
        tally, house = self.tally, visit.house
        tally[f"visits.{house}"] += 1
        tally[f"reports.{house}"] += len(visit.reports)
        tally[f"results.{house}"] += sum(len(report.results) for report in visit.reports)
        tally[f"studies.{house}"] += len(visit.studies)
        tally[f"prescriptions.{house}"] += len(visit.prescriptions)
        tally[f"doses.{house}"] += len(visit.doses)
        tally[f"operations.{house}"] += visit.operation is not None
        tally[f"diagnoses.{house}"] += len(visit.diagnoses)
