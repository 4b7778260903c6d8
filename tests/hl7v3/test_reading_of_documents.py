"""What is saved on the way of a long document changes nothing of what is read."""

from __future__ import annotations

import gc
from itertools import count

import pytest
from conversion import convert, converter
from documents import ICD, coded, document, observation, section
from filled import FILLED
from hypothesis import given, settings
from hypothesis import strategies as st
from test_xml_safety import WRAPPED

from adapters.hl7v3 import ADAPTER, envelope
from adapters.hl7v3.document import read
from adapters.hl7v3.ways import found
from healthhub.adapter_api import BadMessage, paths
from healthhub.convert.samples import SampleSource
from healthhub.model.message import Envelope

FEED = SampleSource("national/cda")


def _of_the_whole(raw: bytes) -> Envelope | tuple[str, str]:
    try:
        return envelope.envelope(read(raw, FEED.charset), FEED)
    except BadMessage as error:
        return error.message, error.place


def _as_it_is_read(raw: bytes) -> Envelope | tuple[str, str]:
    try:
        return ADAPTER.envelope(raw, FEED)
    except BadMessage as error:
        return error.message, error.place


@pytest.mark.parametrize("kind", FILLED)
def test_an_envelope_says_what_the_whole_document_would(kind: str) -> None:
    raw = FILLED[kind]()
    assert isinstance(_as_it_is_read(raw), Envelope)
    assert _as_it_is_read(raw) == _of_the_whole(raw)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(FILLED)),
    at=st.integers(0, 6000),
    cut=st.integers(0, 300),
    put=st.binary(max_size=12)
    | st.sampled_from(
        [
            b"<",
            b"<!--",
            b"<![CDATA[",
            b'<id root="2.16.156.10011.1.12" extension="Z1"/>',
            b"<patId>P1</patId>",
            b"<a:setId extension='2' root='2.16.156.10011.1.2'>",
        ]
    ),
)
def test_an_envelope_of_a_damaged_document_says_or_refuses_the_same(
    kind: str, at: int, cut: int, put: bytes
) -> None:
    raw = FILLED[kind]()
    damaged = raw[:at] + put + raw[at + cut :]
    assert _as_it_is_read(damaged) == _of_the_whole(damaged)


@pytest.mark.parametrize("kind", ["c0007-laboratory", "c0034-admission"])
def test_a_path_that_cannot_lead_anywhere_leads_nowhere_from_any_element(kind: str) -> None:
    converter("national/cda")
    tree = read(FILLED[kind](), "utf-8")
    judged = {True: 0, False: 0}
    for number in count(paths.FIRST):
        try:
            paths.steps(number)
        except IndexError:
            break
        leads = tree.root.whole.leads(number)
        judged[leads] += 1
        if not leads:
            assert not any(found(node, number) for node in tree.nodes)
    assert min(judged.values()) > 10


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("a/b", True),
        ("**/c", True),
        ("*/../b", True),
        ("d", False),
        ("a/**/d", False),
        ("a[@x=1]", True),
        ("a[@x=2|1]", True),
        ("a[@x=2]", False),
        ('a[@x!="2"]', True),
        ('a[@x=""]', True),
        ("a[b/@y=3]/c", True),
        ("a[b/@y=4]/c", False),
        ("a[b=text]", True),
        ("a[2]", True),
    ],
)
def test_what_a_path_names_and_asks_of_attributes_must_be_in_the_document(
    path: str, leads: bool
) -> None:
    tree = read(b'<r><a x=" 1 "><b y="3">words</b><c/></a></r>', "utf-8")
    assert tree.root.whole.leads(paths.number(path)) is leads


def test_what_a_document_says_in_several_places_is_one_statement() -> None:
    diagnosis = observation("05.01.024", "诊断编码", coded("I25.103", "冠心病", ICD[15:]))
    once = document("C0053", [section("11535-2", "HOSPITAL DISCHARGE DX", diagnosis)])
    often = document("C0053", [section("11535-2", "HOSPITAL DISCHARGE DX", *[diagnosis] * 5)])
    conditions = [
        [d for d in convert(r).drafts if d.type == "Condition"] for r in (once, often)
    ]
    assert [len(each) for each in conditions] == [1, 5]
    assert [d.body for d in conditions[0]] == [
        d.body for d in {id(d): d for d in conditions[1]}.values()
    ]


@pytest.mark.parametrize("way", ["bare", "escaped in SOAP", "base64 in a message"])
def test_a_document_that_was_read_leaves_nothing_for_the_collector_of_circles(way: str) -> None:
    raw = WRAPPED[way](FILLED["c0007-laboratory"]())
    convert(raw)
    gc.collect()
    gc.disable()
    try:
        convert(raw)
        ADAPTER.envelope(raw, FEED)
        assert gc.collect() == 0
    finally:
        gc.enable()
