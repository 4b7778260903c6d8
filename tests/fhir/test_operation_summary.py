"""Patient/$summary is an International Patient Summary: complete, honest, without repeats."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import Body, put
from test_person import NUMBER, patient

from healthhub import clock
from healthhub.model import profiles, validate
from healthhub.model.r4 import invariants

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
LOINC = "http://loinc.org"
TODAY = clock.now().astimezone(clock.ZONE).date()


def days_ago(count: int) -> str:
    """A date."""
    return (TODAY - timedelta(days=count)).isoformat()


@cache
def ips() -> dict[str, Body]:
    """The profiles of IPS 2.0 (npm package hl7.fhir.uv.ips, CC0), cut down to their rules."""
    text = Path(__file__).with_name("ips_profiles.json").read_text(encoding="utf-8")
    return {one["url"]: one for one in json.loads(text)}


def concept(code: str, text: str, system: str = LOINC) -> Body:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}], "text": text}


def of(kind: str, fhir_id: str, subject: str, **more: Any) -> Body:
    """A resource of a patient."""
    element = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
    return {
        "resourceType": kind,
        "id": fhir_id,
        element: {"reference": f"Patient/{subject}"},
        **more,
    }


def result(fhir_id: str, subject: str, code: str, day: str, value: float, **more: Any) -> Body:
    """A laboratory result."""
    return of(
        "Observation",
        fhir_id,
        subject,
        status=more.pop("status", "final"),
        category=[
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": more.pop("category", "laboratory"),
                    }
                ]
            }
        ],
        code=concept(code, more.pop("text", code)),
        effectiveDateTime=day,
        valueQuantity={"value": value, "unit": "mmol/L"},
        **more,
    )


def condition(
    fhir_id: str, subject: str, code: str, day: str, status: str = "", **more: Any
) -> Body:
    """A diagnosis, as hospitals send it: mostly without a clinical status."""
    body = of(
        "Condition",
        fhir_id,
        subject,
        code=concept(code, more.pop("text", code), "http://hl7.org/fhir/sid/icd-10"),
        recordedDate=day,
        **more,
    )
    if status:
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        body["clinicalStatus"] = {"coding": [{"system": system, "code": status}]}
    return body


def order(fhir_id: str, subject: str, drug: str, day: str, **more: Any) -> Body:
    """A prescription."""
    return of(
        "MedicationRequest",
        fhir_id,
        subject,
        status=more.pop("status", "active"),
        intent="order",
        medicationCodeableConcept={"text": drug},
        authoredOn=day,
        **more,
    )


def sent() -> list[Body]:
    """Two hospitals' records of one person."""
    return [
        {"resourceType": "Organization", "id": "lab", "name": "江城医院检验科"},
        {"resourceType": "Practitioner", "id": "doc", "name": [{"text": "赵医生"}]},
        patient("a", "陈<试验>"),
        patient("b", "陈<试验>"),
        of("Specimen", "sp", "a", type={"text": "血清"}),
        result("g-old", "a", "2345-7", days_ago(400), 5.1, text="血糖"),
        result(
            "g-new", "b", "2345-7", days_ago(3), 7.25, text="葡萄糖",
            performer=[{"reference": "Organization/lab"}],
            specimen={"reference": "Specimen/sp"}, encounter={"reference": "Encounter/e"},
        ),
        result("wrong", "a", "2160-0", days_ago(2), 9, status="entered-in-error"),
        result("ancient", "a", "718-7", "2001-01-01", 9),
        result("bp", "a", "8867-4", days_ago(1), 70, category="vital-signs", text="心率"),
        result("smoke", "b", "72166-2", days_ago(90), 1, category="social-history", text="吸烟"),
        result("preg", "b", "82810-3", days_ago(90), 1, text="妊娠状态"),
        condition("c1", "a", "I10", days_ago(100), text="高血压"),
        condition("c2", "b", "I10", days_ago(20), "active", text="原发性高血压"),
        condition("c6", "a", "J06", days_ago(300), text="上呼吸道感染"),
        condition("c7", "a", "E11", days_ago(700), text="2型糖尿病"),
        condition("c8", "b", "E11", days_ago(300), text="糖尿病"),
        condition("c9", "b", "Z00.0", days_ago(3), text="健康查体"),
        condition("c3", "a", "J18", days_ago(2000), text="肺炎"),
        condition("c4", "a", "K35", days_ago(30), "resolved", text="阑尾炎"),
        condition(
            "c5", "a", "C34", days_ago(5), text="肺癌",
            verificationStatus={
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                        "code": "refuted",
                    }
                ]
            },
        ),
        order("m1", "a", "氨氯地平片", days_ago(40)),
        order("m2", "b", "氨氯地平片", days_ago(4), requester={"reference": "Practitioner/doc"}),
        order("m3", "a", "青霉素", days_ago(900)),
        order("m4", "a", "头孢", days_ago(4), status="cancelled"),
        of(
            "Immunization", "v1", "a", status="completed", vaccineCode={"text": "乙肝疫苗"},
            occurrenceDateTime=days_ago(30), protocolApplied=[{"doseNumberPositiveInt": 2}],
        ),
        of(
            "Immunization", "v2", "b", status="completed", vaccineCode={"text": "乙肝疫苗"},
            occurrenceDateTime=f"{days_ago(30)}T08:00:00+08:00",
        ),
        of(
            "Procedure", "p1", "b", status="completed", code={"text": "阑尾切除术"},
            performedDateTime=days_ago(30),
        ),
        of(
            "DiagnosticReport", "r1", "a", status="final", code={"text": "胸部CT"},
            effectiveDateTime=days_ago(6), conclusion="未见异常",
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def golden(shared_hub: httpx.Client) -> str:
    """The id of the golden Patient of that record."""
    put(shared_hub, *sent())
    found = shared_hub.get("/fhir/Patient", params={"identifier": NUMBER}).json()["entry"]
    (made,) = {entry["resource"]["id"] for entry in found} - {"a", "b"}
    return made


def summary(hub: httpx.Client, path: str) -> Body:
    """The document of an answer."""
    answer = hub.get(f"/fhir/Patient/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def sections(document: Body) -> dict[str, Body]:
    """The sections by LOINC code."""
    return {
        one["code"]["coding"][0]["code"]: one
        for one in document["entry"][0]["resource"]["section"]
    }


def listed(document: Body, code: str) -> list[str]:
    """The ids of a section's entries."""
    held = {one["fullUrl"]: one["resource"]["id"] for one in document["entry"][1:]}
    return [held[one["reference"]] for one in sections(document)[code].get("entry", [])]


def every_reference(value: Any) -> list[str]:
    """All references in a value."""
    if isinstance(value, list):
        return [found for one in value for found in every_reference(one)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [found for child in value.values() for found in every_reference(child)]


def test_it_is_a_document_that_meets_r4_and_the_profiles_of_the_ips(
    shared_hub: httpx.Client, golden: str
) -> None:
    document = summary(shared_hub, f"{golden}/$summary")
    assert document["type"] == "document"
    assert document["identifier"]["value"].startswith("urn:uuid:")
    assert document["timestamp"]
    validate.check(document)
    assert [one for one in invariants.check(document) if one.severity == "error"] == []
    known = profiles.Known(ips().get, lambda _: None)
    by_type = {
        "Observation": "Observation-results-laboratory-pathology",
        "Device": "",
        "DiagnosticReport": "DiagnosticReport",
    }
    judged = 0
    for entry in document["entry"]:
        body = entry["resource"]
        kind = by_type.get(body["resourceType"], body["resourceType"])
        if body["id"] in ("bp", "smoke", "preg") if "id" in body else False:
            kind = ""
        if kind:
            faults = profiles.check(body, ips()[f"{IPS}{kind}-uv-ips"], known)
            assert [one for one in faults if one.severity == "error"] == []
            judged += 1
    assert judged > 10


def test_the_sections_have_the_codes_of_the_ips_and_a_text_in_both_languages(
    shared_hub: httpx.Client, golden: str
) -> None:
    document = summary(shared_hub, f"{golden}/$summary")
    composition = document["entry"][0]["resource"]
    assert composition["type"]["coding"][0]["code"] == "60591-5"
    assert list(sections(document)) == [
        "48765-2",
        "11450-4",
        "10160-0",
        "11369-6",
        "30954-2",
        "47519-4",
        "11348-0",
        "10162-6",
        "29762-2",
        "8716-3",
    ]
    medication = sections(document)["10160-0"]
    assert medication["title"] == "用药 Medication Summary"
    assert "<th>项目 What</th>" in medication["text"]["div"]
    assert "氨氯地平片" in medication["text"]["div"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("30954-2", ["g-new", "r1"]),
        ("8716-3", ["bp"]),
        ("29762-2", ["smoke"]),
        ("10162-6", ["preg"]),
        ("11450-4", ["c2", "c8"]),
        ("11348-0", ["c4", "c6", "c3"]),
        ("10160-0", ["m2"]),
        ("11369-6", ["v2"]),
        ("47519-4", ["p1"]),
        ("48765-2", []),
    ],
)
def test_a_golden_patients_sources_are_covered_and_repeats_are_one(
    shared_hub: httpx.Client, golden: str, code: str, expected: list[str]
) -> None:
    assert listed(summary(shared_hub, f"{golden}/$summary"), code) == expected


def test_a_sources_own_summary_is_its_own(shared_hub: httpx.Client, golden: str) -> None:
    document = summary(shared_hub, "a/$summary")
    assert listed(document, "30954-2") == ["r1", "g-old"]
    assert listed(document, "10160-0") == ["m1"]
    assert golden not in json.dumps(document)


def test_references_resolve_in_the_document_or_are_whole_addresses(
    shared_hub: httpx.Client, golden: str
) -> None:
    document = summary(shared_hub, f"{golden}/$summary")
    urls = [one["fullUrl"] for one in document["entry"]]
    found = {
        reference for one in document["entry"] for reference in every_reference(one["resource"])
    }
    outside = found - set(urls)
    assert outside == {"http://hub.test/fhir/Encounter/e"}
    assert len(urls) == len(set(urls))
    unnamed = set(urls[1:]) - found
    assert unnamed == set()
    kinds = [one["resource"]["resourceType"] for one in document["entry"]]
    assert kinds.count("Patient") == 1
    assert {"Organization", "Practitioner", "Specimen"} <= set(kinds)


def test_digits_stay_as_they_were_and_names_are_escaped(
    shared_hub: httpx.Client, golden: str
) -> None:
    text = shared_hub.get(f"/fhir/Patient/{golden}/$summary").text
    assert '"value":7.25' in text
    assert "陈&lt;试验&gt;" in text


def test_not_recorded_is_not_none_known(shared_hub: httpx.Client) -> None:
    put(shared_hub, {"resourceType": "Patient", "id": "bare"})
    document = summary(shared_hub, "bare/$summary")
    for code in ("48765-2", "11450-4", "10160-0"):
        section = sections(document)[code]
        assert section["emptyReason"]["coding"][0]["code"] == "unavailable"
        assert "entry" not in section
        assert "does not mean" in section["text"]["div"]
    subject = document["entry"][1]["resource"]
    assert subject["_birthDate"]["extension"][0]["valueCode"] == "unknown"
    known = profiles.Known(ips().get, lambda _: None)
    faults = profiles.check(subject, ips()[f"{IPS}Patient-uv-ips"], known)
    assert [one for one in faults if one.severity == "error"] == []


@pytest.mark.parametrize(("more", "expected"), [([], ["no"]), ([("real", "青霉素")], ["real"])])
def test_none_known_is_told_while_nothing_else_is_known(
    hub: httpx.Client, more: list[tuple[str, str]], expected: list[str]
) -> None:
    put(hub, {"resourceType": "Patient", "id": "p"})
    put(hub, of("AllergyIntolerance", "no", "p", code={"text": "否认药物过敏史"}))
    for fhir_id, text in more:
        put(hub, of("AllergyIntolerance", fhir_id, "p", code={"text": text}))
    document = summary(hub, "p/$summary")
    assert listed(document, "48765-2") == expected
    said = "none known" in sections(document)["48765-2"]["text"]["div"]
    assert said is (expected == ["no"])


def test_it_is_asked_by_identifier_too(shared_hub: httpx.Client, golden: str) -> None:
    document = summary(shared_hub, f"$summary?identifier={NUMBER}")
    assert document["entry"][1]["resource"]["id"] == golden


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("none/$summary", 404),
        ("$summary", 400),
        ("$summary?identifier=0000", 404),
        ("a/$summary?profile=urn:other", 400),
        (f"a/$summary?profile={IPS}Composition-uv-ips", 200),
        ("a/$summary?colour=red", 400),
    ],
)
def test_what_cannot_be_summed_up_is_refused(
    shared_hub: httpx.Client, golden: str, path: str, status: int
) -> None:
    assert shared_hub.get(f"/fhir/Patient/{path}").status_code == status
