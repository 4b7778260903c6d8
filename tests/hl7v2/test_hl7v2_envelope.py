"""Envelope, splitting, acknowledgement and places of HL7 v2 messages."""

from __future__ import annotations

import re

import pytest
from hl7v2_feeds import Feed
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2 import ADAPTER
from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.record import Place

ORU = (
    "MSH|^~\\&|LIS|医院|HUB|C|20240101083000||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    "PID|1||^^^^OtherID~P1^^^^LocalID||张三\r"
    "PV1|1|I|||||||||||||||||V1\r"
    "ORC|RE|O1^HIS|R1^LIS\r"
    "OBR|1|O1|R1|CBC\r"
    "SPM|1|S1&LIS\r"
)


def test_the_envelope_tells_kind_control_patient_time_and_numbers(utf8: Feed) -> None:
    envelope = ADAPTER.envelope(ORU.encode(), utf8)
    assert (envelope.kind, envelope.control, envelope.patient) == ("ORU^R01", "M1", "P1")
    assert envelope.at is not None
    assert envelope.at.isoformat() == "2024-01-01T08:30:00+08:00"
    assert envelope.numbers == ("P1", "V1", "O1", "R1", "S1", "LIS")


@pytest.mark.parametrize(
    ("msh7", "expected"),
    [
        ("20240101080000.883+0900", "2024-01-01T08:00:00.883000+09:00"),
        ("20240101080000123", "2024-01-01T08:00:00.123000+08:00"),
        ("20240231", None),
        ("", None),
    ],
)
def test_the_time_of_a_message_is_read_as_hospitals_write_it(
    msh7: str, expected: str | None, utf8: Feed
) -> None:
    at = ADAPTER.envelope(f"MSH|^~\\&|A|B|C|D|{msh7}||ADT^A01|1|P|2.4".encode(), utf8).at
    assert (at.isoformat() if at else None) == expected


def test_a_body_is_cut_at_each_header_and_loses_no_message() -> None:
    first, second = ORU.encode(), ORU.replace("M1", "M2").encode()
    batch = b"FHS|^~\\&|X\rBHS|^~\\&|X\r" + first + second + b"BTS|2\rFTS|1\r"
    assert list(ADAPTER.split(batch)) == [first, second]
    frames = b"\x0b" + first + b"\x1c\r\x0b" + second + b"\x1c\r"
    assert list(ADAPTER.split(frames)) == [first, second]


@pytest.mark.parametrize("rubbish", [b"<xml>heartbeat</xml>", b"\0\1MSH|^~\\&|X", b"PID|1||P1"])
def test_a_frame_of_rubbish_spoils_no_message_beside_it(rubbish: bytes) -> None:
    first, second = ORU.encode(), ORU.replace("M1", "M2").encode()
    frames = b"".join(
        b"\x0b" + m + b"\x1c\r" for m in (rubbish, first, rubbish, second, rubbish)
    )
    assert list(ADAPTER.split(frames)) == [rubbish, first, rubbish, second, rubbish]


def test_a_body_without_a_header_comes_back_whole() -> None:
    assert list(ADAPTER.split(b"hello\rworld")) == [b"hello\rworld"]
    assert list(ADAPTER.split(b"\r\n \x1c")) == []


def test_a_header_inside_a_field_starts_no_message() -> None:
    raw = ORU.encode() + b"NTE|1||see MSH|^~\\&|above\r"
    assert list(ADAPTER.split(raw)) == [raw]


def test_a_body_that_names_headers_a_million_times_is_cut_without_copying_it_each_time() -> (
    None
):
    body = b"\xef\xbb\xbf" + ORU.encode() + b"MSH" * 1_000_000
    assert list(ADAPTER.split(body)) == [body[3:]]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_splitting_keeps_every_segment(tails: list[bytes]) -> None:
    body = b"".join(b"MSH|^~\\&|" + re.sub(rb"[\r\n\x0b\x1c]", b"", t) + b"\r" for t in tails)
    assert b"".join(ADAPTER.split(body)) == body


def _fields(acknowledgement: bytes, name: str, codec: str = "utf-8") -> list[str]:
    lines = acknowledgement.decode(codec).split("\r")
    return next(line.split("|") for line in lines if line.startswith(name))


def test_acceptance_goes_back_to_the_sender_in_its_version(utf8: Feed) -> None:
    answer = ADAPTER.acknowledge(ORU.encode(), "accept", feed=utf8)
    header = _fields(answer, "MSH")
    assert header[2:6] == ["HUB", "C", "LIS", "医院"]
    assert (header[8], header[10], header[11]) == ("ACK^R01^ACK", "P", "2.5.1")
    assert _fields(answer, "MSA") == ["MSA", "AA", "M1"]


@pytest.mark.parametrize(
    ("fifteen", "sixteen", "outcome", "code"),
    [
        ("", "", "accept", "AA"),
        ("", "", "error", "AE"),
        ("", "", "reject", "AR"),
        ("AL", "AL", "accept", "AA"),
        ("NE", "AL", "accept", "AA"),
        ("AL", "NE", "accept", "CA"),
        ("AL", "NE", "reject", "CR"),
        ("SU", "NE", "accept", "CA"),
        ("ER", "NE", "error", "CE"),
        ("NE", "NE", "accept", "AA"),
    ],
)
def test_the_accept_mode_is_used_only_by_those_who_ask_for_nothing_else(
    fifteen: str, sixteen: str, outcome: str, code: str
) -> None:
    raw = f"MSH|^~\\&|A|B|C|D|20240101||ADT^A01|7|P|2.5.1|||{fifteen}|{sixteen}".encode()
    assert _fields(ADAPTER.acknowledge(raw, outcome), "MSA")[1:3] == [code, "7"]  # type: ignore[arg-type]


def test_a_refusal_says_code_place_and_what_to_do() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|20240101|||7|P|2.5.1"
    with pytest.raises(BadMessage) as caught:
        ADAPTER.envelope(raw, Feed())
    error = _fields(ADAPTER.acknowledge(raw, "reject", error=caught.value), "ERR")
    assert error[2:5] == ["MSH^1^9", "101^Required field missing^HL70357", "E"]
    assert "name the message type" in error[8]


def test_a_refusal_to_an_old_version_uses_its_error_segment() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|20240101||ADT^A01|7|P|2.4"
    error = BadMessage("no", condition="101", place="PID-3")
    assert b"ERR|PID^1^3^101&Required field missing&HL70357" in ADAPTER.acknowledge(
        raw, "reject", error=error
    )


def test_the_answer_is_in_the_charset_of_the_sender(gbk: Feed) -> None:
    answer = ADAPTER.acknowledge(ORU.encode("gbk"), "accept", feed=gbk)
    assert _fields(answer, "MSH", "gbk")[5] == "医院"


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(1, 3, 1, 1), "P1"),
        (Place(1, 3, 1, 5), "LocalID"),
        (Place(1, 5, 0), "张三"),
        (Place(1, 3), "^^^^OtherID~P1^^^^LocalID"),
        (Place(0, 9, 0, 2), "R01"),
        (Place(0, 1), "|"),
        (Place(0, 2), "^~\\&"),
        (Place(0, 4), "医院"),
        (Place(5, 2, 0, 1, 2), "LIS"),
        (Place(1, 40), ""),
        (Place(4), "OBR|1|O1|R1|CBC"),
    ],
)
def test_a_place_is_found_in_the_raw_bytes(codec: str, place: Place, text: str) -> None:
    raw = b"\x0b" + ORU.encode(codec)
    start, end = ADAPTER.locate(raw, Feed(codec), place)
    assert raw[start:end].decode(codec) == text
