"""What lies behind a value: its codes, its versions, and the message each element came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Coding, Concept, Moment, concept, moment

CODED = (
    "code",
    "vaccineCode",
    "medicationCodeableConcept",
    "type",
    "category",
    "class",
    "interpretation",
    "valueCodeableConcept",
    "method",
)
HIDDEN = frozenset({"resourceType", "id", "meta", "text", "contained", "subject", "patient"})
LOCAL = "urn:healthhub:codes:"
"""Code systems that the hub names for a sender's own codes."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code and whether it is the sender's own or a standard's."""

    element: str
    text: str
    coding: Coding
    local: bool


@dataclass(frozen=True, slots=True)
class Element:
    """A top-level element, its value in short, and the message that stated it last."""

    name: str
    value: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the resource."""

    number: str
    updated: Moment | None
    status: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Trace:
    """All of it, for one resource."""

    type: str
    id: str
    patient: str
    title: Concept
    at: Moment | None
    origin: Origin
    codes: tuple[Code, ...]
    elements: tuple[Element, ...]
    versions: tuple[Version, ...]


def trace(versions: Sequence[Body], sources: Sources) -> Trace:
    """Follow a resource back through its versions, the latest first."""
    latest = versions[0]
    return Trace(
        latest["resourceType"],
        latest["id"],
        _patient(latest),
        _title(latest),
        moment(
            latest.get("effectiveDateTime") or latest.get("authoredOn") or latest.get("issued")
        ),
        sources.of(latest),
        tuple(_codes(latest)),
        tuple(
            Element(name, summary(value), sources.named(_stated(versions, name)))
            for name, value in latest.items()
            if name not in HIDDEN
        ),
        tuple(
            Version(
                body.get("meta", {}).get("versionId", ""),
                moment(body.get("meta", {}).get("lastUpdated")),
                body.get("status", ""),
                sources.of(body),
            )
            for body in versions
        ),
    )


def _stated(versions: Sequence[Body], element: str) -> str:
    """meta.source of the version since which the element has its present value."""
    value = versions[0].get(element)
    since = versions[0]
    for body in versions[1:]:
        if body.get(element) != value:
            break
        since = body
    return since.get("meta", {}).get("source", "")


def _patient(body: Body) -> str:
    if body["resourceType"] == "Patient":
        return body["id"]
    target = (body.get("subject") or body.get("patient") or {}).get("reference", "")
    return target.removeprefix("Patient/")


def _title(body: Body) -> Concept:
    for element in CODED[:4]:
        found = body.get(element)
        if isinstance(found, list):
            found = found[0] if found else None
        if isinstance(found, dict) and concept(found):
            return concept(found)
    return Concept(body["resourceType"])


def _codes(body: Body) -> list[Code]:
    found = []
    for element in CODED:
        value = body.get(element)
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                continue
            what = concept({"coding": [item]} if "code" in item else item)
            found += [
                Code(element, what.text, coding, is_local(coding.system))
                for coding in what.codings
            ]
    return found


def is_local(system: str) -> bool:
    """Whether a code system is a sender's own."""
    return not system or system.startswith(LOCAL)


def summary(value: object) -> str:
    """A value in one line: what people would read of it first."""
    if isinstance(value, list):
        return "；".join(text for text in map(summary, value) if text)
    if not isinstance(value, Mapping):
        return str(value)
    if "coding" in value:
        return concept(dict(value)).label("zh")
    for key in ("text", "display", "reference"):
        if isinstance(value.get(key), str):
            return str(value[key])
    parts = (
        summary(part) for key, part in value.items() if key not in ("system", "code", "url")
    )
    return " ".join(part for part in parts if part)
