"""The persons that a search found, one line for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.person import Age, age, is_golden, masked, name, resident_id
from healthhub.serve.record.reading import moment


@dataclass(frozen=True, slots=True)
class Found:
    """Enough to tell people of one name apart. ``sources`` is an institution or a count."""

    id: str
    name: str
    gender: str
    age: Age | None
    birth: str
    resident_id: str
    sources: str


def found(patient: Body, sources: Sources, today: date) -> Found:
    """A line from a Patient, golden or not."""
    birth = patient.get("birthDate", "")
    died = moment(patient.get("deceasedDateTime"))
    joined = str(len(patient.get("link", ()))) if is_golden(patient) else ""
    return Found(
        patient["id"],
        name(patient),
        patient.get("gender", "unknown"),
        age(birth, died.date if died else today),
        birth,
        masked(resident_id(patient)),
        joined or sources.of(patient).short,
    )
