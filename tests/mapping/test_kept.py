"""What was made of some texts is given again for the same texts, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from healthhub.convert.converter import Converter
from healthhub.mapping import kept
from healthhub.mapping.elements import tree
from healthhub.mapping.kept import Kept, Steady
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Overlay, Solved, Target
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT, Source
from tests.mapping.small_mapping import HEAD, write

MAPPING = """
groups:
  patient: {anchors: [PID], members: [PV1]}
  result: {anchors: [OBX], members: [NTE], in: [patient]}
names:
  number: PID-3.1
  ward: PV1-3.1
types:
  heard: {value: NTE-3 | upper}
codes:
  tests:
    system: http://loinc.org
    map: {GLU: 2345-7|Glucose}
resources:
  patient:
    type: Patient
    each: patient
    key: [number]
    rules:
      - gender <- "unknown"
  result:
    type: Observation
    each: result
    key: [number, OBX-1]
    rules:
      - status <- "final"
      - code <- OBX-3 | concept(tests)
      - subject <- ref(patient)
      - valueQuantity <- OBX-5 | quantity(OBX-6)
      - valueString <- OBX-5
      - effectiveDateTime <- OBX-14 | date_time
      - note[all].text <- OBX | heard
      - identifier[place].value <- ward | lower
      - identifier[event].value <- message
"""
SOURCE = Source(institution="h", adapter="hl7v2", mapping="base")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return write(tmp_path_factory.mktemp("kept"), "base", MAPPING)


def observations(converted: Converted) -> list[dict[str, Any]]:
    return [draft.body for draft in converted.drafts if draft.type == "Observation"]


def message(*lines: str, patient: str = "P1", ward: str = "W3") -> bytes:
    return "\r".join([HEAD, f"PID|1||{patient}", f"PV1|1|I|{ward}", *lines]).encode()


def convert(converter: Converter, raw: bytes) -> Converted:
    return converter.convert(7, raw, datetime(2026, 1, 2, tzinfo=UTC))


RESULTS = (
    "OBX|1|NM|GLU||5.1|mmol/L||||||||20260101080000",
    "NTE|1||seen",
    "OBX|2|NM|GLU||5.1|mmol/L||||||||20260101080000",
    "OBX|3|ST|GLU||none|||||||||20260101080000",
    "NTE|1||twice",
)


def test_what_is_given_again_equals_what_is_made_anew(library: Library) -> None:
    converter = Converter("his", SOURCE, library)
    first = convert(converter, message(*RESULTS))
    again = convert(converter, message(*RESULTS))
    anew = convert(Converter("his", SOURCE, library), message(*RESULTS))
    assert len(observations(first)) == 3
    assert first == again == anew


def test_each_message_gets_its_own_elements(library: Library) -> None:
    converter = Converter("his", SOURCE, library)
    for patient, ward in (("P1", "W3"), ("P2", "W4"), ("P1", "W4")):
        raw = message(*RESULTS, patient=patient, ward=ward)
        anew = convert(Converter("his", SOURCE, library), raw)
        assert convert(converter, raw) == anew
        assert observations(anew)[0]["identifier"][0]["value"] == ward.lower()


def test_the_same_trouble_is_told_of_each_message(library: Library) -> None:
    converter = Converter("his", SOURCE, library)
    raw = message("OBX|1|NM|XYZ||5.1|mmol/L||||||||20261301")
    first, second = convert(converter, raw), convert(converter, raw)
    assert {f.code for f in first.findings} == {"unknown-code", "bad-date"}
    assert first.findings == second.findings
    assert first.sightings == second.sightings != ()


def test_no_more_is_kept_than_the_bound(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", 20)
    shelf = Kept(2)
    for number in range(50):
        shelf.keep(number % 2, (str(number),), number)
        assert sum(map(len, shelf.shelves)) <= 20
    assert shelf.shelves[1][("49",)] == 49


def test_nothing_is_kept_for_the_text_of_a_document() -> None:
    shelf = Kept(1)
    shelf.keep(0, (("x" * 200,), "y" * 101), "made")
    assert shelf.shelves == [{}]


@pytest.mark.parametrize(
    ("element", "cells"),
    [
        ("code", (("OBX", (3,)),)),
        ("valueQuantity", (("OBX", (5, 6)),)),
        ("effectiveDateTime", (("OBX", (14,)),)),
        ("status", None),
        ("valueString", None),
        ("subject", None),
        ("note", None),
        ("identifier", None),
    ],
)
def test_an_element_is_kept_if_it_follows_from_fields_alone(
    library: Library, element: str, cells: Any
) -> None:
    definition = library.mapping("base").definition
    elements = tree(definition.resources["result"].rules).children
    assert Steady(definition).cells([elements[element]]) == cells


def test_what_hangs_on_the_time_of_receipt_is_not_kept() -> None:
    """A reading's time is believed for a year; the same text is too old a year later."""
    definition = Library(PACKAGE_ROOT / "mappings").mapping("national/device").definition
    timed = [
        elements["effectiveDateTime"]
        for block in definition.resources.values()
        if "effectiveDateTime" in (elements := tree(block.rules).children)
    ]
    assert timed
    assert all(Steady(definition).cells([element]) is None for element in timed)


def test_what_people_map_later_is_not_hidden_by_what_was_kept(library: Library) -> None:
    converter = Converter("his", SOURCE, library)
    raw = message("OBX|1|NM|XYZ^strange||5.1|mmol/L||||||||20260101080000")
    before = observations(convert(converter, raw))[0]["code"]
    target = Target("2345-7", "Glucose")
    solved = converter.overlaid(Overlay(1, (Solved(1, "base", "tests", "XYZ", target),)))
    after = observations(convert(solved, raw))[0]["code"]
    assert [coding["code"] for coding in before["coding"]] == ["XYZ"]
    assert [coding["code"] for coding in after["coding"]] == ["2345-7", "XYZ"]
    assert observations(convert(converter, raw))[0]["code"] == before
