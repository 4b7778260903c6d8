"""Bulk import stores what clients' updates would, names each wrong line, and repeats nothing."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.errors import OperationalError
from serving import copied

from healthhub import cli, outbound
from healthhub.access import Role
from healthhub.bulk import importing, process
from healthhub.errors import Unprocessable
from healthhub.settings import Settings
from tests.fhir.bulk import (
    ASYNC,
    at_work,
    kicked,
    lines,
    manifest,
    observation,
    outcome,
    patient,
    serving,
    settings_of,
    token,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "imports"
    made.mkdir()
    return made


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    return settings_of(tmp_path / "data", import_folder=folder)


@pytest.fixture
def idle(database: str, settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings, database) as client:
        yield client


@pytest.fixture
def hub(database: str, settings: Settings, idle: httpx.Client) -> Iterator[httpx.Client]:
    with at_work(settings, database):
        yield idle


@pytest.fixture(scope="module")
def refusing(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client that tests share which enter no job."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "imports").mkdir()
    (folder / "secret").write_text("{}")
    (folder / "imports" / "link").symlink_to(folder / "secret")
    settings = settings_of(folder, import_folder=folder / "imports")
    with copied(server_dsn, template) as database, serving(settings, database) as client:
        yield client


def ndjson(*bodies: dict[str, Any] | str) -> bytes:
    texts = [one if isinstance(one, str) else json.dumps(one) for one in bodies]
    return "".join(f"{text}\n" for text in texts).encode()


def wanted(*files: tuple[str, str]) -> dict[str, Any]:
    """The kick-off as a Parameters."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
            {"name": "inputSource", "valueUri": "http://example.org"},
            *(
                {
                    "name": "input",
                    "part": [
                        {"name": "type", "valueCode": kind},
                        {"name": "url", "valueUri": url},
                    ],
                }
                for kind, url in files
            ),
        ],
    }


def test_what_only_the_hub_says_is_left_out_of_the_lines(
    hub: httpx.Client, folder: Path
) -> None:
    golden = {"system": "https://healthhub.dev/fhir/record", "code": "golden"}
    meta = {"source": "urn:healthhub:source:his-a#1", "tag": [golden]}
    (folder / "p.ndjson").write_bytes(ndjson(patient("a", meta=meta)))
    told = manifest(hub, kicked(hub, "$import", body=wanted(("Patient", "file:p.ndjson"))))
    assert told["output"][0]["count"] == 1
    body = hub.get("/fhir/Patient/a").json()
    assert body["meta"].keys() == {"versionId", "lastUpdated"}


def test_files_are_stored_and_the_same_files_again_change_nothing(
    hub: httpx.Client, folder: Path
) -> None:
    (folder / "p.ndjson").write_bytes(ndjson(patient("a"), patient("b")))
    results = [observation(f"o{n}", "a", str(n)) for n in range(600)]
    (folder / "o.ndjson.gz").write_bytes(gzip.compress(ndjson(*results)))
    body = wanted(("Patient", "file:p.ndjson"), ("Observation", "file:o.ndjson.gz"))
    for _ in range(2):
        told = manifest(hub, kicked(hub, "$import", body=body))
        assert told["output"] == [
            {"type": "Patient", "inputUrl": "file:p.ndjson", "count": 2},
            {"type": "Observation", "inputUrl": "file:o.ndjson.gz", "count": 600},
        ]
        assert told["error"] == []
    stored = hub.get("/fhir/Observation/o599").json()
    assert (stored["valueString"], stored["meta"]["versionId"]) == ("599", "1")
    found = hub.get("/fhir/Observation", params={"patient": "a", "_total": "accurate"}).json()
    assert found["total"] == 600


def test_the_json_manifest_is_understood_too(hub: httpx.Client, folder: Path) -> None:
    (folder / "p.ndjson").write_bytes(ndjson(patient("a")))
    body = {
        "inputFormat": "application/fhir+ndjson",
        "inputSource": "https://example.org",
        "storageDetail": {"type": "https"},
        "input": [{"type": "Patient", "url": "file:p.ndjson"}],
    }
    assert manifest(hub, kicked(hub, "$import", body=body))["output"][0]["count"] == 1


