"""The hub's profiles are in the store and in the CapabilityStatement, once each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from asking import issues

from healthhub.errors import MappingError
from healthhub.publish import publish
from healthhub.settings import PACKAGE_ROOT
from healthhub.terms import shipped

MAPPINGS = PACKAGE_ROOT / "mappings"
HUB = "https://healthhub.dev/fhir/"


def test_a_profile_is_found_by_its_address_and_published_twice_it_has_one_version(
    hub: httpx.Client, database: str
) -> None:
    count = publish(database, MAPPINGS)
    assert publish(database, MAPPINGS) == count == len(shipped.of_nation(MAPPINGS))
    found = hub.get(
        "/fhir/StructureDefinition", params={"url": f"{HUB}StructureDefinition/hub-patient"}
    ).json()
    (entry,) = found["entry"]
    assert entry["resource"]["meta"]["versionId"] == "1"
    assert entry["fullUrl"].endswith("/StructureDefinition/hub-patient")
    nations = hub.get(f"/fhir/ValueSet/$expand?url={HUB}ValueSet/gb-3304&filter=土家")
    assert [one["code"] for one in nations.json()["expansion"]["contains"]] == ["15"]


def test_a_changed_copy_is_replaced_at_the_next_start(hub: httpx.Client, database: str) -> None:
    publish(database, MAPPINGS)
    body = hub.get("/fhir/StructureDefinition/hub-task").json()
    hub.put("/fhir/StructureDefinition/hub-task", json=body | {"title": "changed"})
    publish(database, MAPPINGS)
    assert hub.get("/fhir/StructureDefinition/hub-task").json()["title"] == body["title"]


def test_the_capability_statement_names_the_profiles_of_each_type(
    shared_hub: httpx.Client,
) -> None:
    statement = shared_hub.get("/fhir/metadata").json()
    supported = {
        one["type"]: one["supportedProfile"]
        for one in statement["rest"][0]["resource"]
        if "supportedProfile" in one
    }
    assert supported["Patient"] == [f"{HUB}StructureDefinition/hub-patient"]
    assert f"{HUB}StructureDefinition/hub-observation-laboratory" in supported["Observation"]
    assert set(supported) >= set(
        "Encounter Condition MedicationRequest ServiceRequest Task Organization "
        "Practitioner".split()
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hub-observation-vital-sign.blood-pressure", ("information", "informational", "")),
        (
            "hub-observation-vital-sign.bad-kilopascal",
            ("error", "code-invalid", "Observation.component[0].valueQuantity"),
        ),
    ],
)
def test_validate_knows_the_hubs_profiles_with_all_they_are_based_on(
    shared_hub: httpx.Client, name: str, expected: tuple[str, str, str]
) -> None:
    path = MAPPINGS / "national" / "profiles" / "examples" / f"{name}.json"
    answer = shared_hub.post(
        "/fhir/Observation/$validate",
        params={"profile": f"{HUB}StructureDefinition/{name.partition('.')[0]}"},
        json=json.loads(path.read_text(encoding="utf-8")),
    )
    assert issues(answer) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"resourceType":"ValueSet"}',
        '{"resourceType":"ValueSet","id":"x","url":"urn:x","status":"maybe"}',
    ],
)
def test_a_file_that_is_no_resource_stops_the_start_by_name(
    database: str, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "national" / "profiles"
    shutil.copytree(MAPPINGS / "national" / "profiles", folder)
    (folder / "broken.json").write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=r"broken\.json|urn:x"):
        publish(database, tmp_path)


def test_a_folder_without_profiles_publishes_none(database: str, tmp_path: Path) -> None:
    assert publish(database, tmp_path) == 0
