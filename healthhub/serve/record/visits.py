"""The timeline of visits: when, where, why, and what belongs to each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.problems import DISCARDED
from healthhub.serve.record.reading import (
    Moment,
    codes,
    concept,
    concepts,
    display,
    moment,
    reference_id,
)

KINDS = {
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "SS": "inpatient",
    "EMER": "emergency",
    "AMB": "outpatient",
    "OBSENC": "emergency",
    "HH": "home",
    "VR": "remote",
}
"""Classes of v3 ActCode to the kinds that a filter offers; any other is "other"."""
CHECK_UP = "185349003"
"""SNOMED CT: encounter for check up."""
TIMES = "https://healthhub.dev/fhir/StructureDefinition/emergency-times"
MARKS = frozenset(
    "call dispatch departure scene-arrival scene-departure hospital-arrival handover".split()
)
CANCELLED = frozenset({"cancelled", "entered-in-error"})


_NUMBER = re.compile(r"[A-Z]{0,3}\d+")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis of the visit; the main one comes first."""

    id: str
    name: str
    main: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of time of an ambulance's trip: ``call``, ``scene-arrival`` and so on."""

    name: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Visit:
    """One encounter. ``results``, ``reports`` and ``medicines`` count what belongs to it."""

    id: str
    kind: str
    start: Moment | None
    end: Moment | None
    days: int
    department: str
    doctor: str
    reason: str
    diagnoses: tuple[Diagnosis, ...]
    results: int
    reports: int
    medicines: int
    cancelled: bool
    under_way: bool
    origin: Origin
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter and how many visits it would show."""

    value: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The visits that pass the filters, the latest first, and the filters themselves."""

    visits: tuple[Visit, ...]
    total: int
    institutions: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    institution: str
    kind: str

    def first(self, count: int) -> tuple[Visit, ...]:
        """The latest so many."""
        return self.visits[:count]


def visits(
    encounters: Sequence[Body],
    conditions: Sequence[Body],
    belonging: Iterable[Body],
    sources: Sources,
    names: dict[str, str],
) -> tuple[Visit, ...]:
    """All visits, the latest first. ``belonging`` are the resources to count."""
    counted = Counter(
        (reference_id(body.get("encounter") or body.get("context")), body["resourceType"])
        for body in belonging
    )
    by_id = {f"Condition/{body['id']}": body for body in conditions}
    of_visit: dict[str, list[Body]] = {}
    for body in conditions:
        of_visit.setdefault(reference_id(body.get("encounter")), []).append(body)
    found = [
        _visit(body, _diagnoses(body, by_id, of_visit), counted, sources, names)
        for body in encounters
    ]
    return tuple(sorted(found, key=_started, reverse=True))


def timeline(found: Sequence[Visit], institution: str = "", kind: str = "") -> Timeline:
    """The visits of an institution and a kind; "" passes all."""
    places = Counter((visit.origin.institution, visit.origin.short) for visit in found)
    kinds = Counter(visit.kind for visit in found)
    shown = tuple(
        visit
        for visit in found
        if (not institution or visit.origin.institution == institution)
        and (not kind or visit.kind == kind)
    )
    return Timeline(
        shown,
        len(found),
        tuple(Choice(code, title, count) for (code, title), count in places.most_common()),
        tuple(Choice(code, "", count) for code, count in kinds.most_common()),
        institution,
        kind,
    )


def _visit(
    body: Body,
    diagnoses: tuple[Diagnosis, ...],
    counted: Counter[tuple[str, str]],
    sources: Sources,
    names: dict[str, str],
) -> Visit:
    period = body.get("period", {})
    start, end = moment(period.get("start")), moment(period.get("end"))
    kind = KINDS.get(body.get("class", {}).get("code", ""), "other")
    if CHECK_UP in codes(body.get("type")):
        kind = "checkup"
    here = f"Encounter/{body['id']}"
    return Visit(
        id=body["id"],
        kind=kind,
        start=start,
        end=end if kind == "inpatient" else None,
        days=(end.date - start.date).days if start and end else 0,
        department=_department(body, names),
        doctor=_doctor(body, names),
        reason="；".join(item.label("zh") for item in concepts(body.get("reasonCode")) if item),
        diagnoses=diagnoses,
        results=counted[(here, "Observation")],
        reports=counted[(here, "DiagnosticReport")] + counted[(here, "DocumentReference")],
        medicines=counted[(here, "MedicationRequest")],
        cancelled=body.get("status") in CANCELLED,
        under_way=body.get("status") in ("arrived", "triaged", "in-progress", "onleave"),
        origin=sources.of(body),
        marks=_marks(body),
    )


def _marks(body: Body) -> tuple[Mark, ...]:
    """The times of a 120 trip, in the order that they are told in."""
    parts = (
        part
        for each in body.get("extension", ())
        if each.get("url") == TIMES
        for part in each.get("extension", ())
    )
    found = ((part.get("url"), moment(part.get("valueDateTime"))) for part in parts)
    return tuple(Mark(name, at) for name, at in found if name in MARKS and at is not None)


def _department(body: Body, names: dict[str, str]) -> str:
    """The department: where the visit took place, else the service, else who served it. A place
    that is told by its number alone gives way to what has a name."""
    places = [display(item.get("location"), names) for item in body.get("location", ())]
    told = [
        *reversed(places),
        concept(body.get("serviceType")).label("zh"),
        display(body.get("serviceProvider"), names),
    ]
    named = [name for name in told if name and not _NUMBER.fullmatch(name)]
    return next(iter(named or filter(None, told)), "")


def _doctor(body: Body, names: dict[str, str]) -> str:
    """The attending doctor, else anyone who took part."""
    ranked = sorted(
        body.get("participant", ()),
        key=lambda item: "ATND" not in codes(item.get("type")),
    )
    shown = (display(item.get("individual"), names) for item in ranked)
    return next((name for name in shown if name), "")


def _diagnoses(
    body: Body, by_id: dict[str, Body], of_visit: dict[str, list[Body]]
) -> tuple[Diagnosis, ...]:
    """Those that the visit lists by rank, then those that point at the visit."""
    found: dict[str, Diagnosis] = {}
    listed = sorted(body.get("diagnosis", ()), key=lambda item: item.get("rank", 99))
    for place, item in enumerate(listed):
        target = by_id.get(reference_id(item.get("condition")))
        if target is not None:
            _add(found, target, main=place == 0)
    for target in of_visit.get(f"Encounter/{body['id']}", ()):
        _add(found, target, main=False)
    return tuple(found.values())


def _add(found: dict[str, Diagnosis], condition: Body, *, main: bool) -> None:
    name = concept(condition.get("code")).label("zh")
    if name and not DISCARDED & codes(condition.get("verificationStatus")):
        found.setdefault(name, Diagnosis(condition["id"], name, main))


def _started(visit: Visit) -> float:
    return visit.start.at.timestamp() if visit.start else 0.0