def test_an_import_ties_persons_as_any_write_does(hub: httpx.Client, folder: Path) -> None:
    number = {"system": "urn:oid:2.16.156.10011.1.3", "value": "110101198001010010"}
    one = {"identifier": [number], "birthDate": "1980-01-01", "name": [{"text": "陈试验"}]}
    (folder / "p.ndjson").write_bytes(ndjson(patient("s1", **one), patient("s2", **one)))
    manifest(hub, kicked(hub, "$import", body=wanted(("", "file:p.ndjson"))))
    found = hub.get("/fhir/Patient", params={"_tag": "golden"}).json()["entry"]
    assert len(found[0]["resource"]["link"]) == 2


def test_wrong_lines_are_named_and_the_others_are_stored(
    hub: httpx.Client, folder: Path
) -> None:
    nameless = observation("x", "a")
    del nameless["id"]
    (folder / "mixed.ndjson").write_bytes(
        ndjson(
            observation("o1", "a"),
            "not json",
            "",
            observation("o2", "a", status="unheard-of"),
            patient("a"),
            nameless,
            observation("o3", "a", "first"),
            observation("o3", "a", "second"),
        )
    )
    told = manifest(
        hub, kicked(hub, "$import", body=wanted(("Observation", "file:mixed.ndjson")))
    )
    assert told["output"][0]["count"] == 3
    wrong = lines(hub, told["error"])
    assert [one["issue"][0]["diagnostics"] for one in wrong] == [
        f"file:mixed.ndjson line {number}" for number in (2, 4, 5, 6)
    ]
    assert [one["issue"][0].get("expression") for one in wrong] == [
        None,
        ["Observation.status"],
        ["resourceType"],
        ["Observation.id"],
    ]
    third = hub.get("/fhir/Observation/o3").json()
    assert (third["valueString"], third["meta"]["versionId"]) == ("second", "2")


def test_too_many_wrong_lines_end_it(
    hub: httpx.Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_ERRORS", 5)
    (folder / "bad.ndjson").write_bytes(b"no\n" * 10)
    answer = outcome(hub, kicked(hub, "$import", body=wanted(("", "file:bad.ndjson"))))
    assert answer.status_code == 500
    assert "over 5 lines are wrong" in answer.json()["issue"][0]["details"]["text"]


def test_an_import_that_a_process_left_behind_goes_on_after_its_last_batch(
    database: str,
    settings: Settings,
    idle: httpx.Client,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    rows = [observation(f"o{n}", "a", str(n)) for n in range(50)]
    (folder / "o.ndjson").write_bytes(ndjson(*rows[:25], "wrong", *rows[25:]))
    perform, batches = importing.direct.perform, list[int]()

    def dying(conn: Any, intents: Any, base: str, seal: Any) -> Any:
        done = perform(conn, intents, base, seal)
        batches.append(len(intents))
        if len(batches) == 2:
            raise OperationalError("the process dies here")
        return done

    monkeypatch.setattr(importing.direct, "perform", dying)
    job = kicked(idle, "$import", body=wanted(("Observation", "file:o.ndjson")))
    with at_work(settings, database):
        told = manifest(idle, job)
    assert told["output"][0]["count"] == 50 == sum(batches)
    assert [one["issue"][0]["diagnostics"] for one in lines(idle, told["error"])] == [
        "file:o.ndjson line 26"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "file:none.ndjson",
        "file:../secret",
        "file:link",
        "file:/etc/passwd",
        "local:/etc/passwd",
        "/etc/passwd",
        "https://example.org/p.ndjson",
        "http://127.0.0.1:1/x",
        "file:",
    ],
)
def test_nothing_else_than_the_folder_and_allowed_addresses_is_read(
    refusing: httpx.Client, url: str
) -> None:
    answer = refusing.post("/fhir/$import", json=wanted(("Patient", url)), headers=ASYNC)
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"] == ["input.url"]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example/x/p.ndjson", True),
        ("https://a.example/x", True),
        ("https://a.example:443/x/p", True),
        ("https://a.example/xy", False),
        ("https://a.example/", False),
        ("http://a.example/x/p", False),
        ("https://a.example:8443/x/p", False),
        ("https://a.example.evil.org/x/p", False),
        ("https://user@a.example/x/p", False),
        ("https://a.example/x/../y", False),
        ("https://a.example/x/%2e%2e/y", False),
        ("https://a.example/x/%252e%252e/y", False),
        ("https://a.example\\@evil.org/x/p", False),
        ("https://evil.org#@a.example/x/p", False),
        ("https://a.example/x/p#f", False),
        ("https://a.example/x/\np", False),
    ],
)
def test_an_address_is_allowed_by_scheme_host_port_and_path(url: str, allowed: bool) -> None:
    try:
        outbound.require(url, ["https://a.example/x/"], "setting", "place")
        found = True
    except Unprocessable:
        found = False
    assert found is allowed


