"""The province's platform: visits of the city's residents to the province's own hospitals, each as a
Bundle of FHIR R4 with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from healthhub.city import moments
from healthhub.city.body import YEAR
from healthhub.city.catalogue import DIAGNOSES, DRUGS, PANELS, Diagnosis
from healthhub.city.channels import Http
from healthhub.city.mishaps import mishap
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.places import PROVINCE
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Result

_BASE = "https://fhir.platform.example/r4"
_NUMBERS = "https://fhir.platform.example/sid/"
_SHARE = 0.09
"""Of residents, a year."""
_SHARES = {
    "profile-missed": 0.08,
    "garbage": 0.05,
    "resend-same": 0.1,
    "corrected": 0.08,
}
_UCUM = {"μmol/L": "umol/L", "mmol/L": "mmol/L", "%": "%"}
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_HOSPITAL: dict[str, Any] = {
    "resourceType": "Organization",
    "id": "sheng-1",
    "name": f"{PROVINCE}人民医院",
}
Body = dict[str, Any]


class ProvincialPlatform(System):
    """The platform."""

    about = About(
        source="provincial-platform",
        house="n",
        title="省全民健康信息平台",
        adapter="fhir",
        mapping="national/fhir",
        institution="province",
        institution_title=f"{PROVINCE}全民健康信息平台",
        kind="public",
    )
    channel = Http("fhir", "application/fhir+json", ".json")

    def history(self, person: Person) -> Iterator[Sent]:
        """A visit now and then; of the named resident one a year."""
        dice, at = person.dice, person.begin + person.dice.whole(40, 200) * DAY
        for count in range(1, 100):
            at += -(at % DAY) + dice.whole(9, 15) * HOUR + dice.whole(0, 59) * MINUTE
            if at > person.until - 2 * DAY:
                return
            goes = dice.chance(_SHARE) or person.named
            if goes and not person.busy(at, at + 2 * HOUR):
                yield from self._visited(person, at, count, spared=person.named)
            at += round(YEAR) + dice.whole(-30, 30) * DAY

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A visit that has just ended."""
        yield from self._visited(person, end - 30 * MINUTE, count, spared=True)

    def _visited(
        self, person: Person, at: Moment, count: int, *, spared: bool
    ) -> Iterator[Sent]:
        """A visit's Bundle, errors among it."""
        person.tally[f"visits.{self.house}"] += 1
        planted = mishap(person.dice, _SHARES, spared=spared)
        visit = _Visit(person, at, count)
        told = at + 25 * MINUTE
        number = f"N{person.resident.ordinal:08d}{count:07d}"
        sent = Sent(
            told,
            self.source,
            visit.bundle(told),
            "FHIR^message",
            number,
            person.resident.person,
        )
        if planted == "profile-missed":
            raw = visit.bundle(told, without_value=True)
            yield replace(sent, raw=raw, planted=planted, detail="Observation.value")
        elif planted == "corrected":
            detail = f"{number} Observation.value"
            yield replace(
                sent, raw=visit.bundle(told, tenfold=True), planted=planted, detail=detail
            )
            later = told + 3 * HOUR
            yield replace(
                sent, at=later, raw=visit.bundle(later), planted=planted, detail=detail
            )
        else:
            yield sent
        if planted == "garbage":
            yield replace(
                sent, raw=sent.raw[: len(sent.raw) // 2], person="", control=f"{number}X",
                planted=planted, accepted=False,
            )  # fmt: skip
        elif planted == "resend-same":
            yield replace(sent, at=sent.at + 40 * MINUTE, planted=planted)


class _Visit:
    """One visit, and the resources that tell of it."""

    def __init__(self, person: Person, at: Moment, count: int) -> None:
        self._resident, self._at = person.resident, at
        self._patient = f"r{person.resident.ordinal}"
        self._number = f"{person.resident.ordinal}-{count}"
        body = person.body
        ill = [key for key in body.since if key in DIAGNOSES and body.lasting(key, at) >= 0]
        self._diagnosis = DIAGNOSES[ill[0]] if ill else DIAGNOSES["checkup"]
        self._drugs = ("atorvastatin",) if ill else ()
        self._panels = [
            (PANELS[key], body.panel(PANELS[key], body.shifts(at)))
            for key in ("kidney", "lipid")
        ]

    def bundle(
        self, told: Moment, *, without_value: bool = False, tenfold: bool = False
    ) -> bytes:
        """The Bundle as it is told at a moment; its first result without a value, or with one that
        is ten times too large."""
        resources = [
            self._person(),
            _HOSPITAL,
            self._encounter(),
            self._condition(self._diagnosis),
        ]
        for panel, results in self._panels:
            coded = [r for r in results if r.item.loinc]
            own = [self._observation(panel.key, n, r) for n, r in enumerate(coded)]
            report = {
                "resourceType": "DiagnosticReport",
                "id": f"dr{self._number}-{panel.key}",
                "status": "final",
                "category": [_concept(f"{_TERMINOLOGY}v2-0074", "LAB")],
                "code": {**_concept("http://loinc.org", panel.loinc), "text": panel.name},
                "result": [{"reference": f"Observation/{each['id']}"} for each in own],
                **self._during("effectiveDateTime", self._at + HOUR),
                "issued": _spelt(self._at + 2 * HOUR),
            }
            resources += [*own, report]
        resources += [self._prescribed(key) for key in self._drugs]
        first = next(each for each in resources if each["resourceType"] == "Observation")
        if without_value:
            del first["valueQuantity"]
        if tenfold:
            first["valueQuantity"]["value"] *= 10
        entries = [
            {
                "fullUrl": f"{_BASE}/{each['resourceType']}/{each['id']}",
                "resource": {**each, "meta": {"lastUpdated": _spelt(told)}},
            }
            for each in resources
        ]
        return orjson.dumps(
            {
                "resourceType": "Bundle",
                "type": "collection",
                "identifier": {
                    "system": f"{_NUMBERS}bundle",
                    "value": f"b{self._number}-{told}",
                },
                "timestamp": _spelt(told),
                "entry": entries,
            }
        )

    def _person(self) -> Body:
        resident = self._resident
        return {
            "resourceType": "Patient",
            "id": self._patient,
            "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": resident.number}],
            "name": [{"text": resident.name}],
            "gender": "male" if resident.sex == "M" else "female",
            "birthDate": resident.birth.isoformat(),
        }

    def _encounter(self) -> Body:
        return {
            "resourceType": "Encounter",
            "id": f"e{self._number}",
            "identifier": [{"system": f"{_NUMBERS}visit", "value": f"MZ{self._number}"}],
            "status": "finished",
            "class": {
                "system": f"{_TERMINOLOGY}v3-ActCode",
                "code": "AMB",
                "display": "ambulatory",
            },
            "subject": {"reference": f"Patient/{self._patient}"},
            "period": {"start": _spelt(self._at), "end": _spelt(self._at + 2 * HOUR)},
            "serviceProvider": {
                "reference": "Organization/sheng-1",
                "display": _HOSPITAL["name"],
            },
        }

    def _condition(self, diagnosis: Diagnosis) -> Body:
        return {
            "resourceType": "Condition",
            "id": f"c{self._number}",
            "category": [_concept(f"{_TERMINOLOGY}condition-category", "encounter-diagnosis")],
            "code": {
                **_concept("urn:oid:2.16.156.10011.2.3.3.11", diagnosis.code),
                "text": diagnosis.name,
            },
            **self._during("recordedDate", self._at + HOUR),
        }

    def _observation(self, panel: str, n: int, result: Result) -> Body:
        item = result.item
        quantity = {"value": float(result.value.lstrip("<")), "unit": item.unit}
        if item.unit in _UCUM:
            quantity |= {"system": "http://unitsofmeasure.org", "code": _UCUM[item.unit]}
        low, high = item.range(self._resident.sex)
        return {
            "resourceType": "Observation",
            "id": f"o{self._number}-{panel}-{n}",
            "status": "final",
            "category": [_concept(f"{_TERMINOLOGY}observation-category", "laboratory")],
            "code": {**_concept("http://loinc.org", item.loinc), "text": item.name},
            **self._during("effectiveDateTime", self._at + HOUR),
            "valueQuantity": quantity,
            "referenceRange": [{"text": f"{low}-{high}"}],
        }

    def _prescribed(self, key: str) -> Body:
        drug = DRUGS[key]
        return {
            "resourceType": "MedicationRequest",
            "id": f"m{self._number}-{key}",
            "status": "completed",
            "intent": "order",
            "medicationCodeableConcept": {"text": drug.name},
            **self._during("authoredOn", self._at + HOUR),
            "dosageInstruction": [
                {"text": f"{drug.dose}{drug.unit} {drug.route} {drug.frequency}"}
            ],
        }

    def _during(self, when: str, at: Moment) -> Body:
        """Whose it is, in which visit, and when."""
        return {
            "subject": {"reference": f"Patient/{self._patient}"},
            "encounter": {"reference": f"Encounter/e{self._number}"},
            when: _spelt(at),
        }


def _concept(system: str, code: str) -> Body:
    return {"coding": [{"system": system, "code": code}]}


def _spelt(at: Moment) -> str:
    return moments.aware(at).isoformat()
