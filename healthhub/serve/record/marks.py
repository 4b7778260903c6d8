"""Marks of a result: the sender's flag; without one, computed from the sender's range."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from healthhub.model.resource import Body
from healthhub.serve.record.reading import Quantity, codes, decimal, digits

SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


class Mark(StrEnum):
    """What stands beside a value. The templates hold its sign and words."""

    NONE = ""
    HIGH = "high"
    LOW = "low"
    CRITICAL_HIGH = "critical-high"
    CRITICAL_LOW = "critical-low"
    ABNORMAL = "abnormal"
    CRITICAL = "critical"
    POSITIVE = "positive"

    @property
    def critical(self) -> bool:
        """Whether a doctor has to act on it now."""
        return self in _CRITICAL


_CRITICAL = frozenset({Mark.CRITICAL_HIGH, Mark.CRITICAL_LOW, Mark.CRITICAL})

FLAGS = {
    "HH": Mark.CRITICAL_HIGH,
    "LL": Mark.CRITICAL_LOW,
    "AA": Mark.CRITICAL,
    "H": Mark.HIGH,
    "HU": Mark.HIGH,
    "HX": Mark.HIGH,
    ">": Mark.HIGH,
    "L": Mark.LOW,
    "LU": Mark.LOW,
    "LX": Mark.LOW,
    "<": Mark.LOW,
    "A": Mark.ABNORMAL,
    "POS": Mark.POSITIVE,
    "DET": Mark.POSITIVE,
    "WR": Mark.POSITIVE,
    "RR": Mark.POSITIVE,
    "R": Mark.ABNORMAL,
    "N": Mark.NONE,
    "NEG": Mark.NONE,
    "ND": Mark.NONE,
    "NR": Mark.NONE,
    "S": Mark.NONE,
    "I": Mark.NONE,
}
"""Codes of the value set Observation Interpretation; R and I are of susceptibility tests."""

_STRENGTH = list(Mark)


@dataclass(frozen=True, slots=True)
class Range:
    """A reference range as sent. ``text`` is what to show."""

    low: Decimal | None
    high: Decimal | None
    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark, and whether the hub computed it because the sender gave none."""

    mark: Mark
    computed: bool = False


UNMARKED = Marked(Mark.NONE)


def flagged(observation: Body) -> Marked | None:
    """The sender's flag; None when none was sent or none is known. The gravest one wins.

    A flag that was mapped is read in FHIR's system alone: beside it stands the sender's own
    code, which may mean something else (N is "negative" in some laboratories).
    """
    found = []
    for item in observation.get("interpretation", ()):
        codings = item.get("coding", ())
        mapped = [coding for coding in codings if coding.get("system") == SYSTEM]
        sent = [coding.get("code", "") for coding in mapped[:1] or codings]
        found += [FLAGS[code] for code in sent if code in FLAGS]
    return Marked(max(found, key=_gravity)) if found else None


def _gravity(mark: Mark) -> tuple[bool, int]:
    return mark.critical, 0 if mark is Mark.NONE else len(_STRENGTH) - _STRENGTH.index(mark)


def reference_range(observation: Body) -> Range | None:
    """The normal range that the sender gave; critical limits are no normal range."""
    for item in observation.get("referenceRange", ()):
        kinds = codes(item.get("type"))
        if kinds and not kinds & {"normal", "recommended"}:
            continue
        low = decimal(item.get("low", {}).get("value"))
        high = decimal(item.get("high", {}).get("value"))
        text = _range_text(low, high) or item.get("text", "")
        if text:
            return Range(low, high, text)
    return None


def _range_text(low: Decimal | None, high: Decimal | None) -> str:
    if low is not None and high is not None:
        return f"{digits(low)}–{digits(high)}"
    if high is not None:
        return f"≤ {digits(high)}"
    return f"≥ {digits(low)}" if low is not None else ""


def mark(observation: Body, value: Quantity | None, limits: Range | None) -> Marked:
    """The mark of a result. Without a flag and without a range there is none."""
    sent = flagged(observation)
    if sent is not None:
        return sent
    if value is None or limits is None:
        return UNMARKED
    if limits.low is not None and _below(value, limits.low):
        return Marked(Mark.LOW, computed=True)
    if limits.high is not None and _above(value, limits.high):
        return Marked(Mark.HIGH, computed=True)
    return UNMARKED


def _below(value: Quantity, low: Decimal) -> bool:
    if value.comparator in (">", ">="):
        return False
    return value.number <= low if value.comparator == "<" else value.number < low


def _above(value: Quantity, high: Decimal) -> bool:
    if value.comparator in ("<", "<="):
        return False
    return value.number >= high if value.comparator == ">" else value.number > high
