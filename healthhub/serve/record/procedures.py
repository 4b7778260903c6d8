"""What was done to the person: operations, transfusions, treatments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Concept, Moment, concept, concepts, first_moment


@dataclass(frozen=True, slots=True)
class Procedure:
    """One procedure. ``complications`` are what went wrong with it, as it was told."""

    id: str
    name: Concept
    at: Moment | None
    complications: tuple[Concept, ...]
    note: str
    origin: Origin


def procedures(bodies: Sequence[Body], sources: Sources) -> tuple[Procedure, ...]:
    """All that were not withdrawn or left undone, the latest first."""
    found = [
        Procedure(
            body["id"],
            concept(body.get("code")),
            first_moment(body, "performedDateTime", "performedPeriod"),
            concepts(body.get("complication")),
            "；".join(note["text"] for note in body.get("note", ()) if note.get("text")),
            sources.of(body),
        )
        for body in bodies
        if body.get("status") not in ("entered-in-error", "not-done")
    ]
    return tuple(
        sorted(found, key=lambda item: item.at.at.timestamp() if item.at else 0.0, reverse=True)
    )
