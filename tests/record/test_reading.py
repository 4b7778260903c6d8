"""Reading FHIR elements: digits stay, times show no more than was given, units compare."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub.serve.record.bodies import parse
from healthhub.serve.record.reading import codes, concept, moment, quantity, reference_id


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026", "2026"),
        ("2026-03", "2026-03"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T08:05:59+08:00", "2026-03-01 08:05"),
        ("2026-03-01T23:30:00Z", "2026-03-02 07:30"),
        ("2026-03-01T08:05:59.123+08:00", "2026-03-01 08:05"),
        ("2026-03-01T08:05:59", "2026-03-01 08:05"),
    ],
)
def test_a_time_is_shown_in_the_hubs_zone_as_exactly_as_it_was_given(
    sent: str, shown: str
) -> None:
    found = moment(sent)
    assert found is not None
    assert found.text == shown
    assert found.at.utcoffset() is not None


@pytest.mark.parametrize("sent", [None, "", "yesterday", "2026-13-01", "2026-02-30"])
def test_what_is_no_time_is_none(sent: str | None) -> None:
    assert moment(sent) is None


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = moment(text)
    assert found is None or found.at.utcoffset() is not None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers(0, 12))
def test_a_quantity_keeps_the_digits_that_were_sent(number: Decimal, more: int) -> None:
    text = format(number, "f") + "0" * more
    body = parse(b'{"valueQuantity":{"unit":"g/L","value":' + text.encode() + b"}}")
    found = quantity(body["valueQuantity"])
    assert found is not None
    assert found.text == text or Decimal(found.text) == number == 0


@pytest.mark.parametrize("text", ["1.50", "0.10", "-3.0", "128.0", "1e3", "2.5E-7", "12"])
def test_digits_that_a_float_would_lose_are_kept(text: str) -> None:
    body = parse(b'{"valueQuantity":{"value":' + text.encode() + b',"unit":"g/L"}}')
    found = quantity(body["valueQuantity"])
    assert found is not None
    assert Decimal(found.text) == Decimal(text)
    assert "e" in text.lower() or found.text == text


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.booleans()))
def test_a_body_is_read_as_json_says(body: dict[str, Any]) -> None:
    small = {key: v for key, v in body.items() if not isinstance(v, int) or abs(v) < 2**63}
    assert parse(json.dumps(small).encode()) == small


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("μmol/L", "umol/L", True),
        ("µmol/L", "μmol/L", True),
        ("mmol/L", "mmol/l", True),
        ("mmol/L", "mg/dL", False),
        ("mmol/L", "μmol/L", False),
        ("", "g/L", False),
    ],
)
def test_spellings_of_a_unit_compare_and_units_do_not(one: str, other: str, same: bool) -> None:
    keys = [quantity({"value": 1, "unit": unit}) for unit in (one, other)]
    assert keys[0] is not None
    assert keys[1] is not None
    assert (keys[0].unit_key == keys[1].unit_key) is same


def test_a_unit_of_ucum_is_shown_as_people_write_it() -> None:
    found = quantity({"value": 7, "code": "10*9/L", "system": "http://unitsofmeasure.org"})
    assert found is not None
    assert found.unit == "10⁹/L"


def test_a_name_is_the_senders_in_chinese_and_a_standard_one_in_english() -> None:
    found = concept({"text": "钾", "coding": [{"code": "2823-3", "display": "Potassium"}]})
    assert (found.label("zh"), found.label("en")) == ("钾", "Potassium")
    assert concept({"coding": [{"code": "X1"}]}).label("zh") == "X1"
    assert not concept(None)


def test_codes_are_those_of_one_or_many_concepts() -> None:
    one = {"coding": [{"code": "a"}, {"code": "b"}]}
    assert codes(one) == {"a", "b"}
    assert codes([one, {"coding": [{"code": "c"}]}, {"text": "none"}]) == {"a", "b", "c"}
    assert codes(None) == set()


def test_a_reference_is_read_without_its_version() -> None:
    assert reference_id({"reference": "Patient/1/_history/2"}) == "Patient/1"
    assert reference_id(None) == ""
