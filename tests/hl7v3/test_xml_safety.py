"""XML that is broken, hostile or oddly wrapped: read, or refused with its place; never a crash."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from conversion import RECEIVED, convert, converter, of
from documents import document
from filled import FILLED
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v3 import ADAPTER
from adapters.hl7v3.document import read
from adapters.hl7v3.parse import MOST_ATTRIBUTES, MOST_DEPTH, MOST_ELEMENTS, MOST_TEXT
from healthhub.adapter_api import BadMessage
from healthhub.convert.samples import SampleSource
from healthhub.errors import TooLarge
from healthhub.receive import files

FEED = SampleSource("national/cda")
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><ClinicalDocument>&j;</ClinicalDocument>"
)

WITH_ATTRIBUTES = "<b " + " ".join(f"a{number}=''" for number in range(1000)) + "/>"
MANY_ATTRIBUTES = WITH_ATTRIBUTES * (MOST_ATTRIBUTES // 1000 + 1)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (BOMB, "DOCTYPE"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "DOCTYPE"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>', "DOCTYPE"),
        ("<a>&unknown;</a>", "undefined entity"),
        ("<a>" * (MOST_DEPTH + 1), "deep"),
        ("<a>" + "<b/>" * MOST_ELEMENTS + "</a>", "more than"),
        ("<ClinicalDocument>" + "<a>" * MOST_DEPTH, "deep"),
        (
            "<ClinicalDocument><a>" + "<b/>" * MOST_ELEMENTS + "</a></ClinicalDocument>",
            "more than",
        ),
        (f"<ClinicalDocument><a>{MANY_ATTRIBUTES}</a></ClinicalDocument>", "more than"),
        ("", "empty"),
        ("MSH|^~\\&|A", "no well-formed XML"),
        ("<a><b></a>", "no well-formed XML"),
        ("<ClinicalDocument><title/></ClinicalDocument>", "code is missing"),
    ],
)
def test_what_is_hostile_or_broken_is_refused_with_its_place(raw: str, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(raw.encode(), FEED)
    assert told in refused.value.message
    assert refused.value.place


def test_a_doctype_inside_the_text_of_a_message_is_refused_too() -> None:
    with pytest.raises(BadMessage, match="DOCTYPE"):
        ADAPTER.read(_enveloped(BOMB.encode(), escape), FEED)


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(0, 6000),
    cut=st.integers(0, 300),
    put=st.binary(max_size=12) | st.sampled_from([b"<", b"&", b'"', b"\x00", b"]]>", b"<!--"]),
)
def test_a_damaged_document_is_read_or_refused_never_a_crash(
    at: int, cut: int, put: bytes
) -> None:
    raw = FILLED["c0007-laboratory"]()
    damaged = raw[:at] + put + raw[at + cut :]
    kind, place = _kind_or_place(damaged)
    assert kind or place
    if place:
        return
    convert(damaged)
    for each in converter("national/cda").explain(1, damaged, RECEIVED):
        for start, end in each.spans:
            assert 0 <= start <= end <= len(damaged)


def _kind_or_place(raw: bytes) -> tuple[str, str]:
    try:
        return ADAPTER.envelope(raw, FEED).kind, ""
    except BadMessage as error:
        return "", error.place


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    answer = ADAPTER.acknowledge(raw, "reject", "no", None, FEED)
    ADAPTER.read(answer, FEED)
    with suppress(BadMessage):
        assert ADAPTER.read(raw, FEED).kind not in ("", "XML^")


def test_an_element_has_a_name() -> None:
    with pytest.raises(BadMessage):
        ADAPTER.read(b"<:></:>", FEED)


def _enveloped(inner: bytes, wrap: object) -> bytes:
    text = inner.decode()
    written = f"<![CDATA[{text}]]>" if wrap == "cdata" else escape(text, {"\r": "&#13;"})
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<HIPMessageServer xmlns="urn:hl7-org:v3"><action>DocumentRegistryAdd</action>'
        f"<message>{written}</message></HIPMessageServer></s:Body></s:Envelope>"
    ).encode()


def _registered(inner: bytes) -> bytes:
    coded = base64.encodebytes(inner).decode()
    return (
        '<RCMR_IN000002UV02 ITSVersion="XML_1.0" xmlns="urn:hl7-org:v3"><id root="2.16.156.10011.2.5.1.1" extension="M1"/>'
        f"<controlActProcess><subject><clinicalDocument><storageCode code='BASE64'><originalText>{coded}"
        "</originalText></storageCode></clinicalDocument></subject></controlActProcess></RCMR_IN000002UV02>"
    ).encode()


WRAPPED = {
    "bare": lambda raw: raw,
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "GB18030 declared": lambda raw: raw.decode().replace("UTF-8", "GB18030").encode("gb18030"),
    "GBK sent as UTF-8": lambda raw: raw.decode().encode("gbk"),
    "UTF-8 sent as GBK": lambda raw: raw.decode().replace("UTF-8", "GBK").encode(),
    "UTF-16": lambda raw: raw.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "escaped in SOAP": lambda raw: _enveloped(raw, escape),
    "CDATA in SOAP": lambda raw: _enveloped(raw, "cdata"),
    "base64 in a message": lambda raw: _registered(raw),
    "base64 in a message in SOAP": lambda raw: _enveloped(_registered(raw), escape),
    "base64 in a message in CDATA": lambda raw: _enveloped(_registered(raw), "cdata"),
}


@pytest.mark.parametrize("way", WRAPPED)
def test_a_document_says_the_same_however_it_is_wrapped(way: str) -> None:
    plain = FILLED["c0007-laboratory"]()
    expected = {d.id: d.body for d in convert(plain).drafts if d.type != "Binary"}
    converted = convert(WRAPPED[way](plain))
    assert {d.id: d.body for d in converted.drafts if d.type != "Binary"} == expected


@pytest.mark.parametrize("way", WRAPPED)
def test_a_charset_that_the_document_is_not_in_is_remarked_upon(way: str) -> None:
    converted = convert(WRAPPED[way](FILLED["c0007-laboratory"]()))
    told = [f.code for f in converted.findings if f.code == "wrong-charset"]
    assert told == ["wrong-charset"] * ("sent as" in way)


@pytest.mark.parametrize("way", WRAPPED)
def test_explain_names_the_bytes_through_every_wrapping(way: str) -> None:
    raw = WRAPPED[way](FILLED["c0007-laboratory"]())
    told = converter("national/cda").explain(1, raw, RECEIVED)
    codec = {"GB18030 declared": "gb18030", "GBK sent as UTF-8": "gbk", "UTF-16": "utf-16-le"}
    found = 0
    for each in told:
        for start, end in each.spans:
            piece = raw[start:end]
            if "base64" in way:
                # the letters that carry the value: decoded with what surrounds them, it is there
                text = _around(raw, start, end)
            else:
                text = piece.decode(codec.get(way, "utf-8"))
            if each.value == "13900000147":
                found += 1
                assert "13900000147" in text
            if each.element == "conclusion":
                found += 1
                assert "空腹血糖偏高" in text
    assert found == 2


def _around(raw: bytes, start: int, end: int) -> str:
    """The document's text that these base64 letters carry, whole groups of four."""
    text = raw.replace(b"\n", b"").replace(b"&#13;", b"")
    before = raw[:start].replace(b"\n", b"")
    begin = text.index(b"originalText")
    begin += text[begin:].index(b"PD94")
    first = (len(before) - begin) // 4 * 4 + begin
    last = begin + -(-(len(raw[:end].replace(b"\n", b"")) - begin) // 4) * 4
    return base64.b64decode(text[first:last]).decode("utf-8", "replace")


def test_attributes_that_run_together_are_parted_and_told_of() -> None:
    raw = FILLED["c0007-laboratory"]().replace(b'" codeSystem="', b'"codeSystem="')
    converted = convert(raw)
    assert [f.code for f in converted.findings] == ["repaired"]
    assert len(of(converted, "DiagnosticReport")) == 1
    [binary] = of(converted, "Binary")
    assert base64.b64decode(binary["data"]) == raw
    told = [
        e
        for e in converter("national/cda").explain(1, raw, RECEIVED)
        if e.element == "conclusion"
    ]
    assert raw[slice(*told[0].spans[0])].decode() == "空腹血糖偏高"


def test_the_envelope_says_kind_person_time_and_numbers() -> None:
    found = ADAPTER.envelope(document("C0009"), FEED)
    assert (found.kind, found.control, found.patient) == (
        "CDA^C0009",
        "C0009-2026-000471",
        "ZY2026000471",
    )
    assert found.at is not None
    assert found.at.year == 2026
    assert "ZY2026000471" in found.numbers


def test_a_file_is_one_document_whatever_its_lines_begin_with(tmp_path: Path) -> None:
    raw = FILLED["c0007-laboratory"]().replace(
        "空腹血糖偏高".encode(), b"x\nMSH|^~\n" * 400_000
    )
    (tmp_path / "a.xml").write_bytes(raw)
    assert list(files.messages([tmp_path / "a.xml"], ADAPTER)) == [raw]
    with (tmp_path / "b.xml").open("wb") as long:
        long.truncate(MOST_TEXT + 1)
    with pytest.raises(TooLarge, match=r"b\.xml"):
        list(files.messages([tmp_path / "b.xml"], ADAPTER))


def test_a_frame_of_header_and_body_is_opened_and_its_bytes_are_still_found() -> None:
    """Immunisation systems frame their message as text, in CDATA inside an escaped envelope."""
    inner = "<vaccinationInfo><child><childCode>4290-1</childCode></child></vaccinationInfo>"
    frame = (
        "<req><header><cmd>upload</cmd></header><body><![CDATA[  "
        '<?xml version="1.0" encoding="GBK"?>' + inner + "]]></body></req>"
    )
    bare, wrapped = frame.encode(), _enveloped(frame.encode(), escape)
    assert ADAPTER.read(bare, FEED).kind == "XML^vaccinationInfo"
    assert ADAPTER.read(wrapped, FEED).kind == "XML^DocumentRegistryAdd"
    for raw in (bare, wrapped):
        assert ADAPTER.envelope(raw, FEED).patient == "4290-1"
        told = converter("cdc-immunisation").explain(1, raw, RECEIVED)
        [number] = [e for e in told if e.element == "identifier[0].value"]
        [(start, end)] = number.spans
        assert raw[start:end] == b"4290-1"


@pytest.mark.parametrize(
    "frame",
    [
        "<req><header/><body>plain words</body></req>",
        "<req><body><![CDATA[<a/>]]></body></req>",
        "<req><header/><body><data/></body></req>",
    ],
)
def test_what_is_no_frame_stays_as_it_is(frame: str) -> None:
    assert ADAPTER.envelope(frame.encode(), FEED).kind == "XML^req"


def test_a_frame_whose_text_is_no_xml_is_refused_with_its_place() -> None:
    with pytest.raises(BadMessage, match="no well-formed XML"):
        ADAPTER.read(b"<req><header/><body><![CDATA[<a><b></a>]]></body></req>", FEED)


@pytest.mark.parametrize(
    "charset", ["punycode", "Puny-Code", "idna", "undefined", "unicode_escape", "rot13", "zlib"]
)
def test_what_is_no_charset_is_not_read_as_one(charset: str) -> None:
    text = f'<?xml version="1.0" encoding="{charset}"?><a b="-\\n{"b" * 400_000}"/>'
    said = read(text.encode(), "utf-8")
    assert said.root.name == "a"
    assert said.root.attributes["b"].startswith("-\\n")
