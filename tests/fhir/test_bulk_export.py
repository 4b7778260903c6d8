"""Bulk export does as Bulk Data Access 2.0 says, of one moment, for its own client alone."""

from __future__ import annotations

import base64
import gzip
import random
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from serving import copied

from healthhub.access import Role
from healthhub.bulk import export, parts, process
from healthhub.settings import Settings
from healthhub.store import past
from tests.fhir.bulk import (
    ASYNC,
    at_work,
    exported,
    group,
    ids,
    kicked,
    lines,
    manifest,
    member,
    observation,
    outcome,
    parameters,
    patient,
    put,
    serving,
    settings_of,
    token,
)


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here takes its time and then tarries."""
    monkeypatch.setattr(past, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


@pytest.fixture
def hub(database: str, settings: Settings) -> Iterator[httpx.Client]:
    """A client of a hub whose bulk process is at work."""
    with serving(settings, database) as client, at_work(settings, database):
        yield client


@pytest.fixture
def idle(database: str, settings: Settings) -> Iterator[httpx.Client]:
    """A client of a hub whose bulk process does not run."""
    with serving(settings, database) as client:
        yield client


@pytest.fixture(scope="module")
def refusing(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client that tests share which enter no job."""
    settings = settings_of(tmp_path_factory.mktemp("hub"))
    with copied(server_dsn, template) as database, serving(settings, database) as client:
        yield client


def issue(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"].startswith("application/fhir+json")
    return answer.json()["issue"][0]


def test_the_whole_store_comes_out_byte_for_byte_in_a_file_for_each_type(
    hub: httpx.Client,
) -> None:
    put(hub, patient("a"))
    put(hub, observation("o1", "a"))
    put(hub, observation("o1", "a", "第二版"))
    put(hub, observation("o2", "a"))
    put(hub, {"resourceType": "Organization", "id": "org", "name": "江城"})
    hub.delete("/fhir/Observation/o2")
    job = kicked(hub, "$export", {"_outputFormat": "application/fhir+ndjson"})
    told = manifest(hub, job)
    assert told["request"].endswith("/fhir/$export?_outputFormat=application%2Ffhir%2Bndjson")
    assert told["requiresAccessToken"] is True
    assert (told["error"], told["deleted"]) == ([], [])
    assert [file["type"] for file in told["output"]] == [
        "Observation",
        "Organization",
        "Patient",
    ]
    found = {file["type"]: hub.get(file["url"]).content for file in told["output"]}
    for path in ("Patient/a", "Observation/o1", "Organization/org"):
        assert found[path.partition("/")[0]] == hub.get(f"/fhir/{path}").content + b"\n"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"_type": "Patient"}, {"a", "b"}),
        ({"_type": "Patient,Organization"}, {"a", "b", "org"}),
        ([("_type", "Patient"), ("_type", "Organization")], {"a", "b", "org"}),
        ({"_type": "Observation", "_typeFilter": "Observation?status=final"}, {"o1"}),
        (
            {"_typeFilter": "Observation?status=final,Observation?status=amended"},
            {"a", "b", "org", "o1", "o2"},
        ),
        ({"_type": "Observation", "_typeFilter": "Observation?patient=b"}, {"o2"}),
        ({"_type": "Observation", "_typeFilter": "Observation?status=registered"}, set()),
    ],
)
def test_type_and_type_filter_narrow_an_export(
    hub: httpx.Client, params: Any, expected: set[str]
) -> None:
    for body in (
        patient("a"),
        patient("b"),
        observation("o1", "a"),
        observation("o2", "b", status="amended"),
        {"resourceType": "Organization", "id": "org", "name": "江城"},
    ):
        put(hub, body)
    assert ids(exported(hub, "$export", params)) == expected


def test_all_patients_leaves_out_what_belongs_to_none(hub: httpx.Client) -> None:
    put(hub, patient("a"))
    put(hub, observation("o1", "a"))
    put(hub, {"resourceType": "Organization", "id": "org", "name": "江城"})
    assert ids(exported(hub, "Patient/$export")) == {"a", "o1"}


