"""The items of a visit as a settlement lists them: what each costs, and what of it no fund pays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from healthhub.city.catalogue import Drug
from healthhub.city.moments import DAY, Moment
from healthhub.city.prices import item_code, priced
from healthhub.city.visits import Visit

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Line:
    """One item: national code and name, the institution's own, kind and level of charge."""

    code: str
    name: str
    own: str
    kind: str
    level: str
    count: int
    unit: str
    price: Decimal
    at: Moment

    @property
    def amount(self) -> Decimal:
        """What it costs."""
        return self.price * self.count

    @property
    def first(self) -> Decimal:
        """What the person pays beforehand: a tenth of an item of level 02."""
        return (self.amount / 10).quantize(CENT) if self.level == "02" else Decimal("0.00")

    @property
    def own_pay(self) -> Decimal:
        """What no fund pays for."""
        return self.amount if self.level == "03" else Decimal("0.00")


def medicine(drug: Drug, at: Moment) -> Line:
    level = "02" if drug.form in ("缓释片", "注射液", "粉针") else "01"
    return Line(
        item_code(drug), drug.name, drug.code_a, "09", level, int(drug.quantity), drug.pack, priced(drug.key, 8, 60), at,
    )  # fmt: skip


def lines_of(visit: Visit) -> Iterator[Line]:
    """What a visit cost."""
    for line in visit.prescriptions:
        yield medicine(line.drug, line.written)
    for report in visit.reports:
        panel = report.panel
        yield Line(
            f"2504{panel.code_a[-5:]}", panel.name, panel.code_a, "04", "01", 1, "次",
            priced(panel.key, 18, 120), report.ordered,
        )  # fmt: skip
    for study in visit.studies:
        yield Line(
            f"2103{study.code}", study.name, study.code, "03", "01", 1, "次",
            priced(study.code, 60, 380), study.done,
        )  # fmt: skip
    if visit.operation:
        operation = visit.operation
        yield Line(
            f"33{operation.code.replace('.', '')}", operation.name, operation.code, "06", "01", 1, "次",
            priced(operation.code, 900, 5200), operation.begun,
        )  # fmt: skip
    days = (visit.end - visit.start) // DAY
    if visit.kind == "I" and days:
        yield Line(
            "110900001",
            "普通病房床位费",
            "",
            "01",
            "01",
            days,
            "日",
            Decimal("40.00"),
            visit.start,
        )
        yield Line("C0199", "陪护床", "", "14", "03", days, "日", Decimal("10.00"), visit.start)
