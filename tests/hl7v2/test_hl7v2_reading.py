"""Reading HL7 v2: segments, delimiters, charset, never anything but BadMessage."""

from __future__ import annotations

import pytest
from hl7v2_feeds import Feed
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.hl7v2 import ADAPTER
from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.text import clean, escape, part, unescape

HEAD = "MSH|^~\\&|HIS|A|HUB|B|20240101080000||ADT^A01|1|P|2.5.1"
NAME = "姓名镕\u3000丶"
SEPARATORS = ["\r", "\n", "\r\n", "\r\r\n"]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_segments_end_with_whatever_line_break_the_sender_uses(
    separator: str, utf8: Feed
) -> None:
    raw = separator.join([HEAD, "PID|1||P1", "PV1|1|I", ""]).encode()
    record = ADAPTER.read(raw, utf8)
    assert [segment.name for segment in record.segments] == ["MSH", "PID", "PV1"]
    assert record.segments[1].field(3) == "P1"


def test_a_line_break_that_no_segment_follows_belongs_to_the_text(utf8: Feed) -> None:
    raw = f"{HEAD}\rOBX|1|TX|1037^所见||双肾\n未见异常|||\rOBX|2|ST|x||y".encode()
    record = ADAPTER.read(raw, utf8)
    assert record.segments[1].field(5) == "双肾\n未见异常"
    assert record.segments[2].field(5) == "y"


@pytest.mark.parametrize(
    "before", [b"\xef\xbb\xbf", b"\x0b", b"\r\n\r\n", b" \t", b"FHS|^~\\&\r"]
)
def test_junk_before_the_header_is_passed_over(before: bytes, utf8: Feed) -> None:
    assert ADAPTER.envelope(before + HEAD.encode(), utf8).kind == "ADT^A01"


def test_other_delimiters_are_read_as_the_usual_ones(utf8: Feed) -> None:
    raw = b"MSH#*+!%#HIS#A#HUB#B#20240101##ADT*A01#1#P#2.5\rPID#1##P1***MR+P2##A^B%C!X41!|D"
    record = ADAPTER.read(raw, utf8)
    assert record.kind == "ADT^A01"
    assert record.segments[1].field(3) == "P1^^^MR~P2"
    assert unescape(record.segments[1].field(5)) == "A^B&CA|D"
    assert part(record.segments[1].field(5), 0, 2) == ""


@pytest.mark.parametrize(
    ("field18", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("utf8", "utf-8"),
        ("GB 18030-2000", "gb18030"),
        ("GBK", "gb18030"),
        ("~GB18030", "gb18030"),
    ],
)
def test_the_charset_of_msh_18_is_used(field18: str, codec: str, utf8: Feed) -> None:
    raw = f"{HEAD}||||||{field18}\rPID|1||P||{NAME}".encode(codec)
    record = ADAPTER.read(raw, utf8)
    assert record.charset == codec
    assert record.segments[1].field(5) == NAME


def test_a_charset_in_the_wrong_field_is_found(utf8: Feed) -> None:
    raw = f"{HEAD}|||||CHN|UNICODE\rPID|1||P||{NAME}".encode()
    assert ADAPTER.read(raw, utf8).segments[1].field(5) == NAME


def test_a_wrong_msh_18_gives_way_to_the_charset_of_the_source(gbk: Feed) -> None:
    raw = f"{HEAD}||||||UNICODE UTF-8\rPID|1||P||{NAME}".encode("gb18030")
    record = ADAPTER.read(raw, gbk)
    assert (record.charset, record.segments[1].field(5)) == ("gb18030", NAME)


@pytest.mark.parametrize(
    ("field18", "codec", "told"),
    [
        ("UNICODE UTF-8", "utf-8", False),
        ("UNICODE UTF-8", "gb18030", True),
        ("GBK", "utf-8", True),
        ("GB 18030-2000", "gb18030", False),
        ("", "gb18030", False),
    ],
)
def test_a_charset_that_the_bytes_are_not_in_is_remarked_upon(
    field18: str, codec: str, told: bool, gbk: Feed
) -> None:
    raw = f"{HEAD}||||||{field18}\rPID|1||P||{NAME}".encode(codec)
    record = ADAPTER.read(raw, gbk)
    assert record.segments[1].field(5) == NAME
    assert [code for code, _ in record.mended] == ["wrong-charset"] * told


def test_a_label_that_nothing_hangs_on_is_not_remarked_upon(gbk: Feed) -> None:
    raw = f"{HEAD}||||||UNICODE UTF-8\rPID|1||P||LIN^HAI".encode()
    assert ADAPTER.read(raw, gbk).mended == ()