def test_a_group_is_its_present_members_and_a_golden_patient_covers_its_sources(
    hub: httpx.Client,
) -> None:
    number = {"system": "urn:oid:2.16.156.10011.1.3", "value": "110101198001010010"}
    one = {"identifier": [number], "birthDate": "1980-01-01", "name": [{"text": "陈试验"}]}
    put(hub, patient("s1", **one))
    put(hub, patient("s2", **one))
    put(hub, observation("o1", "s1"))
    put(hub, observation("o2", "s2"))
    for other in ("left", "stranger"):
        put(hub, patient(other))
        put(hub, observation(f"o-{other}", other))
    found = hub.get("/fhir/Patient", params={"_tag": "golden"}).json()["entry"]
    golden = found[0]["resource"]["id"]
    put(hub, group("g", member(golden), member("left", inactive=True)))
    assert ids(exported(hub, "Group/g/$export")) == {golden, "s1", "s2", "o1", "o2"}
    assert ids(exported(hub, "Group/g/$export", {"_type": "Observation"})) == {"o1", "o2"}


def test_patient_parameters_narrow_a_group_and_refuse_a_stranger(hub: httpx.Client) -> None:
    for name in ("a", "b", "c"):
        put(hub, patient(name))
        put(hub, observation(f"o-{name}", name))
    put(hub, group("g", member("a"), member("b")))
    body = parameters(_type="Observation")
    body["parameter"].append({"name": "patient", "valueReference": {"reference": "Patient/a"}})
    assert ids(exported(hub, "Group/g/$export", body=body)) == {"o-a"}
    assert ids(exported(hub, "Patient/$export", body=body)) == {"o-a"}
    body["parameter"][-1] = {"name": "patient", "valueReference": {"reference": "Patient/c"}}
    answer = hub.post("/fhir/Group/g/$export", json=body, headers=ASYNC)
    assert (answer.status_code, issue(answer)["expression"]) == (400, ["patient"])


def test_since_gives_what_changed_after_and_bundles_of_what_was_deleted(
    hub: httpx.Client,
) -> None:
    for name in ("a", "b", "gone"):
        put(hub, patient(name))
    first = manifest(hub, kicked(hub, "$export"))
    put(hub, patient("b", gender="female"))
    put(hub, patient("c"))
    hub.delete("/fhir/Patient/gone")
    told = manifest(hub, kicked(hub, "$export", {"_since": first["transactionTime"]}))
    assert ids(lines(hub, told["output"])) == {"b", "c"}
    bundles = lines(hub, told["deleted"])
    entries = [entry for bundle in bundles for entry in bundle["entry"]]
    assert entries == [{"request": {"method": "DELETE", "url": "Patient/gone"}}]
    assert {bundle["type"] for bundle in bundles} == {"transaction"}


def test_elements_cuts_resources_down_and_marks_them(hub: httpx.Client) -> None:
    put(hub, patient("a", gender="female", birthDate="1980-01-01"))
    put(hub, observation("o", "a"))
    found = exported(hub, "$export", {"_elements": "Patient.gender,subject"})
    by_type = {one["resourceType"]: one for one in found}
    assert by_type["Patient"].keys() == {"resourceType", "id", "meta", "gender"}
    assert by_type["Observation"].keys() == {"resourceType", "id", "meta", "subject"}
    assert all(one["meta"]["tag"][-1]["code"] == "SUBSETTED" for one in found)


