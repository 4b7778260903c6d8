"""Insurance settlements: what a visit or purchase cost, what the fund paid, what was left to pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Moment, codes, decimal, display, first_moment

WHOLE, FUND, PERSON = "medfee_sumamt", "fund_pay_sumamt", "psn_part_amt"
"""The sums that are shown, by the insurance bureau's names for them."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement. Sums are texts with two decimals, or empty where nothing was told."""

    id: str
    at: Moment | None
    where: str
    whole: str
    fund: str
    person: str
    cancelled: bool
    origin: Origin


def settlements(
    bodies: Sequence[Body], sources: Sources, names: dict[str, str]
) -> tuple[Settlement, ...]:
    """All but those entered in error, the latest first."""
    found = [
        _settlement(body, sources, names)
        for body in bodies
        if body.get("status") != "entered-in-error"
    ]
    return tuple(
        sorted(found, key=lambda item: item.at.at.timestamp() if item.at else 0.0, reverse=True)
    )


def _settlement(body: Body, sources: Sources, names: dict[str, str]) -> Settlement:
    return Settlement(
        id=body["id"],
        at=first_moment(body, "created", "billablePeriod"),
        where=display(body.get("provider"), names),
        whole=_sum(body, WHOLE, "submitted"),
        fund=_sum(body, FUND, "benefit"),
        person=_sum(body, PERSON, "copay"),
        cancelled=body.get("status") == "cancelled",
        origin=sources.of(body),
    )


def _sum(body: Body, *named: str) -> str:
    """The total of a category: the bureau's, or that of R4's own list."""
    for total in body.get("total", ()):
        if codes(total.get("category")) & set(named):
            amount = decimal(total.get("amount", {}).get("value"))
            return "" if amount is None else f"{amount.quantize(Decimal('0.01')):,}"
    return ""
