"""A client that nobody here wrote (fhirpy) does a whole visit's work against a running server."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

MRN = "https://example.org/mrn"


@pytest.fixture
def client(hub: httpx.Client, token: str) -> SyncFHIRClient:
    base = str(hub.base_url).rstrip("/")
    return SyncFHIRClient(f"{base}/fhir", authorization=f"Bearer {token}")


def test_a_visit_from_registration_to_discharge(client: SyncFHIRClient) -> None:
    # The desk: whoever registers twice is one patient; the second time brings a birth date.
    sent = {
        "identifier": [{"system": MRN, "value": "V-1"}],
        "name": [{"family": "赵", "given": ["试验"]}],
    }
    patients = client.resources("Patient").search(identifier=f"{MRN}|V-1")
    first, created = patients.update(client.resource("Patient", **sent))
    patient, again = patients.update(client.resource("Patient", birthDate="1980-02-29", **sent))
    assert (created, again) == (True, False)
    assert patient.id == first.id
    desk = SyncFHIRClient(
        client.url,
        authorization=client.authorization,
        extra_headers={"If-None-Exist": f"identifier={MRN}|V-1"},
    )
    third = desk.resource("Patient", **sent)
    third.save()
    assert (third.id, third["birthDate"]) == (patient.id, "1980-02-29")

    # The doctor: a visit, a diagnosis, results and a prescription in one transaction.
    doctor = client.resource("Practitioner", name=[{"text": "钱医生"}])
    doctor.save()
    visit = client.resource(
        "Encounter",
        status="in-progress",
        subject=patient.to_reference(),
        participant=[{"individual": doctor.to_reference()}],
        period={"start": "2026-03-01T08:30:00+08:00"},
        **{"class": {"code": "AMB"}},
    )
    visit.save()
    about = {
        "subject": patient.to_reference().serialize(),
        "encounter": visit.to_reference().serialize(),
    }
    diagnosis = f"urn:uuid:{uuid.uuid4()}"
    listed: list[dict[str, Any]] = [
        {
            "resourceType": "Condition",
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]},
        },
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
            "effectiveDateTime": "2026-03-01T08:40:00+08:00",
            "valueQuantity": {"value": 152, "unit": "mmHg"},
        },
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "氨氯地平片"},
            "reasonReference": [{"reference": diagnosis}],
        },
    ]
    answer = client.execute(
        "/",
        method="post",
        data={
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "fullUrl": diagnosis if number == 0 else f"urn:uuid:{uuid.uuid4()}",
                    "resource": each | about,
                    "request": {"method": "POST", "url": each["resourceType"]},
                }
                for number, each in enumerate(listed)
            ],
        },
    )
    assert [each["response"]["status"] for each in answer["entry"]] == ["201 Created"] * 3

    # The ward reads what there is, with what it refers to.
    results = client.resources("Observation").search(
        patient=patient.id, code="http://loinc.org|8480-6"
    )
    assert [each["valueQuantity"]["value"] for each in results.fetch_all()] == [152]
    found = (
        client.resources("MedicationRequest")
        .search(patient=patient.id)
        .include("MedicationRequest", "subject")
        .fetch_raw()
    )
    assert {each.resource.resource_type for each in found.entry} == {
        "MedicationRequest",
        "Patient",
    }
    prescription = client.resources("MedicationRequest").search(patient=patient.id).get()
    condition = client.resources("Condition").search(patient=patient.id).get()
    assert prescription["reasonReference"][0].reference == f"Condition/{condition.id}"

    # Discharge: the visit is closed, and its versions are there.
    visit["status"] = "finished"
    visit["period"]["end"] = "2026-03-01T09:10:00+08:00"
    visit.save()
    visit.refresh()
    assert visit["meta"]["versionId"] == "2"
    history = client.execute(f"Encounter/{visit.id}/_history", method="get")
    assert [each["resource"]["status"] for each in history["entry"]] == [
        "finished",
        "in-progress",
    ]
    record = client.execute(f"Patient/{patient.id}/$everything", method="get")
    kinds = sorted(each["resource"]["resourceType"] for each in record["entry"])
    assert kinds == [
        "Condition", "Encounter", "MedicationRequest", "Observation", "Patient", "Practitioner",
    ]  # fmt: skip

    # A mistake is taken back.
    prescription.delete()
    with pytest.raises(ResourceNotFound):
        client.reference("MedicationRequest", prescription.id).to_resource()
    with pytest.raises(OperationOutcome) as refused:
        client.resource("Observation", status="done", code={"text": "x"}).save()
    assert refused.value.resource["issue"][0]["expression"] == ["Observation.status"]
