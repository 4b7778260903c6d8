"""Immunisations: what was given, which dose, when and by whom; told by several, shown once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Concept, Moment, concept, display, first_moment

NATIONAL = 4
"""Digits of a vaccine's code in the national immunisation system."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who tells of a dose, and under which id."""

    id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Immunisation:
    """One dose. ``given`` is false where the source says that it was not; ``mentions`` are all
    who tell of it: the clinic that gave it, the register that collects all."""

    id: str
    vaccine: Concept
    dose: str
    at: Moment | None
    lot: str
    maker: str
    given: bool
    origin: Origin
    mentions: tuple[Told, ...] = ()

    @property
    def rich(self) -> int:
        """How much is told."""
        return bool(self.dose) + bool(self.lot) + bool(self.maker) + bool(self.vaccine.text)


def immunisations(
    bodies: Sequence[Body], sources: Sources, names: dict[str, str]
) -> tuple[Immunisation, ...]:
    """All doses but those entered in error, the latest first."""
    found = [
        Immunisation(
            body["id"],
            concept(body.get("vaccineCode")),
            _dose(body),
            first_moment(body, "occurrenceDateTime", "recorded"),
            body.get("lotNumber", ""),
            display(body.get("manufacturer"), names),
            body.get("status") == "completed",
            sources.of(body),
        )
        for body in bodies
        if body.get("status") != "entered-in-error"
    ]
    found.sort(key=lambda item: item.at.at.timestamp() if item.at else 0.0, reverse=True)
    return tuple(_once(found))


def _once(found: Sequence[Immunisation]) -> list[Immunisation]:
    """Doses of one day that are one dose are shown as the one that tells most."""
    shown: list[Immunisation] = []
    for item in found:
        told = Told(item.id, item.origin)
        place = next((n for n, other in enumerate(shown) if _same(item, other)), None)
        if place is None:
            shown.append(replace(item, mentions=(told,)))
            continue
        other = shown[place]
        better = item if item.rich > other.rich else other
        shown[place] = replace(better, mentions=(*other.mentions, told))
    return shown


def _same(one: Immunisation, other: Immunisation) -> bool:
    """Whether two sources tell of one dose: its day, number and vaccine."""
    if one.at is None or other.at is None or one.at.day != other.at.day:
        return False
    if one.origin.institution == other.origin.institution or one.given != other.given:
        return False
    if one.dose and other.dose and one.dose != other.dose:
        return False
    if one.vaccine.text and one.vaccine.text == other.vaccine.text:
        return True
    return bool(_codes(one.vaccine) & _codes(other.vaccine))


def _codes(vaccine: Concept) -> set[tuple[str, str]]:
    """Codes by system; the nation's four digits are one system, whatever a sender calls it."""
    return {
        ("" if len(c.code) == NATIONAL and c.code.isdecimal() else c.system, c.code)
        for c in vaccine.codings
    }


def _dose(body: Body) -> str:
    for item in body.get("protocolApplied", ()):
        number = item.get("doseNumberPositiveInt") or item.get("doseNumberString")
        if number:
            return str(number)
    return ""