def test_what_changes_between_reading_and_filtering_is_filtered_as_it_was(
    database: str, settings: Settings, idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        put(idle, observation(f"o{number}", "a", status="final" if number < 3 else "amended"))
    page, turned = past.page, list[int]()

    def then_turned(*args: Any, **more: Any) -> Any:
        found = page(*args, **more)
        if found and not turned:
            turned.append(1)
            for number in range(6):
                status = "amended" if number < 3 else "final"
                put(idle, observation(f"o{number}", "a", status=status))
        return found

    monkeypatch.setattr(past, "page", then_turned)
    job = kicked(
        idle, "$export", {"_type": "Observation", "_typeFilter": "Observation?status=final"}
    )
    with at_work(settings, database):
        found = lines(idle, manifest(idle, job)["output"])
    assert turned
    assert ids(found) == {"o0", "o1", "o2"}
    assert {one["status"] for one in found} == {"final"}


def test_what_changes_after_the_kick_off_is_not_in_it_and_what_was_there_is(
    database: str, settings: Settings, idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export stands still after its first page; meanwhile everything is changed."""
    monkeypatch.setattr(export, "PAGE", 5)
    for number in range(20):
        put(idle, observation(f"o{number}", "a", "before"))
    paused, go_on = threading.Event(), threading.Event()
    bodies = past.bodies

    def held(*args: Any) -> list[bytes]:
        paused.set()
        assert go_on.wait(20)
        return bodies(*args)

    monkeypatch.setattr(past, "bodies", held)
    job = kicked(
        idle, "$export", {"_type": "Observation", "_typeFilter": "Observation?status=final"}
    )
    with at_work(settings, database):
        assert paused.wait(20)
        for number in range(20):
            if number % 3 == 0:
                idle.delete(f"/fhir/Observation/o{number}")
            else:
                put(idle, observation(f"o{number}", "b", "after", status="amended"))
        put(idle, observation("new", "a", "after"))
        go_on.set()
        found = lines(idle, manifest(idle, job)["output"])
    assert ids(found) == {f"o{number}" for number in range(20)}
    assert {one["valueString"] for one in found} == {"before"}


def test_a_version_of_before_that_is_committed_after_is_waited_for(
    database: str, settings: Settings, idle: httpx.Client
) -> None:
    put(idle, patient("a"))
    with psycopg.connect(database) as writer:
        writer.execute("update resource set updated = now() where type = 1")
        job = kicked(idle, "$export")
        with at_work(settings, database):
            waiting = "waiting for writers to finish"
            until = threading.Event()
            for _ in range(200):
                answer = idle.get(job)
                if answer.headers["x-progress"] == waiting:
                    break
                until.wait(0.05)
            writer.commit()
            told = manifest(idle, job)
    assert ids(lines(idle, told["output"])) == {"a"}


def test_files_come_as_gzip_or_plain_as_the_client_takes_them(hub: httpx.Client) -> None:
    put(hub, patient("a"))
    url = manifest(hub, kicked(hub, "$export"))["output"][0]["url"]
    with hub.stream("GET", url, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
    with hub.stream("GET", url, headers={"accept-encoding": "identity"}) as plain:
        text = b"".join(plain.iter_raw())
        assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == text == hub.get("/fhir/Patient/a").content + b"\n"


def test_a_file_is_given_to_who_asks_for_ndjson(hub: httpx.Client) -> None:
    put(hub, patient("a"))
    url = manifest(hub, kicked(hub, "$export"))["output"][0]["url"]
    answer = hub.get(url, headers={"accept": "application/fhir+ndjson"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/fhir+ndjson")


def test_large_resources_are_read_few_at_a_time(
    hub: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "PAGE_BYTES", 20_000)
    sizes: list[int] = []
    page = past.page

    def noted(*args: Any, **more: Any) -> Any:
        found = page(*args, **more)
        if found:
            sizes.append(len(found))
        return found

    monkeypatch.setattr(past, "page", noted)
    for number in range(6):
        data = base64.b64encode(random.Random(number).randbytes(9_000)).decode()
        body = {"resourceType": "Binary", "id": f"b{number}", "contentType": "image/png"}
        put(hub, body | {"data": data})
    assert len(ids(exported(hub, "$export", {"_type": "Binary"}))) == 6
    assert max(sizes) == 2
    sizes.clear()
    monkeypatch.setattr(past, "PAGE_BYTES", 10)
    assert len(ids(exported(hub, "$export", {"_type": "Binary"}))) == 6
    assert sizes == [1] * 6


def test_parts_are_closed_when_full(hub: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 4)
    monkeypatch.setattr(parts, "PART_BYTES", 1000)
    for number in range(20):
        put(hub, patient(f"p{number}"))
    told = manifest(hub, kicked(hub, "$export"))
    assert len(told["output"]) > 2
    assert len(ids(lines(hub, told["output"]))) == 20


def test_a_job_that_a_process_left_behind_goes_on_where_its_last_whole_file_ends(
    database: str, settings: Settings, idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 4)
    monkeypatch.setattr(parts, "PART_BYTES", 1000)
    for number in range(30):
        put(idle, patient(f"p{number}"))
    job = kicked(idle, "$export")
    whole = export.jobs.checkpoint
    made: list[str] = []

    def dying(conn: Any, number: int, files: Any, place: Any, handled: int) -> None:
        whole(conn, number, files, place, handled)
        made.extend(file.name for file in files)
        if len(made) == 2:
            raise psycopg.OperationalError("the process dies here")

    monkeypatch.setattr(export.jobs, "checkpoint", dying)
    with at_work(settings, database):
        found = lines(idle, manifest(idle, job)["output"])
    assert len(ids(found)) == 30
    assert len(made) == len(set(made)), "a file was made twice"


class Killed(BaseException):
    """What a process dies of."""


def test_a_job_that_kills_its_process_at_one_place_is_ended_after_the_third(
    database: str, settings: Settings, idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(idle, patient("p"))
    job = kicked(idle, "$export")

    def dying(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(export.Export, "run", dying)
        for _ in range(process.MOST_DEATHS):
            with pytest.raises(Killed):
                process.run(settings, database, threading.Event())
    later = kicked(idle, "$export")
    with at_work(settings, database):
        assert manifest(idle, later)["output"]
    answer = outcome(idle, job)
    assert answer.status_code == 500
    assert "processes died over this job" in answer.text


def test_a_store_that_goes_away_is_no_death(
    database: str, settings: Settings, idle: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(idle, patient("p"))
    job = kicked(idle, "$export")
    whole, lost = export.Export.run, [0]

    def losing(self: export.Export) -> None:
        lost[0] += 1
        if lost[0] <= process.MOST_DEATHS + 1:
            raise psycopg.OperationalError("the connection is lost")
        whole(self)

    monkeypatch.setattr(export.Export, "run", losing)
    monkeypatch.setattr(process.random, "uniform", lambda *_: 0.0)
    with at_work(settings, database):
        assert manifest(idle, job)["output"]


def test_delete_ends_a_job_and_removes_its_files(
    database: str, settings: Settings, idle: httpx.Client
) -> None:
    put(idle, patient("a"))
    job = kicked(idle, "$export")
    with at_work(settings, database):
        url = manifest(idle, job)["output"][0]["url"]
        assert list((settings.data_dir / "exports").iterdir())
        assert idle.delete(job).status_code == 202
        assert idle.get(job).status_code == 404
        assert idle.get(url).status_code == 404
        until = threading.Event()
        for _ in range(100):
            if not list((settings.data_dir / "exports").iterdir()):
                break
            until.wait(0.05)
    assert not list((settings.data_dir / "exports").iterdir())


def test_files_are_removed_when_their_time_is_over(database: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, keep_hours=0.00005)
    with serving(settings, database) as client:
        put(client, patient("a"))
        job = kicked(client, "$export")
        with at_work(settings, database):
            assert outcome(client, job).status_code == 200
        threading.Event().wait(0.3)
        with at_work(settings, database):
            outcome(client, job)
            for _ in range(100):
                if client.get(job).status_code == 404:
                    break
                threading.Event().wait(0.05)
        assert client.get(job).status_code == 404
        assert not list((tmp_path / "exports").iterdir())


def test_a_client_has_so_many_jobs_at_once_and_no_more(idle: httpx.Client) -> None:
    first = kicked(idle, "$export")
    kicked(idle, "$export")
    answer = idle.get("/fhir/$export", headers=ASYNC)
    assert (answer.status_code, issue(answer)["code"]) == (429, "throttled")
    assert int(answer.headers["retry-after"]) > 0
    idle.delete(first)
    kicked(idle, "$export")


def test_another_client_sees_neither_job_nor_files(hub: httpx.Client, database: str) -> None:
    put(hub, patient("a"))
    job = kicked(hub, "$export")
    url = manifest(hub, job)["output"][0]["url"]
    hub.headers["authorization"] = f"Bearer {token(database, 'other')}"
    assert [hub.get(job).status_code, hub.get(url).status_code] == [404, 404]
    assert hub.delete(job).status_code == 404
    del hub.headers["authorization"]
    assert [hub.get(job).status_code, hub.get(url).status_code] == [401, 401]


def test_an_export_needs_the_right_to_it_and_is_audited(
    hub: httpx.Client, database: str
) -> None:
    put(hub, patient("a"))
    url = manifest(hub, kicked(hub, "Patient/$export"))["output"][0]["url"]
    hub.get(url)
    hub.headers["authorization"] = f"Bearer {token(database, 'page', Role.CLINICIAN)}"
    hub.headers["purpose-of-use"] = "TREAT"
    refused = hub.get("/fhir/$export", headers=ASYNC)
    assert (refused.status_code, issue(refused)["code"]) == (403, "forbidden")
    with psycopg.connect(database) as conn:
        rows = conn.execute(
            "select outcome, query from audit_event where action = 'export' order by at, id"
        ).fetchall()
    assert rows[0][1].startswith("/Patient/$export ")
    assert any(query.endswith("/Patient.1.ndjson") for outcome, query in rows[:-1])
    assert rows[-1][0] == "denied"


@pytest.mark.parametrize(
    ("path", "params", "headers", "status", "expression"),
    [
        ("$export", {}, {}, 400, "Prefer"),
        ("$export", {"_outputFormat": "text/csv"}, ASYNC, 400, "_outputFormat"),
        ("$export", {"_since": "2026-03-01"}, ASYNC, 400, "_since"),
        ("$export", {"_type": "Human"}, ASYNC, 400, "_type"),
        ("$export", {"_typeFilter": "status=final"}, ASYNC, 400, "_typeFilter"),
        ("$export", {"_typeFilter": "Observation?colour=red"}, ASYNC, 400, "colour"),
        ("$export", {"_typeFilter": "Observation?_count=3"}, ASYNC, 400, "_typeFilter"),
        (
            "$export",
            {"_type": "Patient", "_typeFilter": "Observation?status=final"},
            ASYNC,
            400,
            "_typeFilter",
        ),
        ("$export", {"_elements": "name.family"}, ASYNC, 400, "_elements"),
        ("$export", {"patient": "Patient/a"}, ASYNC, 400, "patient"),
        (
            "Patient/$export",
            {"includeAssociatedData": "LatestProvenanceResources"},
            ASYNC,
            400,
            "includeAssociatedData",
        ),
        ("Group/none/$export", {}, ASYNC, 404, None),
    ],
)
def test_a_kick_off_that_cannot_be_done_is_refused_with_its_reason(
    refusing: httpx.Client,
    path: str,
    params: dict[str, str],
    headers: dict[str, str],
    status: int,
    expression: str | None,
) -> None:
    answer = refusing.get(f"/fhir/{path}", params=params, headers=headers)
    assert answer.status_code == status, answer.text
    assert issue(answer).get("expression", [None])[0] == expression


def test_lenient_handling_passes_over_what_is_not_supported(hub: httpx.Client) -> None:
    put(hub, patient("a"))
    lenient = {"prefer": "respond-async, handling=lenient"}
    params = {"includeAssociatedData": "LatestProvenanceResources"}
    job = kicked(hub, "Patient/$export", params, headers=lenient)
    assert ids(lines(hub, manifest(hub, job)["output"])) == {"a"}


def test_the_transaction_time_is_that_of_the_kick_off_or_later(hub: httpx.Client) -> None:
    stored = put(hub, patient("a"))
    told = manifest(hub, kicked(hub, "$export"))
    moment = datetime.fromisoformat(told["transactionTime"])
    assert moment >= datetime.fromisoformat(stored["meta"]["lastUpdated"])
