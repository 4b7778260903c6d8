"""JSON as it comes: one reading, arrays, lines; in any charset; broken, hostile, endless."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hut import FEED, PERSON, RECEIVED, convert, converter, raw, split
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.device import ADAPTER
from adapters.device.scan import MOST_BYTES, MOST_DEPTH, MOST_VALUES, read
from healthhub.adapter_api import BadMessage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=6), JSON, max_size=5), st.sampled_from([None, 1]))
def test_every_value_stands_on_its_own_bytes(said: dict[str, Any], indent: int | None) -> None:
    message = json.dumps(said, ensure_ascii=False, indent=indent).encode(
        "utf-8", "surrogatepass"
    )
    try:
        tree = read(message, "utf-8")
    except BadMessage as error:
        refused = error.message
        assert "half a character" in refused or "value" in refused
        return
    for item in tree.items:
        for piece in item.pieces:
            stood = message[piece.start : piece.end]
            if (
                b"," in stood
                and stood[:1] == b"["
                and " " in piece.text
                and "[" not in piece.text
            ):
                assert piece.text.split() == stood.decode()[1:-1].replace(",", " ").split()
            else:
                assert piece.text == json.loads(b'"' + stood + b'"').strip()


def test_chinese_in_gb18030_stands_on_its_own_bytes() -> None:
    message = json.dumps({"姓名": "陈望舒", "收缩压": 138}, ensure_ascii=False).encode(
        "gb18030"
    )
    tree = read(message, "gb18030")
    found = {
        i.name: message[i.pieces[0].start : i.pieces[0].end] for i in tree.items if i.pieces
    }
    assert found["姓名"].decode("gb18030") == "陈望舒"
    assert found["收缩压"] == b"138"


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
@pytest.mark.parametrize(
    ("body", "count"),
    [
        ('{"a": 1}', 1),
        ('[{"a": "甲"}, {"a": "乙"},\n {"a": "丙"}]', 3),
        ('{"a": "甲"}\n{"a": "乙"}\n\n{"a": "丙"}\n', 3),
        ('{"a": "甲"}{"a": "乙"}', 2),
        ("[]", 1),
        ("", 1),
        ('\ufeff{"a": 1}', 1),
    ],
)
def test_a_body_is_one_reading_or_many(body: str, count: int, charset: str) -> None:
    sent = body.encode(charset)
    found = list(split(sent))
    assert len(found) == count
    assert all(piece in sent for piece in found)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1), min_size=1),
    st.booleans(),
)
def test_nothing_of_a_batch_is_lost(readings: list[dict[str, str]], lines: bool) -> None:
    told = [json.dumps(one, ensure_ascii=True) for one in readings]
    body = ("\n".join(told) if lines else "[" + ",".join(told) + "]").encode()
    assert [json.loads(piece) for piece in split(body)] == readings


def test_a_broken_item_leaves_those_before_it() -> None:
    good, bad = split(b'[{"a": 1}, {"b": ]')
    assert json.loads(good) == {"a": 1}
    with pytest.raises(BadMessage):
        ADAPTER.envelope(bad, FEED)
    first, broken, last = split(b'{"a": 1}\n{"b": \n{"c": 3}\n')
    assert (json.loads(first), json.loads(last)) == ({"a": 1}, {"c": 3})
    with pytest.raises(BadMessage):
        ADAPTER.envelope(broken, FEED)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"", "no JSON"),
        (b"[1]", "JSON object"),
        (b'"text"', "JSON object"),
        (b'{"a": 1', "no JSON"),
        (b'{"a" 1}', "colon"),
        (b'{"a": 1 "b": 2}', "comma"),
        (b'{"a": }', "value is missing"),
        (b'{a: 1}', "no JSON"),
        (b'{"a": 01}', "no JSON"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": 1} {"b": 2}', "behind"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"a": "\\u0000"}', "half a character"),
        (b'{"a": ' + b"9" * 50 + b"}", "value"),
        (b'{"a": "\xff\xff"}', "neither UTF-8 nor"),
        (b'{"a":' * (MOST_DEPTH + 1), "deep"),
        (b'{"a":' + b"[" * (MOST_DEPTH + 1), "deep"),
        (b'{"a": [' + b'"x",' * MOST_VALUES + b'"x"]}', "more than"),
        (b'{"a": "' + b"x" * MOST_BYTES + b'"}', "one by one"),
    ],
)  # fmt: skip
def test_what_is_no_reading_is_refused_with_its_place(message: bytes, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(message, FEED)
    assert told in refused.value.message
    assert refused.value.place.startswith("byte ")


WHOLE = raw(type="bp", systolic=138, diastolic=86, unit="mmHg", pulse=72)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE)), cut=st.integers(0, 40), put=st.binary(max_size=6))
def test_a_damaged_reading_is_read_or_refused_never_a_crash(
    at: int, cut: int, put: bytes
) -> None:
    damaged = WHOLE[:at] + put + WHOLE[at + cut :]
    for piece in split(damaged):
        try:
            ADAPTER.envelope(piece, FEED)
        except BadMessage as error:
            place = error.place
            assert place
            continue
        convert(piece)
        for each in converter().explain(1, piece, RECEIVED):
            for start, end in each.spans:
                assert 0 <= start <= end <= len(piece)


def test_the_envelope_knows_person_time_and_number() -> None:
    found = ADAPTER.envelope(raw(id="R-7", type="bp"), FEED)
    assert (found.kind, found.control, found.patient) == (
        "DEV^reading",
        "R-7",
        PERSON["idCard"],
    )
    assert found.at is not None
    assert found.numbers == (PERSON["idCard"],)
    hut = json.dumps({"身份证号": PERSON["idCard"], "测量时间": "2026-03-02 08:15:30"})
    told = ADAPTER.envelope(hut.encode(), FEED)
    assert (told.patient, str(told.at)) == (PERSON["idCard"], "2026-03-02 08:15:30+08:00")


def test_an_explanation_names_the_value_of_its_reading() -> None:
    message = raw(readings=[{"type": "bp", "systolic": 1}, {"type": "spo2", "value": 97}])
    told = [
        e for e in converter().explain(1, message, RECEIVED) if e.element == "valueQuantity"
    ]
    [each] = [e for e in told if "97" in str(e.value)]
    assert "/reading/readings[2]/value" in each.paths
    assert b"97" in [message[slice(*span)] for span in each.spans]


@pytest.mark.parametrize("time", ["²²²²²²²²²²", "①" * 13, "0001-01-01T00:00:00", "9999-99-99"])
def test_a_time_that_is_none_keeps_no_reading_out(time: str) -> None:
    said = json.dumps({"type": "spo2", "value": 97, "idcard": "5", "time": time}).encode()
    assert ADAPTER.envelope(said, FEED).patient == "5"
