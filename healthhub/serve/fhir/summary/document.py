"""The summary as a document Bundle: a Composition, the patient, and only what is referred to.

Sources' Patients of one person become the one subject. References inside the document go by
urn:uuid, derived from each resource's address, so that a summary made twice names the same thing
alike; what stays outside (a visit, an order) is referred to by its full address on this server.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healthhub import __version__
from healthhub.model.resource import Body
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.summary import narrative
from healthhub.serve.fhir.summary.choice import Chosen

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN: Body = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
INCLUDED = frozenset(
    "Organization Practitioner PractitionerRole Medication Specimen Device Observation "
    "ImagingStudy".split()
)
"""Types that are drawn into the document by a reference; all others stay outside."""
_DEMANDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Patient": (("birthDate", "_birthDate"),),
    "Observation": (("effective", "_effectiveDateTime"), ("performer", "performer")),
    "DiagnosticReport": (("effective", "_effectiveDateTime"),),
    "MedicationStatement": (("effective", "_effectiveDateTime"),),
    "Procedure": (("performed", "_performedDateTime"),),
    "DeviceUseStatement": (("timing", "_timingDateTime"),),
}
"""What the IPS demands and R4 does not: said to be unknown where a source did not say it."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a summary is made of. ``members``: the ids of the person's Patients; ``others``: what
    the entries refer to, by ``Type/id``."""

    base: str
    patient: Body
    members: frozenset[str]
    sections: dict[str, Chosen]
    others: dict[str, Body]
    now: datetime


def bundle(material: Material) -> Body:
    """The document."""
    entries: dict[str, Body] = {f"Patient/{material.patient['id']}": material.patient}
    for chosen in material.sections.values():
        for body in chosen.entries:
            entries[address(body)] = body
    for name in reachable(entries.values(), material.others):
        entries.setdefault(name, material.others[name])
    device = _device(material)
    names = {name: urn(material.base, name) for name in entries}
    names |= {
        f"Patient/{fhir_id}": names[address(material.patient)] for fhir_id in material.members
    }
    resources = [
        (names[name], _tied(_completed(body), names, material.base))
        for name, body in entries.items()
    ]
    composition = _composition(material, names, urn(material.base, address(device)))
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [IPS + "Bundle-uv-ips"]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": answer.instant(material.now),
        "entry": [
            {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": composition},
            *({"fullUrl": url, "resource": body} for url, body in resources),
            {"fullUrl": urn(material.base, address(device)), "resource": device},
        ],
    }


def address(body: Body) -> str:
    """``Type/id`` of a resource."""
    return f"{body['resourceType']}/{body['id']}"


def urn(base: str, name: str) -> str:
    """The name of a resource inside a document."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{base}/{name}')}"


def reachable(bodies: Collection[Body], others: Mapping[str, Body]) -> list[str]:
    """What the bodies refer to, and what that refers to, of ``others``."""
    found: dict[str, None] = {}
    waiting = list(bodies)
    while waiting:
        for name in references(waiting.pop()):
            if name in others and name not in found:
                found[name] = None
                waiting.append(others[name])
    return list(found)


def references(value: Any) -> Iterator[str]:
    """The references to resources of INCLUDED types in a body, as ``Type/id``."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str) and reference.partition("/")[0] in INCLUDED:
            yield "/".join(reference.split("/")[:2])
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def _tied(value: Any, names: Mapping[str, str], base: str) -> Any:
    """A body whose references lead inside the document, or to their full address."""
    if isinstance(value, list):
        return [_tied(child, names, base) for child in value]
    if not isinstance(value, dict):
        return value
    made = {name: _tied(child, names, base) for name, child in value.items()}
    reference = value.get("reference")
    if isinstance(reference, str) and not reference.startswith(("#", "urn:", "http")):
        short = "/".join(reference.split("/")[:2])
        made["reference"] = names.get(short, f"{base}/{reference}")
    return made


def _completed(body: Body) -> Body:
    """The body with what the IPS demands said to be unknown where it is missing."""
    made = {name: value for name, value in body.items() if name != "text"}
    if body["resourceType"] == "Patient":
        # Links lead to the sources' Patients, who are this one subject here.
        made.pop("link", None)
        if not _is_named(body):
            made["name"] = [UNKNOWN | {"_text": UNKNOWN}]
    for stem, element in _DEMANDED.get(body["resourceType"], ()):
        if not any(name.lstrip("_").startswith(stem) for name in body):
            made[element] = [UNKNOWN] if element == "performer" else UNKNOWN
    return made


def _is_named(patient: Body) -> bool:
    return any(
        one.get(part) for one in patient.get("name", ()) for part in ("text", "family", "given")
    )


def _composition(material: Material, names: Mapping[str, str], author: str) -> Body:
    title = " ".join(narrative.word("words", "title"))
    patient = material.patient
    called = next((str(one["text"]) for one in patient.get("name", ()) if "text" in one), "")
    return {
        "resourceType": "Composition",
        "meta": {"profile": [IPS + "Composition-uv-ips"]},
        "language": "zh-CN",
        "text": narrative.of_whole(called, answer.instant(material.now)),
        "status": "final",
        "type": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "60591-5",
                    "display": "Patient summary Document",
                }
            ]
        },
        "subject": {"reference": names[address(patient)]},
        "date": answer.instant(material.now),
        "author": [{"reference": author}],
        "title": title,
        "confidentiality": "N",
        "section": [
            _section(section, material, names)
            for section in narrative.sections()
            if section.required or section.name in material.sections
        ],
    }


def _section(section: narrative.Section, material: Material, names: Mapping[str, str]) -> Body:
    chosen = material.sections.get(section.name, Chosen())
    made: Body = {
        "title": section.title,
        "code": {
            "coding": [
                {"system": "http://loinc.org", "code": section.code, "display": section.display}
            ]
        },
        "text": narrative.of_section(section, chosen, material.others),
    }
    if chosen.entries:
        made["entry"] = [{"reference": names[address(body)]} for body in chosen.entries]
    else:
        # Not "nilknown": that nothing was recorded here does not say that nothing is known.
        made["emptyReason"] = {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
                    "code": "unavailable",
                    "display": "Unavailable",
                }
            ],
            "text": " ".join(narrative.word("empty", section.name)),
        }
    return made


def _device(material: Material) -> Body:
    """The hub itself, which made the document."""
    return {
        "resourceType": "Device",
        "id": "healthhub",
        "deviceName": [
            {"name": narrative.word("words", "system")[0], "type": "user-friendly-name"},
            {"name": "HealthHub", "type": "model-name"},
        ],
        "version": [{"value": __version__}],
        "url": material.base,
    }
