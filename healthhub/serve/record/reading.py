"""Reading FHIR elements: concepts, moments, quantities and ranges as small frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from healthhub.clock import ZONE
from healthhub.model.resource import Body

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Coding:
    """One code of a concept."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Concept:
    """A CodeableConcept: what the sender calls it, and its codes."""

    text: str
    codings: tuple[Coding, ...] = ()

    def label(self, language: str) -> str:
        """The name to show: the sender's own in Chinese; a standard display in English."""
        if language == "en":
            for coding in self.codings:
                if coding.display and coding.display.isascii():
                    return coding.display
        if self.text:
            return self.text
        shown = [coding.display or coding.code for coding in self.codings]
        return shown[0] if shown else ""

    def code(self, system: str) -> str:
        """The code in a system, or ""."""
        return next((c.code for c in self.codings if c.system == system), "")

    def codes(self) -> Iterable[str]:
        """All its codes, whatever the system."""
        return (coding.code for coding in self.codings)

    def __bool__(self) -> bool:
        return bool(self.text or self.codings)


NOTHING = Concept("")


def concept(value: Body | None) -> Concept:
    """A CodeableConcept, or a concept that is empty."""
    if not value:
        return NOTHING
    codings = [
        (item.get("system", ""), item.get("code", ""), item.get("display", ""))
        for item in value.get("coding", ())
    ]
    return _concept(value.get("text", ""), tuple(codings))


@lru_cache(maxsize=8192)
def _concept(text: str, codings: tuple[tuple[str, str, str], ...]) -> Concept:
    """The same words and codes come hundreds of times in one record."""
    return Concept(text, tuple(Coding(*coding) for coding in codings))


def concepts(value: Body | Sequence[Body] | None) -> tuple[Concept, ...]:
    """CodeableConcepts of an element that repeats."""
    if not value:
        return ()
    items = [value] if isinstance(value, dict) else value
    return tuple([concept(item) for item in items])


def codes(value: Body | Sequence[Body] | None) -> set[str]:
    """The codes of one or many CodeableConcepts, when nothing else of them is wanted."""
    if not value:
        return set()
    items = [value] if isinstance(value, dict) else value
    return {coding.get("code", "") for item in items for coding in item.get("coding", ())}


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A FHIR date or dateTime in the hub's zone; ``text`` shows no more than was given."""

    at: datetime
    text: str

    @property
    def day(self) -> str:
        """The date alone, as exactly as it is known."""
        return self.text[:10]

    @property
    def date(self) -> date:
        """The calendar day in the hub's zone."""
        return self.at.date()


@lru_cache(maxsize=8192)
def moment(text: str | None) -> Moment | None:
    """Read a FHIR date, dateTime or instant (R4 datatypes, section 2.24.0.1)."""
    if not text:
        return None
    try:
        if len(text) <= 10:
            padded = text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text
            return Moment(datetime.fromisoformat(padded).replace(tzinfo=ZONE), text)
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at.astimezone(ZONE) if at.tzinfo else at.replace(tzinfo=ZONE)
    return Moment(at, at.isoformat(" ", "minutes")[:16])


def first_moment(body: Body, *elements: str) -> Moment | None:
    """The first of several elements that holds a time; a Period counts by its start."""
    for element in elements:
        value = body.get(element)
        if isinstance(value, dict):
            value = value.get("start") or value.get("end")
        found = moment(value)
        if found is not None:
            return found
    return None


def decimal(value: Any) -> Decimal | None:
    """A JSON number as Decimal, with the digits that were sent."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    return None


def digits(value: Decimal) -> str:
    """A decimal as people write it: no exponent, all digits that were sent."""
    return format(value, "f")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit; ``unit_key`` tells whether two can be compared."""

    number: Decimal
    comparator: str
    unit: str
    unit_key: str

    @property
    def text(self) -> str:
        """The number as sent, with its comparator, without the unit."""
        return self.comparator + digits(self.number)


def quantity(value: Body | None) -> Quantity | None:
    """A Quantity that has a number."""
    number = decimal(value.get("value")) if value else None
    if value is None or number is None:
        return None
    unit = shown_unit(value.get("unit") or value.get("code") or "")
    code = value.get("code") if value.get("system") == UCUM else None
    return Quantity(number, value.get("comparator", ""), unit, unit_key(code or unit))


_SHOWN = (
    ("10*12", "10¹²"),
    ("10^12", "10¹²"),
    ("10*9", "10⁹"),
    ("10^9", "10⁹"),
    ("10*6", "10⁶"),
    ("10^6", "10⁶"),
    ("mm[Hg]", "mmHg"),
    ("Cel", "℃"),
)


@lru_cache(maxsize=4096)
def shown_unit(unit: str) -> str:
    """A unit as people write it, where a sender wrote a UCUM code (ucum.org)."""
    for code, written in _SHOWN:
        unit = unit.replace(code, written)
    return unit


@lru_cache(maxsize=4096)
def unit_key(unit: str) -> str:
    """The same unit in its usual spellings gives the same key (umol/L, μmol/L)."""
    return unit.replace("μ", "u").replace("µ", "u").replace(" ", "").casefold()


def reference_id(reference: Body | None) -> str:
    """``Type/id`` of a literal reference, without a version; "" when there is none."""
    target = (reference or {}).get("reference", "")
    return target.split("/_history/")[0]


def display(reference: Body | None, names: dict[str, str]) -> str:
    """The name of what is referred to: as the sender wrote it, else as the record knows it."""
    if not reference:
        return ""
    return reference.get("display") or names.get(reference_id(reference), "")
