"""Recordings through the hub: posted with the source's token, kept, stored, replayed, explained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from converted import LIBRARY
from pydicom.data import get_testdata_file
from scp_writer import Record, measurements, statements
from serving import answering

from healthhub import keep
from healthhub.convert.converter import Converter
from healthhub.convert.samples import samples
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.pipeline import process
from healthhub.receive import polling
from healthhub.settings import Folder, Settings
from healthhub.store import query, reads, search

TOKEN = "a-token-for-tests"
SETTINGS = Settings.model_validate(
    {
        "institutions": {"h": {"title": "江城市第一人民医院"}},
        "sources": {
            "carts": {
                "institution": "h",
                "adapter": "ecg",
                "mapping": "national/ecg",
                "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
            }
        },
    }
)
RAWS = [sample.path.read_bytes() for sample in samples(LIBRARY, "national/ecg")]


@pytest.fixture
def carts(database: str) -> Any:
    with answering(build_app(SETTINGS, database)) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


def post(client: httpx.Client, raw: bytes) -> httpx.Response:
    return client.post("/feeds/carts/ecg", content=raw)


def worked(database: str) -> None:
    converter = Converter("carts", SETTINGS.sources["carts"], LIBRARY)
    with psycopg.connect(database, autocommit=True) as conn:
        while batch := keep.claim(conn, range(256), 100):
            process(conn, batch, {"carts": converter}, 1)


def state(database: str) -> dict[tuple[str, str], Any]:
    with psycopg.connect(database) as conn:
        keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
        bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body.pop("meta")
    return {(body["resourceType"], body["id"]): body for body in bodies}


def test_recordings_are_stored_once_and_a_replay_changes_nothing(
    database: str, carts: httpx.Client
) -> None:
    for raw in RAWS:
        [told] = post(carts, raw).raise_for_status().json()
        assert told["outcome"] == "accept"
    [again] = post(carts, RAWS[0]).json()
    assert again["repeated"] is True
    worked(database)
    first = state(database)
    assert sorted(kind for kind, _ in first) == [
        *["Device"] * 2,
        *["DiagnosticReport"] * 3,
        *["Observation"] * 3,
        "Patient",
    ]
    with psycopg.connect(database, autocommit=True) as conn:
        keep.replay(conn, Choice(source="carts"), who="test", reason="again")
    worked(database)
    assert state(database) == first


def test_what_is_damaged_is_told_to_its_sender_and_kept(
    database: str, carts: httpx.Client
) -> None:
    raw = bytearray(RAWS[-1])
    raw[-1] ^= 1
    answer = post(carts, bytes(raw))
    assert answer.status_code == 422
    [told] = answer.json()
    assert told["place"].startswith("section 8, byte ")
    assert "checksum" in told["text"]
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.REJECTED] == 1


def test_files_of_a_watched_folder_are_taken(tmp_path: Path, database: str) -> None:
    cart = SETTINGS.sources["carts"].model_copy(
        update={"folder": Folder(path=tmp_path, settle_seconds=0)}
    )
    hub = SETTINGS.model_copy(update={"sources": {"carts": cart}})
    for number, raw in enumerate(RAWS):
        (tmp_path / f"{number}.ecg").write_bytes(raw)
    (tmp_path / "broken.scp").write_bytes(RAWS[-1][:-9])
    (duty,) = polling.duties(hub, "carts")
    for _ in range(2):
        assert polling.once("carts", duty.turn, database) == ""
    assert len(list((tmp_path / "done").iterdir())) == 3
    assert "send it whole" in (tmp_path / "failed" / "broken.scp.findings.txt").read_text(
        "utf-8"
    )


def test_a_recording_takes_a_quarter_of_its_text(database: str, carts: httpx.Client) -> None:
    """Twelve leads of ten seconds at 1000 a second: 240 kB as DICOM, 430 kB as FHIR."""
    post(carts, Path(str(get_testdata_file("waveform_ecg.dcm", download=False))).read_bytes())
    worked(database)
    with psycopg.connect(database) as conn:
        [(stored,)] = conn.execute("select max(octet_length(body)) from resource").fetchall()
    assert 50_000 < stored < 120_000


def found(database: str, **asked: str) -> int:
    with psycopg.connect(database) as conn:
        page = search.run(conn, "Observation", list(asked.items()))
        return len(page.matches)


def test_a_measurement_is_found_by_its_code_and_value(
    database: str, carts: httpx.Client
) -> None:
    more = {7: measurements(), 8: statements("窦性心律")}
    post(carts, Record([(1, [5] * 5000), (2, [7] * 5000)], more=more).write())
    worked(database)
    [body] = [b for (kind, _), b in state(database).items() if kind == "Observation"]
    assert body["component"][0]["valueSampledData"]["data"].count("5") == 5000
    assert found(database, **{"component-code": "http://loinc.org|8634-8"}) == 1
    assert found(database, **{"component-code": "urn:iso:std:iso:11073:10101|131330"}) == 1
    pair = "component-code-value-quantity"
    assert found(database, **{pair: "http://loinc.org|8634-8$ge380"}) == 1
    assert found(database, **{pair: "http://loinc.org|8634-8$gt380"}) == 0
