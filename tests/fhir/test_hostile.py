"""What is sent to break the service gets an answer below 500, and costs no more than others."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import httpx
import pytest

from healthhub.bulk import inputs
from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.serve.fhir.places import places
from healthhub.settings import Bulk, Subscriptions
from healthhub.subscriptions import wanted

NESTED = [
    "Patient.name.where(" + "(" * 480 + "use='x'" + ")" * 480 + ")",
    "Patient.name" + ".where(name" * 90,
    "Patient" + ".where(" * 140 + "x" + ")" * 140,
]


@pytest.mark.parametrize("path", NESTED)
def test_a_path_of_a_patch_that_nests_without_end_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        places({"resourceType": "Patient", "name": [{"use": "x"}]}, path)


@pytest.mark.parametrize(
    "manifest",
    [
        {"resourceType": "Parameters", "parameter": 5},
        {"resourceType": "Parameters", "parameter": [{"name": "input", "part": 5}]},
        {"resourceType": "Parameters", "parameter": [7]},
        {"inputFormat": [], "input": [{"url": "file:x"}]},
        {"inputFormat": "ndjson", "input": [{"url": "file:x\u0000"}]},
        {"inputFormat": "ndjson", "input": [{"url": "file:" + "x" * 5000}]},
        {"inputFormat": "ndjson", "input": [{"type": [], "url": "file:x"}]},
        {"inputFormat": "ndjson", "input": [{"url": "local:/etc/passwd"}]},
        {"inputFormat": "ndjson", "input": [{"url": "http://[::1"}]},
    ],
)
def test_an_import_that_is_no_manifest_is_refused(
    shared_hub: httpx.Client, manifest: dict[str, Any]
) -> None:
    answer = shared_hub.post(
        "/fhir/$import", json=manifest, headers={"prefer": "respond-async"}
    )
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("name", ["x\0", "../x", "/etc/passwd", "", "x" * 5000, "a/../../x"])
def test_an_import_reads_nothing_beside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "x").write_text("{}")
    with pytest.raises(Unprocessable):
        inputs.require(f"file:{name}", Bulk(import_folder=folder))


@pytest.mark.parametrize("end", ["2026-06-30T23:59:60Z", "2026-06-30T24:00:00Z"])
def test_an_end_that_no_clock_shows_is_refused(end: str) -> None:
    body = {
        "resourceType": "Subscription",
        "criteria": "Patient?active=true",
        "end": end,
        "channel": {"type": "rest-hook", "endpoint": "http://there.test/x"},
    }
    with pytest.raises(Unprocessable):
        wanted.read(body, Subscriptions(allow=["http://there.test"]), {})


def test_a_torn_gzip_file_is_told_after_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    path.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-20])
    with pytest.raises(InvalidRequest, match="no whole gzip"):
        list(inputs.lines(path, 0, 10**9))


def test_a_condition_in_characters_beyond_ascii_finds_what_is_there(
    shared_hub: httpx.Client,
) -> None:
    body = {"resourceType": "Patient", "identifier": [{"system": "urn:院", "value": "一"}]}
    condition = "identifier=urn:院|一"
    entry = {"resource": body, "request": {"method": "POST", "url": "Patient"}}
    entry["request"]["ifNoneExist"] = condition
    ids = set()
    for kind in ("batch", "transaction", "batch"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
        answer = shared_hub.post("/fhir", json=bundle).json()["entry"][0]["response"]
        ids.add(answer["location"].split("/_history")[0].rpartition("/")[2])
    alone = shared_hub.post(
        "/fhir/Patient", json=body, headers={"if-none-exist": condition.encode()}
    )
    ids.add(alone.json()["id"])
    assert len(ids) == 1
