"""The whole chain with the real converter: charsets, any order, and messages cut to pieces."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub import clock, keep, worker
from healthhub.adapter_api import registry
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.keep import Keeper
from healthhub.model.message import Incoming, State
from healthhub.pipeline import Convert, process
from healthhub.settings import Settings
from healthhub.store import query, reads

SETTINGS = Settings.model_validate(
    {
        "institutions": {"h": {"title": "江城市第一人民医院"}},
        "sources": {
            "his": {"institution": "h", "mapping": "national/hl7v2"},
            "old": {"institution": "h", "mapping": "national/hl7v2", "charset": "gbk"},
        },
    }
)


@cache
def converters() -> Mapping[str, Convert]:
    return worker.converters_of(SETTINGS)


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def arrive(conn: psycopg.Connection, *raws: bytes, source: str = "his") -> list[int]:
    """Keep messages in order and process them one batch after the other."""
    adapter = registry.find("hl7v2")

    async def work() -> list[int]:
        async with Keeper(conn.info.dsn) as keeper:
            kept = []
            for raw in raws:
                try:
                    envelope, why = adapter.envelope(raw, SETTINGS.sources[source]), ""
                except BadMessage as error:
                    envelope, why = None, error.message
                kept.append(
                    await keeper.keep(Incoming(source, raw, clock.now(), "t", envelope, why))
                )
            return [each.id for each in kept]

    ids = asyncio.run(work())
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 1)
    return ids


def stored(conn: psycopg.Connection) -> dict[tuple[str, str], Any]:
    """Every stored resource without its meta, which tells of the way and not of the outcome."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body.pop("meta")
    return {(body["resourceType"], body["id"]): body for body in bodies}


def message(kind: str, at: str, name: str = "王伟", more: str = "", charset: str = "") -> str:
    return (
        f"MSH|^~\\&|HIS|A|HUB|HUB|{at}||{kind}|{kind}-{at}|P|2.5.1||||||{charset}\r"
        f"EVN||{at}\rPID|1||P1^^^A^MR||{name}||19800307|M\r{more}"
    )


@pytest.mark.parametrize(
    ("source", "charset", "declared"),
    [
        ("his", "utf-8", "UNICODE UTF-8"),
        ("his", "utf-8", ""),
        ("his", "gb18030", "GB18030"),
        ("his", "gbk", "GBK"),
        ("his", "gb2312", "GB 2312-80"),
        ("old", "gbk", ""),
        ("old", "gbk", "UNICODE UTF-8"),
        ("old", "utf-8", "UNICODE UTF-8"),
        ("old", "gb18030", "8859/1-not-a-charset"),
    ],
)
def test_a_chinese_name_is_stored_right_whatever_its_charset(
    conn: psycopg.Connection, source: str, charset: str, declared: str
) -> None:
    name = "诸葛倩" if charset == "gb2312" else "诸葛镕㐂" if charset == "gb18030" else "诸葛镕"
    raw = message("ADT^A01", "20260301", name, charset=declared).encode(charset)
    (only,) = arrive(conn, raw, source=source)
    assert keep.get(conn, only).state is State.DONE, keep.findings(conn, [only])
    patients = [body for (kind, _), body in stored(conn).items() if kind == "Patient"]
    assert [patient["name"][0]["text"] for patient in patients] == [name]
    assert keep.get(conn, only).raw == raw


def test_bytes_of_no_known_charset_are_kept_and_the_finding_names_the_byte(
    conn: psycopg.Connection,
) -> None:
    raw = message("ADT^A01", "20260301", "?").encode().replace(b"?", b"\xff")
    (only,) = arrive(conn, raw)
    kept = keep.get(conn, only)
    assert (kept.state, kept.raw) == (State.REJECTED, raw)
    assert f"byte {raw.index(0xFF) + 1} " in keep.findings(conn, [only])[only][0].detail
    assert stored(conn) == {}


VISIT = "PV1|1|I|W1^^12||||1001^李医" + "|" * 12 + "V7" + "|" * 25 + "20260301080000\r"
STORY = (
    message("ADT^A01", "20260301080000", more=VISIT),
    message("ADT^A08", "20260302090000", "王小伟", more=VISIT),
    message(
        "ORU^R01",
        "20260302100000",
        "王小伟",
        more="PV1|1|I|||||||||||||||||V7\rOBR|1|O1|R1|GLU^血糖^L|||20260302093000|||||||||||||||"
        "20260302100000|||P\rOBX|1|NM|GLU^葡萄糖^L||5.6|mmol/L|3.9-6.1|N|||P\r",
    ),
    message(
        "ORU^R01",
        "20260303100000",
        "王小伟",
        more="PV1|1|I|||||||||||||||||V7\rOBR|1|O1|R1|GLU^血糖^L|||20260302093000|||||||||||||||"
        "20260303100000|||C\rOBX|1|NM|GLU^葡萄糖^L||6.5|mmol/L|3.9-6.1|H|||C\r",
    ),
    message(
        "ADT^A03",
        "20260305110000",
        "王小伟",
        more=VISIT.rstrip("\r") + "|20260305110000\r",
    ),
)


def test_a_story_ends_the_same_in_whatever_order_its_messages_arrive(
    conn: psycopg.Connection,
) -> None:
    """Late, early, first a correction and then what it corrects: the store ends alike."""
    raws = [part.encode() for part in STORY]
    arrive(conn, *raws)
    expected = stored(conn)
    (observation,) = [body for (kind, _), body in expected.items() if kind == "Observation"]
    (encounter,) = [body for (kind, _), body in expected.items() if kind == "Encounter"]
    assert (observation["valueQuantity"]["value"], observation["status"]) == (6.5, "corrected")
    assert encounter["status"] == "finished"
    orders = list(itertools.permutations(range(len(raws))))
    for order in random.Random(7).sample(orders, 12):
        conn.execute(
            "truncate resource, resource_history, message, message_state, raw_message,"
            " message_finding, person_link cascade"
        )
        arrive(conn, *(raws[n] for n in order))
        assert stored(conn) == expected, order


EDITS = st.lists(
    st.tuples(
        st.integers(0, 700),
        st.sampled_from([b"", b"|", b"^", b"~", b"&", b"\\", b"\r", b"\xff", b"\0", b"9" * 30]),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=6,
)


def edited(raw: bytes, edits: Sequence[tuple[int, bytes, int]]) -> bytes:
    for at, text, gone in edits:
        at %= len(raw) + 1
        raw = raw[:at] + text + raw[at + gone :]
    return raw


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(STORY), EDITS), min_size=1, max_size=4))
def test_messages_cut_to_pieces_are_stored_parked_or_rejected_and_no_byte_is_lost(
    conn: psycopg.Connection, pieces: list[tuple[str, Sequence[tuple[int, bytes, int]]]]
) -> None:
    raws = [edited(raw.encode(), edits) for raw, edits in pieces]
    for id_, raw in zip(arrive(conn, *raws), raws, strict=True):
        kept = keep.get(conn, id_)
        assert kept.raw == raw
        assert kept.state in (State.DONE, State.PARKED, State.REJECTED)
        codes = [finding.code for finding in keep.findings(conn, [id_])[id_]]
        assert "internal" not in codes, keep.findings(conn, [id_])
        assert kept.state is State.DONE or codes