def test_trail_bytes_of_gbk_that_look_like_delimiters_are_not(gbk: Feed) -> None:
    tricky = "亅厊卄弢"
    assert b"|" in "亅".encode("gbk")
    raw = f"{HEAD}\rPID|1||P||{tricky}^{tricky}".encode("gbk")
    assert ADAPTER.read(raw, gbk).segments[1].field(5) == f"{tricky}^{tricky}"


def test_bytes_of_no_charset_are_refused_with_their_place(utf8: Feed) -> None:
    raw = HEAD.encode() + b"\rPID|1||P||\xc4\xe3"
    with pytest.raises(BadMessage) as caught:
        ADAPTER.read(raw, utf8)
    assert caught.value.place == f"byte {len(raw) - 1}"
    assert "MSH-18" in caught.value.message


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "MSH"),
        (b"hello", "MSH"),
        (b"MSH", "MSH"),
        (b"MSH|^~\\&|A|B|C|D|20240101||", "MSH-9"),
        (b"MSH|^^^^|A|B|C|D|20240101||ADT^A01", "MSH-2"),
        (b"XMSH|^~\\&|A", "MSH"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(
    raw: bytes, place: str, utf8: Feed
) -> None:
    with pytest.raises(BadMessage) as caught:
        ADAPTER.envelope(raw, utf8)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (HEAD.encode("utf-16"), "UTF-16"),
        (HEAD.encode("utf-16-le"), "UTF-16"),
        (HEAD.encode("utf-16-be"), "UTF-16"),
        ((HEAD + "\rPID|1||P1\r" + HEAD + "\rPID|1||P2").encode(), "a second MSH"),
        (f"FHS|^~\\&|X\rBHS|^~\\&|X\r{HEAD}\r{HEAD}\rBTS|2\rFTS|1\r".encode(), "a second MSH"),
        (HEAD.encode() + b"\rNTE|1" * 20_001, "20002 segments"),
        (HEAD.encode() + b"\rPID|1||" + b"a~" * 500_001, "repetitions"),
        (HEAD.encode() + b"\rPID|1||" + b"|" * 500_001, "fields"),
    ],
    ids=[
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "two",
        "batch",
        "segments",
        "repetitions",
        "fields",
    ],
)
def test_what_cannot_be_taken_whole_is_refused_with_what_to_do(
    raw: bytes, said: str, utf8: Feed
) -> None:
    with pytest.raises(BadMessage, match=said):
        ADAPTER.envelope(raw, utf8)


def test_a_message_of_many_repetitions_and_lines_is_taken(utf8: Feed) -> None:
    raw = HEAD.encode() + b"\rPID|1||" + b"P1~" * 9000 + b"\rOBX|1" * 9000
    envelope = ADAPTER.envelope(raw, utf8)
    assert envelope.patient == "P1"


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "gbk"]))
@example(b"MSH||", "utf-8")
@example(b"MSH\\\\\\\\\\|", "utf-8")
def test_any_bytes_either_are_read_or_raise_bad_message(raw: bytes, charset: str) -> None:
    feed = Feed(charset)
    for piece in (raw, b"MSH|^~\\&|" + raw):
        try:
            envelope = ADAPTER.envelope(piece, feed)
        except BadMessage as error:
            answer = ADAPTER.acknowledge(piece, "reject", error=error)
        else:
            answer = ADAPTER.acknowledge(piece, "accept", feed=feed)
            assert envelope.kind
        assert answer.startswith(b"MSH|")


@given(st.lists(st.text(st.characters(exclude_characters="\r\n|", codec="utf-8"), max_size=12)))
def test_fields_joined_again_are_the_segment(fields: list[str]) -> None:
    raw = f"{HEAD}\rZXX|{'|'.join(fields)}|end".encode()
    segment = ADAPTER.read(raw, Feed()).segments[1]
    assert segment.fields == ["ZXX", *fields, "end"] if fields else ["ZXX", "", "end"]
    assert "|".join(segment.fields) == segment.text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_comes_back(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert unescape(escape(text)) == lines


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("a\\T\\b\\S\\c\\R\\d\\F\\e\\E\\f", "a&b^c~d|e\\f"),
        ("one\\.br\\two", "one\ntwo"),
        ("\\H\\bold\\N\\", "bold"),
        ("\\X0D0A\\", "\r\n"),
        ("\\XC4E3\\", "你"),
        ("C:\\dir\\file", "C:\\dir\\file"),
        ("\\.sp2\\x\\.in+4\\", "\n\nx"),
    ],
)
def test_escape_sequences_are_resolved_and_unknown_ones_kept(escaped: str, text: str) -> None:
    assert unescape(escaped) == text


@pytest.mark.parametrize(
    ("raw", "text"), [("", None), ('""', None), (" \u3000", None), (" a ", "a")]
)
def test_empty_and_null_fields_have_no_text(raw: str, text: str | None) -> None:
    assert clean(raw) == text