def test_an_allowed_address_is_fetched(database: str, tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/files/p.ndjson"
            self.send_response(200 if found else 302)
            self.send_header("location", "/files/p.ndjson")
            self.end_headers()
            self.wfile.write(ndjson(patient("a")) if found else b"")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}/files"
    settings = settings_of(tmp_path, import_from=[base])
    try:
        with serving(settings, database) as client, at_work(settings, database):
            body = wanted(("Patient", f"{base}/p.ndjson"))
            told = manifest(client, kicked(client, "$import", body=body))
            assert told["output"][0]["count"] == 1
            elsewhere = wanted(("Patient", f"{base}/elsewhere"))
            answer = outcome(client, kicked(client, "$import", body=elsewhere))
            assert answer.status_code == 500
            assert "HTTP 302" in answer.json()["issue"][0]["details"]["text"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_import_needs_the_right_to_it_and_each_batch_is_audited(
    hub: httpx.Client, folder: Path, database: str
) -> None:
    (folder / "o.ndjson").write_bytes(ndjson(observation("o", "a")))
    body = wanted(("Observation", "file:o.ndjson"))
    manifest(hub, kicked(hub, "$import", body=body))
    with psycopg.connect(database) as conn:
        row = conn.execute(
            """select actor, ids, cardinality(patients) from audit_event
                where action = 'import' and ids <> '{}'"""
        ).fetchone()
    assert row == ("client:1", ["Observation/o"], 1)
    hub.headers["authorization"] = f"Bearer {token(database, 'page', Role.CLINICIAN)}"
    hub.headers["purpose-of-use"] = "TREAT"
    refused = hub.post("/fhir/$import", json=body, headers=ASYNC)
    assert refused.status_code == 403


def test_the_command_imports_files_and_tells_wrong_lines(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    monkeypatch.setenv("HEALTHHUB_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "p.ndjson"
    path.write_bytes(ndjson(patient("a"), "wrong", patient("b")))
    assert cli.main(["import", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == "2 resources stored or unchanged, 1 lines wrong\n"
    assert f"local:{path} line 2" in said.err
    with psycopg.connect(database) as conn:
        row = conn.execute("select count(*) from resource where type = 1").fetchone()
    assert row == (2,)


@pytest.mark.parametrize(
    ("body", "headers", "expression"),
    [
        (wanted(("Patient", "file:x")), {}, "Prefer"),
        (wanted(), ASYNC, "input"),
        (wanted(("Human", "file:x")), ASYNC, "input.type"),
        ({"inputFormat": "text/csv", "input": [{"url": "file:x"}]}, ASYNC, "inputFormat"),
        ({"inputFormat": "ndjson", "input": [{}]}, ASYNC, "input.url"),
        ({"inputFormat": "ndjson", "mode": "x"}, ASYNC, "mode"),
    ],
)
def test_a_kick_off_that_cannot_be_done_is_refused_with_its_reason(
    refusing: httpx.Client, body: dict[str, Any], headers: dict[str, str], expression: str
) -> None:
    answer = refusing.post("/fhir/$import", json=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["issue"][0]["expression"] == [expression]
