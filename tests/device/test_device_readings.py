"""Readings become what they are: kinds, units, meals, persons, clocks and values that cannot be."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hut import (
    CARD,
    PERSON,
    RECEIVED,
    TIME,
    convert,
    converter,
    findings,
    observed,
    raw,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.test_hub_profiles import faults

PRINTED = st.characters(exclude_categories=("Cs", "Cc"))


@pytest.mark.parametrize(
    "kind",
    [
        "blood-pressure",
        "血压",
        "0x1810",
        "2A35",
        "00002a35-0000-1000-8000-00805f9b34fb",
        "org.bluetooth.characteristic.blood_pressure_measurement",
        "Blood Pressure Measurement",
        "MDC_PRESS_BLD_NONINV",
        "150020",
        "85354-9",
    ],
)
def test_a_kind_is_known_by_any_of_its_names(kind: str) -> None:
    message = raw(type=kind, systolic=138, diastolic=86, unit="mmHg", pulse=72)
    found = observed(message)
    parts = {
        p["code"]["coding"][0]["code"]: p["valueQuantity"]
        for p in found["85354-9"]["component"]
    }
    assert {code: value["value"] for code, value in parts.items()} == {
        "8480-6": 138,
        "8462-4": 86,
    }
    assert {value["code"] for value in parts.values()} == {"mm[Hg]"}
    assert found["8867-4"]["valueQuantity"]["value"] == 72
    assert findings(message) == []


@pytest.mark.parametrize(
    ("said", "code", "value", "unit"),
    [
        ({"type": "glucose", "value": 7.8, "unit": "mmol/L"}, "14743-9", "7.8", "mmol/L"),
        ({"type": "glucose", "value": 7.8}, "14743-9", "7.8", "mmol/L"),
        ({"type": "glucose", "value": 128, "unit": "mg/dL"}, "14743-9", "7.1", "mmol/L"),
        ({"type": "glucose", "value": "0.0078", "unit": "mol/L"}, "14743-9", "7.8", "mmol/L"),
        ({"type": "体重", "value": 64.8, "unit": "公斤"}, "29463-7", "64.8", "kg"),
        ({"type": "weight", "value": 129.6, "unit": "斤"}, "29463-7", "64.80", "kg"),
        ({"type": "weight", "value": 142.9, "unit": "lb"}, "29463-7", "142.9", "[lb_av]"),
        ({"type": "体温", "value": 36.6, "unit": "℃"}, "8310-5", "36.6", "Cel"),
        ({"type": "temperature", "value": 98.1, "unit": "°F"}, "8310-5", "98.1", "[degF]"),
        ({"type": "血氧", "value": 97}, "59408-5", "97", "%"),
        ({"type": "height", "value": 158.0, "unit": "cm"}, "8302-2", "158.0", "cm"),
        ({"type": "bmi", "value": 25.96}, "39156-5", "25.96", "kg/m2"),
        ({"type": "体脂率", "value": 31.2}, "41982-0", "31.2", "%"),
        ({"type": "心率", "value": 72, "unit": "次/分"}, "8867-4", "72", "/min"),
    ],
)
def test_a_value_has_a_code_and_a_unit_that_charts_compare(
    said: dict[str, Any], code: str, value: str, unit: str
) -> None:
    body = observed(raw(**said))[code]
    assert (str(body["valueQuantity"]["value"]), body["valueQuantity"]["code"]) == (value, unit)
    assert body["effectiveDateTime"] == TIME
    assert body["status"] == "final"
    assert findings(raw(**said)) == []


def test_what_a_device_showed_in_another_unit_is_kept_beside() -> None:
    glucose = observed(raw(type="glucose", value=128, unit="毫克/分升"))["14743-9"]
    [sent] = glucose["component"]
    assert (sent["valueQuantity"]["value"], sent["valueQuantity"]["code"]) == (128, "mg/dL")
    pressure = observed(raw(type="bp", systolic=18.4, diastolic=11.5, unit="千帕"))["85354-9"]
    assert [p["valueQuantity"]["value"] for p in pressure["component"]] == [138, 86]
    assert pressure["note"][0]["text"] == "设备原值 18.4/11.5 kPa"


@pytest.mark.parametrize(
    ("meal", "code"),
    [
        ("空腹", "8417876"),
        ("before-meal", "8417868"),
        ("餐后2小时", "8417872"),
        ("睡前", "8417908"),
    ],
)
def test_glucose_says_what_meal_it_was_before_or_after(meal: str, code: str) -> None:
    [part] = observed(raw(type="glucose", value=7.8, meal=meal))["14743-9"]["component"]
    assert part["valueCodeableConcept"]["coding"][0]["code"] == code


def test_an_unknown_meal_or_kind_is_kept_and_flagged() -> None:
    [part] = observed(raw(type="glucose", value=7.8, meal="运动后"))["14743-9"]["component"]
    assert part["valueCodeableConcept"]["text"] == "运动后"
    told = raw(type="肺活量", value=2400, unit="mL")
    assert observed(told)["肺活量"]["valueQuantity"]["value"] == 2400
    assert findings(told) == [("unknown-code", "/reading/type", "肺活量")]


def test_a_word_in_place_of_a_number_is_kept_as_text() -> None:
    """Meters say LO and HI beyond what they can measure."""
    assert observed(raw(type="glucose", value="HI"))["14743-9"]["valueString"] == "HI"


@pytest.mark.parametrize(
    "said",
    [
        {"type": "heart-rate", "value": 620},
        {"type": "temperature", "value": 3.65},
        {"type": "temperature", "value": 36.6, "unit": "°F"},
        {"type": "glucose", "value": 780},
        {"type": "spo2", "value": 140},
        {"type": "weight", "value": 6480, "unit": "kg"},
        {"type": "bp", "systolic": 1380, "diastolic": 86},
        {"type": "bp", "systolic": 138, "diastolic": 0.4},
    ],
)
def test_a_value_that_no_body_has_is_kept_and_marked(said: dict[str, Any]) -> None:
    message = raw(**said)
    [body] = observed(message).values()
    assert body["status"] == "preliminary"
    assert "请核实" in body["note"][0]["text"]
    assert "valueQuantity" in body or "component" in body
    assert [code for code, _, _ in findings(message)] == ["implausible"]


@pytest.mark.parametrize(
    "time",
    ["2016-03-02T08:15:30+08:00", "2036-03-02 08:15:30", "2026-03-10T18:00:00+08:00", "昨天"],
)
def test_a_wrong_clock_is_told_and_the_receipt_stands_beside_it(time: str) -> None:
    message = raw(type="heart-rate", value=72, time=time)
    body = observed(message)["8867-4"]
    assert body["effectiveDateTime"] == RECEIVED.isoformat()
    assert body["issued"] == RECEIVED.isoformat()
    assert time in body["note"][0]["text"]
    assert [(code, value) for code, _, value in findings(message)] == [("clock-off", time)]


@pytest.mark.parametrize(
    "time",
    [1772410530, 1772410530123, "2026-03-02 08:15:30", "20260302081530", "2026/3/2 8:15:30"],
)
def test_a_time_is_read_however_it_is_counted(time: Any) -> None:
    found = observed(raw(type="heart-rate", value=72, time=time))["8867-4"]
    assert found["effectiveDateTime"] == TIME


def test_a_reading_without_a_time_has_that_of_its_receipt() -> None:
    found = observed(raw(type="heart-rate", value=72, time=None))["8867-4"]
    assert found["effectiveDateTime"] == RECEIVED.isoformat()
    assert "note" not in found


@pytest.mark.parametrize(
    ("person", "system", "value"),
    [
        (PERSON, "urn:oid:2.16.156.10011.1.3", CARD),
        ({"idCard": CARD.lower() + " "}, "urn:oid:2.16.156.10011.1.3", CARD),
        ({"healthCard": "A12345678"}, "urn:oid:2.16.156.10011.1.19", "A12345678"),
        ({"qr": "7F3C9A11D0:1"}, "urn:healthhub:id:sample:health-card-qr", "7F3C9A11D0"),
        ({"id": "00871"}, "urn:healthhub:id:sample:person", "00871"),
        ({"idCard": "E12345678"}, "urn:healthhub:id:sample:document", "E12345678"),
    ],
)  # fmt: skip
def test_a_person_is_known_by_card_or_code(
    person: dict[str, str], system: str, value: str
) -> None:
    drafts = convert(raw(type="heart-rate", value=72, person=person)).drafts
    [patient] = [d.body for d in drafts if d.type == "Patient"]
    assert patient["identifier"][0]["system"] == system
    assert patient["identifier"][0]["value"] == value


def test_a_reading_of_nobody_is_an_error() -> None:
    found = convert(raw(type="heart-rate", value=72, person={"name": "某人"}))
    assert not [d for d in found.drafts if d.type == "Observation"]
    assert {f.code for f in found.findings} <= {"no-patient", "no-key"}
    assert found.findings


def test_a_vital_sign_keeps_the_profile() -> None:
    message = raw(
        readings=[
            {"type": "bp", "systolic": 138, "diastolic": 86},
            {"type": "weight", "value": 64.8, "unit": "kg"},
            {"type": "temperature", "value": 36.6},
            {"type": "spo2", "value": 97},
            {"type": "heart-rate", "value": 72},
        ]
    )
    for body in observed(message).values():
        plain = json.loads(json.dumps(body, default=float))
        assert faults(plain, "hub-observation-vital-sign") == []
        assert body["category"][0]["coding"][0]["code"] == "vital-signs"


def test_the_same_reading_in_another_batch_is_the_same_resource() -> None:
    alone = convert(raw(type="heart-rate", value=72))
    again = convert(raw(readings=[{"type": "脉搏", "value": 72, "time": TIME}], batch="B2"))
    assert {(d.type, d.id) for d in alone.drafts} == {(d.type, d.id) for d in again.drafts}


def test_a_strip_is_sampled_data_of_its_lead() -> None:
    samples_sent = list(range(-50, 250))
    message = raw(type="ecg", lead="I", rate=250, unit="uV", factor=2.5, samples=samples_sent)
    [part] = observed(message)["11524-6"]["component"]
    sampled = part["valueSampledData"]
    assert part["code"]["coding"][0]["code"] == "131329"
    assert sampled["data"] == " ".join(map(str, samples_sent))
    assert (sampled["period"], sampled["factor"], sampled["origin"]["code"]) == (
        4,
        Decimal("2.5"),
        "uV",
    )
    told = {e.element: e for e in converter().explain(1, message, RECEIVED)}
    spans = told["component[0].valueSampledData.data"].spans
    assert any(message[slice(*span)].startswith(b"[-50, -49,") for span in spans)


@pytest.mark.parametrize("rate", [None, 0, "fast", -250])
def test_a_strip_without_a_rate_is_told_and_not_stored(rate: Any) -> None:
    message = raw(type="ecg", lead="I", rate=rate, unit="uV", samples=list(range(20)))
    assert observed(message) == {}
    assert [code for code, _, _ in findings(message)] == ["not-applied"]


def test_a_number_beyond_measure_is_kept_as_it_came() -> None:
    message = raw(type="glucose", value="9" * 30, unit="mg/dL")
    body = observed(message)["14743-9"]
    assert body["valueString"] == "9" * 30


@settings(max_examples=60, deadline=None)
@given(
    value=st.decimals(0, 1000, places=1) | st.text(PRINTED, max_size=12),
    unit=st.sampled_from(["mmHg", "kPa", "mmol/L", "mg/dL", "斤", "kg", "℃", "蟠桃", ""]),
    kind=st.sampled_from(["bp", "glucose", "weight", "体温", "spo2", "身高", "ecg", "乱码"]),
    time=st.sampled_from([TIME, "0", "99999999999999999", "-1", ""]),
)
def test_whatever_is_in_a_reading_it_is_kept_or_told(
    value: object, unit: str, kind: str, time: str
) -> None:
    said = str(value)
    found = convert(
        raw(type=kind, value=said, systolic=said, diastolic=said, unit=unit, time=time)
    )
    assert not [f for f in found.findings if f.code == "invalid"]
