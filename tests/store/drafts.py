"""Builds the drafts and bodies that the store's tests write; all people are invented."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from healthhub.model import ids
from healthhub.model.resource import Body, Draft, Stamp

START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENT = ids.derive("test", "Patient", "1")


def stamp(minutes: int, authority: int = 1, message: int = 0) -> Stamp:
    """A statement ``minutes`` after the start."""
    return Stamp(authority, START + timedelta(minutes=minutes), message or minutes)


def draft(
    resource_type: str,
    number: str,
    when: Stamp,
    erased: tuple[str, ...] = (),
    patient: UUID | None = None,
    **elements: Any,
) -> Draft:
    """A draft of the resource that has this business number."""
    id_ = ids.derive("test", resource_type, number)
    owner = id_ if resource_type == "Patient" else PATIENT if patient is None else patient
    body: Body = {
        "resourceType": resource_type,
        "id": str(id_),
        "meta": {"source": f"urn:healthhub:source:test#{when.message}"},
        **elements,
    }
    return Draft(resource_type, id_, owner, when, body, erased)


def code(value: str, system: str = "http://loinc.org", text: str = "") -> Body:
    """A CodeableConcept."""
    concept: Body = {"coding": [{"system": system, "code": value}]}
    return concept | {"text": text} if text else concept


def accept(_: Body) -> None:
    """A check that passes everything."""
