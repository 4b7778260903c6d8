"""What the sending systems of all houses have in common: frames of messages, planted reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from healthhub.city.catalogue import Diagnosis
from healthhub.city.charts import Chart
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, digits14
from healthhub.city.rates import RATES, Rates
from healthhub.city.sent import Sent
from healthhub.city.visits import Allergy, Report, Result, Study, Visit


@dataclass(frozen=True, slots=True)
class ReportForm:
    """How a laboratory report goes out: status letters, planted faults, and its place in time.

    ``status`` is F final, C corrected, W withdrawn.
    """

    report: Report
    results: Sequence[Result]
    status: str = "F"
    at: Moment = 0
    arrives: Moment = 0
    planted: str = ""
    detail: str = ""
    unknown_item: int = -1
    collected: str = ""


class Desk(Protocol):
    """One house's systems. Each method gives the messages that they send."""

    house: str

    def visit(self, chart: Chart, visit: Visit, allergy: Allergy | None) -> Iterator[Sent]: ...

    def report(self, chart: Chart, visit: Visit, form: ReportForm) -> Sent: ...

    def update(self, chart: Chart, at: Moment) -> Sent: ...

    def merge(self, kept: Chart, replaced: Chart, at: Moment) -> Sent: ...

    def cancelled_admission(self, chart: Chart, visit: Visit) -> Iterator[Sent]: ...

    def cancelled_discharge(self, chart: Chart, visit: Visit) -> Iterator[Sent]: ...

    def study(self, chart: Chart, visit: Visit, study: Study) -> Sent: ...


class Frames:
    """Numbers and wraps the messages of one resident at one house.

    ``charset`` is the charset of the bytes; control ids follow from the resident's ordinal.
    """

    def __init__(self, house: str, ordinal: int, charset: str) -> None:
        self._count = 0
        self._prefix = f"{house.upper()}{ordinal:08d}"
        self._charset = charset

    def control(self) -> str:
        """The next control id."""
        self._count += 1
        return f"{self._prefix}{self._count:04d}"

    def sent(
        self,
        head: str,
        body: Sequence[str],
        at: Moment,
        source: str,
        kind: str,
        chart: Chart,
        planted: str = "",
        detail: str = "",
    ) -> Sent:
        """A message: ``head`` is its MSH with %s for time, kind and control id."""
        control = self.control()
        first = head % (digits14(at), kind, control)
        raw = ("\r".join((first, *body)) + "\r").encode(self._charset)
        return Sent(at, source, raw, kind, control, chart.resident.person, planted, detail)


def forms(report: Report, dice: Dice, rates: Rates = RATES) -> Iterator[ReportForm]:
    """One report as it goes out: once as a rule; with planted faults or a correction."""
    throw = dice.random()
    plain = ReportForm(report, report.results, at=report.reported, arrives=report.reported)
    edge = rates.unknown_code
    if throw < edge:
        place = dice.whole(0, len(report.results) - 1)
        yield replace(
            plain, planted="unknown-code", detail=f"OBX[{place + 1}]-3", unknown_item=place
        )
        return
    edge += rates.bad_time
    if throw < edge:
        wrong = dice.pick(("20250230101500", "00000000000000", "20261399000000"))
        yield replace(plain, planted="bad-time", detail="OBR-7", collected=wrong)
        return
    edge += rates.correction
    numbers = [n for n, result in enumerate(report.results) if result.item.digits >= 0]
    if throw < edge and numbers:
        yield from _corrected(plain, dice, numbers, rates)
        return
    yield plain


def _corrected(
    plain: ReportForm, dice: Dice, numbers: list[int], rates: Rates
) -> Iterator[ReportForm]:
    place = dice.pick(numbers)
    right = plain.report.results[place]
    value = float(right.value.lstrip("<"))
    wrong = replace(right, value=f"{value * 10:.{right.item.digits}f}", mark="H")
    results = list(plain.report.results)
    results[place] = wrong
    later = plain.at + dice.whole(20, 600) * MINUTE
    first = dice.chance(rates.correction_first)
    detail = f"OBX[{place + 1}]-5"
    name = "correction-before-original" if first else "corrected"
    yield replace(
        plain,
        results=tuple(results),
        arrives=later + 2 * HOUR if first else plain.at,
        planted=name,
        detail=detail,
    )
    yield replace(plain, status="C", at=later, arrives=later, planted=name, detail=detail)


def moved(sent: Sent, at: Moment, planted: str = "", detail: str = "") -> Sent:
    """The same bytes, arriving at another time."""
    return replace(sent, at=at, planted=planted or sent.planted, detail=detail or sent.detail)


def main_and_others(diagnoses: Sequence[Diagnosis]) -> Iterator[tuple[int, Diagnosis]]:
    """Diagnoses with their rank from 1."""
    return enumerate(diagnoses, 1)


def first_discharge(visit: Visit) -> Moment:
    """When a stay was first, wrongly, closed: the afternoon before its true end."""
    return max(visit.start + HOUR, visit.end - visit.end % DAY - DAY + 15 * HOUR)
