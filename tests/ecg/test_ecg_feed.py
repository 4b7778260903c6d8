"""Recordings through the hub: posted with the source's token, kept, stored, replayed, explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from converted import LIBRARY
from posted import Posted
from pydicom.data import get_testdata_file
from scp_writer import Record, measurements, statements

from healthhub import keep
from healthhub.convert.samples import samples
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.store import search

FEED = Posted("carts", "ecg", "national/ecg")
RAWS = [sample.path.read_bytes() for sample in samples(LIBRARY, "national/ecg")]


@pytest.fixture
def carts(database: str) -> Iterator[httpx.Client]:
    with FEED.answering(database) as client:
        yield client


def test_recordings_are_stored_once_and_a_replay_changes_nothing(
    database: str, carts: httpx.Client
) -> None:
    for raw in RAWS:
        [told] = FEED.post(carts, raw).raise_for_status().json()
        assert told["outcome"] == "accept"
    [again] = FEED.post(carts, RAWS[0]).json()
    assert again["repeated"] is True
    FEED.worked(database)
    first = FEED.state(database)
    assert sorted(kind for kind, _ in first) == [
        *["Device"] * 2,
        *["DiagnosticReport"] * 3,
        *["Observation"] * 3,
        "Patient",
    ]
    with psycopg.connect(database, autocommit=True) as conn:
        keep.replay(conn, Choice(source="carts"), who="test", reason="again")
    FEED.worked(database)
    assert FEED.state(database) == first


def test_what_is_damaged_is_told_to_its_sender_and_kept(
    database: str, carts: httpx.Client
) -> None:
    raw = bytearray(RAWS[-1])
    raw[-1] ^= 1
    answer = FEED.post(carts, bytes(raw))
    assert answer.status_code == 422
    [told] = answer.json()
    assert told["place"].startswith("section 8, byte ")
    assert "checksum" in told["text"]
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.REJECTED] == 1


def test_files_of_a_watched_folder_are_taken(tmp_path: Path, database: str) -> None:
    for number, raw in enumerate(RAWS):
        (tmp_path / f"{number}.ecg").write_bytes(raw)
    (tmp_path / "broken.scp").write_bytes(RAWS[-1][:-9])
    FEED.looked_into(database, tmp_path)
    assert len(list((tmp_path / "done").iterdir())) == 3
    assert "send it whole" in (tmp_path / "failed" / "broken.scp.findings.txt").read_text(
        "utf-8"
    )


def test_a_recording_takes_a_quarter_of_its_text(database: str, carts: httpx.Client) -> None:
    """Twelve leads of ten seconds at 1000 a second: 240 kB as DICOM, 430 kB as FHIR."""
    FEED.post(
        carts, Path(str(get_testdata_file("waveform_ecg.dcm", download=False))).read_bytes()
    )
    FEED.worked(database)
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
    FEED.post(carts, Record([(1, [5] * 5000), (2, [7] * 5000)], more=more).write())
    FEED.worked(database)
    [body] = [b for (kind, _), b in FEED.state(database).items() if kind == "Observation"]
    assert body["component"][0]["valueSampledData"]["data"].count("5") == 5000
    assert found(database, **{"component-code": "http://loinc.org|8634-8"}) == 1
    assert found(database, **{"component-code": "urn:iso:std:iso:11073:10101|131330"}) == 1
    pair = "component-code-value-quantity"
    assert found(database, **{pair: "http://loinc.org|8634-8$ge380"}) == 1
    assert found(database, **{pair: "http://loinc.org|8634-8$gt380"}) == 0
