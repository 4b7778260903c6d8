"""Conversion: drafts that are checked, findings instead of faults, and the explanation."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest
from conversions import MAPPING, ORU, RECEIVED, Source, converter, library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.adapter_api import BadMessage
from healthhub.convert import Converter
from healthhub.mapping.library import Library
from healthhub.model import ids
from healthhub.model.validate import check

REAL = Path(__file__).resolve().parents[2] / "mappings"


def test_a_message_becomes_drafts_with_id_source_patient_and_stamp(tmp_path: Path) -> None:
    converted = converter(tmp_path).convert(42, ORU.encode(), RECEIVED)
    patient, potassium, sodium = converted.drafts
    assert patient.id == ids.derive("jcyy", "Patient", "P1")
    assert patient.body["id"] == str(patient.id)
    assert {d.patient for d in converted.drafts} == {patient.id}
    assert {d.body["meta"]["source"] for d in converted.drafts} == {
        "urn:healthhub:source:lis#42"
    }
    assert (potassium.stamp.message, potassium.stamp.at.isoformat()) == (
        42,
        "2024-01-01T08:00:00+08:00",
    )
    assert potassium.body["valueQuantity"]["value"] == Decimal("4.10")
    assert str(potassium.body["valueQuantity"]["value"]) == "4.10"
    assert sodium.body["valueString"] == "阴性（-）"
    assert sodium.body["subject"] == {"reference": f"Patient/{patient.id}"}
    assert converted.findings == ()


def test_the_namespace_of_a_source_names_its_numbers(tmp_path: Path) -> None:
    shared = Converter("ris", Source(namespace="city"), library(tmp_path))
    assert shared.convert(1, ORU.encode(), RECEIVED).drafts[0].id == ids.derive(
        "city", "Patient", "P1"
    )


def test_a_resource_that_breaks_fhir_is_left_out_and_told(tmp_path: Path) -> None:
    raw = ORU.replace("|final\r", "|fi nal!\r", 1).encode()
    text = MAPPING.replace("- status <- OBX-11 | lower", '- status <- OBX-11 if OBX-3.1 = "NA"')
    converted = converter(tmp_path, text=text).convert(1, raw, RECEIVED)
    assert [d.type for d in converted.drafts] == ["Patient", "Observation"]
    finding = converted.findings[0]
    assert (finding.severity, finding.code) == ("error", "invalid")
    assert "Observation" in finding.detail


def test_bytes_that_are_no_message_raise_bad_message(tmp_path: Path) -> None:
    with pytest.raises(BadMessage):
        converter(tmp_path).convert(1, b"hello", RECEIVED)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_every_element_is_explained_by_its_rule_and_bytes(charset: str, tmp_path: Path) -> None:
    raw = ORU.encode(charset)
    explained = converter(tmp_path, charset).explain(42, raw, RECEIVED)
    patient = f"Patient/{ids.derive('jcyy', 'Patient', 'P1')}"
    found = {
        each.element: (
            str(each.value),
            [raw[start:end].decode(charset) for start, end in each.spans],
            each.paths,
        )
        for each in explained
        if each.resource == patient
    }
    assert found == {
        "identifier[0].value": ("P1", ["P1"], ("PID[1]-3.1",)),
        "identifier[0].system": ("urn:mine", [], ()),
        "name[0].text": ("张三", ["张 三"], ("PID[1]-5.1",)),
        "name[0].use": ("official", [], ()),
        "name[1].text": ("李四", ["李四"], ("PID[1]-5[2].1",)),
        "name[1].use": ("official", [], ()),
        "gender": ("male", ["M"], ("PID[1]-8",)),
        "birthDate": ("1990-03-07", ["19900307"], ("PID[1]-7",)),
    }
    observation = [e for e in explained if e.element == "valueQuantity"]
    assert [e.paths for e in observation] == [("OBX[1]-5", "OBX[1]-6")]
    assert {e.rule.split(":")[0] for e in explained} == {"small/mapping.yaml"}
    lines = MAPPING.lstrip().splitlines()
    gender = next(e for e in explained if e.element == "gender")
    assert "gender <-" in lines[int(gender.rule.split(":")[1]) - 1]


def test_the_explanation_covers_all_that_was_stored(tmp_path: Path) -> None:
    raw = ORU.encode()
    subject = converter(tmp_path)
    explained = subject.explain(1, raw, RECEIVED)
    for draft in subject.convert(1, raw, RECEIVED).drafts:
        tops = set(draft.body) - {"resourceType", "id", "meta"}
        reference = f"{draft.type}/{draft.id}"
        said = {
            e.element.split(".")[0].split("[")[0] for e in explained if e.resource == reference
        }
        assert said == tops


@pytest.fixture(scope="module")
def national() -> Converter:
    """A converter of the base mapping."""
    return Converter("lis", Source(mapping="national/hl7v2"), Library(REAL))


SEGMENTS = st.sampled_from(
    "PID PV1 PV2 ORC OBR OBX NTE SPM RXE RXA AL1 DG1 NK1 IN1 MRG TXA SCH ZZZ PR1 GT1".split()
)
FIELDS = st.lists(
    st.text(st.sampled_from('^~&\\|"0123456789.-<>:F天N '), max_size=10), max_size=25
).map("|".join)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    kind=st.sampled_from(
        ["ADT^A01", "ORU^R01", "RDE^O11", "VXU^V04", "SIU^S12", "ADT^A40", "X"]
    ),
    lines=st.lists(st.tuples(SEGMENTS, FIELDS), max_size=12),
)
def test_no_content_breaks_the_conversion_and_what_it_gives_is_fhir(
    national: Converter, kind: str, lines: list[tuple[str, str]]
) -> None:
    body = "\r".join(f"{name}|{fields}" for name, fields in lines)
    raw = f"MSH|^~\\&|A|B|C|D|20240101||{kind}|1|P|2.5.1\r{body}".encode()
    converted = national.convert(1, raw, RECEIVED)
    national.explain(1, raw, RECEIVED)
    for draft in converted.drafts:
        check(draft.body)


RESULT = "".join(
    f"OBX|{n}|NM|T{n:02d}^项目{n}^L||{n}.{n % 10}|10^9/L|3.5-9.5|N|||F|||20240101075500\r"
    for n in range(20)
)


@pytest.mark.slow
def test_a_result_of_twenty_values_takes_less_than_a_twentieth_of_a_second(
    national: Converter,
) -> None:
    raw = (ORU.split("OBX")[0] + "ORC|RE|O1|R1\rOBR|1|O1|R1|CBC^血常规^L\r" + RESULT).encode()
    assert len(national.draft(1, raw, RECEIVED).drafts) > 20
    start = time.perf_counter()
    for number in range(40):
        national.draft(number, raw, RECEIVED)
    assert (time.perf_counter() - start) / 40 < 0.05
