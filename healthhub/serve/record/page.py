"""The whole record page: one pass over a person's resources, then one view for each part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from healthhub.clock import ZONE
from healthhub.model.resource import Body
from healthhub.serve.record.attention import Attention, attention
from healthhub.serve.record.completeness import Completeness, completeness
from healthhub.serve.record.ecgs import Ecg, ecgs, is_ecg
from healthhub.serve.record.imaging import Study, studies
from healthhub.serve.record.immunisations import Immunisation, immunisations
from healthhub.serve.record.medicines import Medicines, medicines
from healthhub.serve.record.observations import Histories, Reading, reading
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.person import Banner, banner
from healthhub.serve.record.problems import Problem, problems
from healthhub.serve.record.procedures import Procedure, procedures
from healthhub.serve.record.reading import Concept, codes, concept, reference_id
from healthhub.serve.record.reports import Report, documents, kind_of, reports, result_ids
from healthhub.serve.record.results import Panel, Row, order, panels, vital_signs
from healthhub.serve.record.settlements import Settlement, settlements
from healthhub.serve.record.visits import CANCELLED, Visit, visits

NOT_LABORATORY = frozenset(
    {"imaging", "social-history", "survey", "procedure", "exam", "activity"}
)
READ = (
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ExplanationOfBenefit",
    "ImagingStudy",
    "Immunization",
    "MedicationRequest",
    "MedicationStatement",
    "Media",
    "Observation",
    "Organization",
    "Location",
    "Practitioner",
    "Procedure",
)
"""The types that the page is made of; what it would not show is not read."""
CORRECTED_SHOWN = 40
"""So many corrected results, the latest, get their earlier values looked up."""


@dataclass(frozen=True, slots=True)
class Record:
    """All that the record page and its sections show."""

    banner: Banner
    completeness: Completeness
    attention: Attention
    problems: tuple[Problem, ...]
    medicines: Medicines
    panels: tuple[Panel, ...]
    vital_signs: tuple[Row, ...]
    readings: tuple[Reading, ...]
    visits: tuple[Visit, ...]
    reports: tuple[Report, ...]
    ecgs: tuple[Ecg, ...]
    studies: tuple[Study, ...]
    immunisations: tuple[Immunisation, ...]
    procedures: tuple[Procedure, ...]
    settlements: tuple[Settlement, ...]
    now: datetime

    @property
    def today(self) -> date:
        """The day of the page in the hub's zone."""
        return self.now.astimezone(ZONE).date()


def corrected_ids(resources: Iterable[Body]) -> list[str]:
    """Observations whose earlier versions the page needs, the latest first."""
    found = [
        body
        for body in resources
        if body["resourceType"] == "Observation"
        and body.get("status") in ("corrected", "amended")
    ]
    found.sort(key=lambda body: body.get("effectiveDateTime", ""), reverse=True)
    return [body["id"] for body in found[:CORRECTED_SHOWN]]


def record(
    resources: Iterable[Body],
    key: str,
    sources: Sources,
    now: datetime,
    histories: Histories | None = None,
) -> Record:
    """Build the record of the person whose resources these are; ``key`` was asked for."""
    of: dict[str, list[Body]] = {}
    for body in resources:
        of.setdefault(body["resourceType"], []).append(body)
    today = now.astimezone(ZONE).date()
    names = shared_names(of)
    observed = observe(of, sources, histories or {})
    prescribed = [*of.get("MedicationRequest", ()), *of.get("MedicationStatement", ())]
    drugs = medicines(prescribed, sources, today, names)
    head = banner(of["Patient"], of.get("AllergyIntolerance", ()), sources, today, key)
    filed = [
        *reports(of.get("DiagnosticReport", ()), observed.by_id, sources, names),
        *documents(of.get("DocumentReference", ()), sources, names),
    ]
    counted = ("Observation", "DiagnosticReport", "MedicationRequest", "DocumentReference")
    conditions = standing(of.get("Condition", ()), of.get("Encounter", ()))
    return Record(
        banner=head,
        completeness=completeness(of, sources),
        attention=attention(observed.laboratory, drugs.current, head.match.differing, now),
        problems=problems(conditions, sources),
        medicines=drugs,
        panels=panels(observed.laboratory, observed.reports),
        vital_signs=vital_signs(observed.vital),
        readings=tuple(observed.by_id.values()),
        visits=visits(
            of.get("Encounter", ()),
            of.get("Condition", ()),
            (body for kind in counted for body in of.get(kind, ())),
            sources,
            names,
        ),
        reports=tuple(
            sorted(
                filed, key=lambda item: item.at.at.timestamp() if item.at else 0.0, reverse=True
            )
        ),
        studies=studies(of.get("ImagingStudy", ()), of.get("Media", ()), sources),
        ecgs=ecgs(of.get("Observation", ()), of.get("DiagnosticReport", ()), sources),
        immunisations=immunisations(of.get("Immunization", ()), sources, names),
        procedures=procedures(of.get("Procedure", ()), sources),
        settlements=settlements(of.get("ExplanationOfBenefit", ()), sources, names),
        now=now,
    )


def standing(conditions: Sequence[Body], encounters: Sequence[Body]) -> list[Body]:
    """The diagnoses without those of visits that were cancelled: nobody made them."""
    cancelled = {
        f"Encounter/{body['id']}" for body in encounters if body.get("status") in CANCELLED
    }
    return [body for body in conditions if reference_id(body.get("encounter")) not in cancelled]


@dataclass(frozen=True, slots=True)
class Observed:
    """Readings by where they are shown; ``reports`` names the report of each."""

    by_id: dict[str, Reading]
    laboratory: list[Reading]
    vital: list[Reading]
    reports: dict[str, Concept]


def observe(
    of: Mapping[str, Sequence[Body]], sources: Sources, histories: Histories
) -> Observed:
    """Read all Observations and tell laboratory values, vital signs and passages apart."""
    named: dict[str, Concept] = {}
    elsewhere: set[str] = set()
    for report in of.get("DiagnosticReport", ()):
        title = concept(report.get("code"))
        ids = result_ids(report)
        if kind_of(report) != "laboratory":
            elsewhere.update(ids)
        for key in ids:
            named[key] = title
    seen = Observed({}, [], [], named)
    vital = order().vital
    for body in of.get("Observation", ()):
        if is_ecg(body):
            continue
        item = reading(body, sources, histories.get(body["id"], ()))
        seen.by_id[item.id] = item
        categories = codes(body.get("category"))
        if "vital-signs" in categories or item.analyte in vital:
            seen.vital.append(item)
        elif item.id not in elsewhere and not categories & NOT_LABORATORY:
            seen.laboratory.append(item)
    return seen


def shared_names(of: Mapping[str, Sequence[Body]]) -> dict[str, str]:
    """Names of organisations, places and people by ``Type/id``, as far as they came along."""
    names = {}
    for kind in ("Organization", "Location", "Practitioner"):
        for body in of.get(kind, ()):
            name = body.get("name")
            if isinstance(name, list):
                name = next((item.get("text", "") for item in name), "")
            names[f"{kind}/{body['id']}"] = name or ""
    return names
