"""Immunisations: what was given, which dose, when and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Concept, Moment, concept, display, first_moment


@dataclass(frozen=True, slots=True)
class Immunisation:
    """One dose. ``given`` is false where the source says that it was not."""

    id: str
    vaccine: Concept
    dose: str
    at: Moment | None
    lot: str
    maker: str
    given: bool
    origin: Origin


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
    return tuple(
        sorted(found, key=lambda item: item.at.at.timestamp() if item.at else 0.0, reverse=True)
    )


def _dose(body: Body) -> str:
    for item in body.get("protocolApplied", ()):
        number = item.get("doseNumberPositiveInt") or item.get("doseNumberString")
        if number:
            return str(number)
    return ""
