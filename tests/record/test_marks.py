"""Marks: the sender's flag; without one the sender's range; without a range nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from healthhub.serve.record.marks import Mark, Marked, mark, reference_range
from healthhub.serve.record.reading import quantity

V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def observation(value: str, flags: Any = None, low: Any = None, high: Any = None) -> Any:
    """An Observation; ``value`` may begin with a comparator."""
    number = value.lstrip("<>=")
    body: dict[str, Any] = {"valueQuantity": {"value": Decimal(number), "unit": "mmol/L"}}
    if number != value:
        body["valueQuantity"]["comparator"] = value[: -len(number)]
    if flags:
        body["interpretation"] = [{"coding": flags}]
    ends = {"low": low, "high": high}
    limits = {end: {"value": Decimal(v)} for end, v in ends.items() if v is not None}
    if limits:
        body["referenceRange"] = [limits]
    return body


def marked(body: Any) -> Marked:
    return mark(body, quantity(body.get("valueQuantity")), reference_range(body))


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("H", Mark.HIGH),
        ("L", Mark.LOW),
        ("HH", Mark.CRITICAL_HIGH),
        ("LL", Mark.CRITICAL_LOW),
        ("AA", Mark.CRITICAL),
        ("A", Mark.ABNORMAL),
        ("POS", Mark.POSITIVE),
        (">", Mark.HIGH),
        ("<", Mark.LOW),
        ("R", Mark.ABNORMAL),
        ("N", Mark.NONE),
        ("NEG", Mark.NONE),
        ("S", Mark.NONE),
    ],
)
def test_the_senders_flag_is_the_mark(flag: str, expected: Mark) -> None:
    sent = [{"system": V3, "code": flag}]
    assert marked(observation("5", sent, "3.5", "5.3")) == Marked(expected)


def test_a_normal_flag_is_believed_against_the_range() -> None:
    sent = [{"system": V3, "code": "N"}]
    assert marked(observation("9", sent, "3.5", "5.3")) == Marked(Mark.NONE)


def test_the_mapped_flag_is_read_and_not_the_local_code_beside_it() -> None:
    """N is "negative" in some laboratories, M is "normal" in others."""
    sent = [{"system": V3, "code": "POS"}, {"system": "urn:local", "code": "L"}]
    assert marked(observation("5", sent)) == Marked(Mark.POSITIVE)


def test_the_gravest_of_several_flags_counts() -> None:
    body = observation("7")
    body["interpretation"] = [
        {"coding": [{"system": V3, "code": code}]} for code in ("N", "H", "HH", "A")
    ]
    assert marked(body) == Marked(Mark.CRITICAL_HIGH)


def test_an_unknown_flag_is_as_none() -> None:
    assert marked(observation("9", [{"code": "??"}], "3.5", "5.3")) == Marked(Mark.HIGH, True)


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        ("5.4", "3.5", "5.3", Mark.HIGH),
        ("5.3", "3.5", "5.3", Mark.NONE),
        ("3.5", "3.5", "5.3", Mark.NONE),
        ("3.4", "3.5", "5.3", Mark.LOW),
        ("0.05", None, "0.04", Mark.HIGH),
        ("0.9", "1.04", None, Mark.LOW),
        ("<3.5", "3.5", "5.3", Mark.LOW),
        ("<9", "3.5", "5.3", Mark.NONE),
        (">5.3", "3.5", "5.3", Mark.HIGH),
        (">=5.3", "3.5", "5.3", Mark.NONE),
        (">1", "3.5", "5.3", Mark.NONE),
        ("900", None, None, Mark.NONE),
    ],
)
def test_without_a_flag_the_range_decides_and_the_mark_says_that_it_was_computed(
    value: str, low: str | None, high: str | None, expected: Mark
) -> None:
    computed = expected is not Mark.NONE
    assert marked(observation(value, None, low, high)) == Marked(expected, computed)


def test_a_computed_mark_is_never_critical() -> None:
    assert not marked(observation("99", None, "3.5", "5.3")).mark.critical


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([{"low": {"value": 3.5}, "high": {"value": Decimal("5.30")}}], "3.5–5.30"),
        ([{"high": {"value": 5}}], "≤ 5"),
        ([{"low": {"value": 1}}], "≥ 1"),
        ([{"text": "阴性(-)"}], "阴性(-)"),
        (
            [
                {"type": {"coding": [{"code": "critical"}]}, "high": {"value": 6.5}},
                {"type": {"coding": [{"code": "normal"}]}, "high": {"value": 5.3}},
            ],
            "≤ 5.3",
        ),
    ],
)
def test_the_range_is_shown_as_sent_and_critical_limits_are_no_range(
    ranges: Any, expected: str
) -> None:
    found = reference_range({"referenceRange": ranges})
    assert found is not None
    assert found.text == expected


def test_no_range_is_none() -> None:
    assert reference_range({}) is None
    assert reference_range({"referenceRange": [{}]}) is None
