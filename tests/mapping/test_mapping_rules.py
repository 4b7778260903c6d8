"""The language, rule by rule: paths, values, conditions, targets, types, codes, references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_mapping import GROUPS, HEAD, PATIENT, patient, rules, run, write

PID = "PID|1|V9|P1^^^^LocalID~110101199003070871^^^^IdentifyNO~^^^^OtherID||张三^张&三||19900307|1|||A路^^江城"

CASES: list[tuple[str, list[str], Any]] = [
    ("a field is its first part", ["x <- PID-11"], {"x": "A路"}),
    ("a component", ["x <- PID-11.3"], {"x": "江城"}),
    ("a subcomponent", ["x <- PID-5.2.2"], {"x": "三"}),
    ("a repetition by number", ["x <- PID-3[2].1"], {"x": "110101199003070871"}),
    ("a repetition by its label", ["x <- PID-3[5=IdentifyNO].1"], {"x": "110101199003070871"}),
    ("one of several labels", ["x <- PID-3[5=No|LocalID].1"], {"x": "P1"}),
    ("a label that must not be", ["x[] <- PID-3[5!=LocalID].1"], {"x": ["110101199003070871"]}),
    ("the whole field", ["x <- PID-5 | whole"], {"x": "张三^张&三"}),
    ("a constant", ['x <- "a"', "y <- 12", "z <- true"], {"x": "a", "y": 12, "z": True}),
    ("an empty field says nothing", ["x <- PID-4"], {}),
    ("else takes the first value", ['x <- PID-4 else PID-2 else "none"'], {"x": "V9"}),
    ("if belongs to its choice", ['x <- PID-2 if PID-8 = "2" else "b"'], {"x": "b"}),
    ("parentheses group", ['x <- (PID-4 else PID-2) | prefix("n") if PID-8 = "1"'], {"x": "nV9"}),
    ("and, or, not", ['x <- "y" if not PID-4 and (PID-2 = "V9" or PID-9)'], {"x": "y"}),
    ("in a list", ['x <- "y" if PID-8 in ("0", "1")'], {"x": "y"}),
    ("a missing value equals empty", ['x <- "y" if PID-4 = ""'], {"x": "y"}),
    ("matches a pattern", ['x <- "y" if PID-3[2].1 matches resident_id'], {"x": "y"}),
    ("the event", ["x <- event", "y <- message"], {"x": "A01", "y": "ADT^A01"}),
    ("all values", ["x[] <- PID-3.1"], {"x": ["P1", "110101199003070871"]}),
    ("equal values once", ["x[] <- PID-3.1", "x[] <- PID-3[1].1"], {"x": ["P1", "110101199003070871"]}),
    ("the first rule that gives a value", ["x <- PID-4", "x <- PID-2", "x <- PID-8"], {"x": "V9"}),
    ("nested elements", ["a.b.c <- PID-2", "a.d <- PID-8"], {"a": {"b": {"c": "V9"}, "d": "1"}}),
    ("labelled entries", ['a[x].v <- PID-2', 'a[x].s <- "s"', "a[y].v <- PID-8"], {"a": [{"v": "V9", "s": "s"}, {"v": "1"}]}),
    ("constants alone make nothing", ['a[x].v <- PID-4', 'a[x].s <- "s"', 'b.v <- PID-4', 'b.s <- "s"'], {}),
    ("an entry of constants is made", ['a[x].v <- "v"'], {"a": [{"v": "v"}]}),
    ("an extension gets its url", ['extension["http://x"].valueString <- PID-2'], {"extension": [{"url": "http://x", "valueString": "V9"}]}),
    ("an extension without value is left out", ['extension["http://x"].valueString <- PID-4'], {}),
    ("of a choice the first form", ["valueQuantity <- PID-5 | quantity", "valueString <- PID-5", "valueCode <- PID-8"], {"valueString": "张三"}),
    ("of a choice the first rule in order", ["valueA <- PID-4", "valueString <- PID-4", "valueCode <- PID-8", "valueString <- PID-2"], {"valueCode": "1"}),
    ("parts fill what the whole left open", ['c <- PID-11 | concept', 'c.text <- "t"', 'c.id <- "i"'], {"c": {"coding": [{"system": "urn:healthhub:codes:jcyy:江城", "code": "A路"}], "text": "A路", "id": "i"}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rules_say(lines: list[str], expected: Any, tmp_path: Path) -> None:
    assert patient(tmp_path, PID, *lines) == expected


TYPES = """
types:
  CX:
    makes: Identifier
    when: .1
    rules:
      - value <- .1
      - system <- .4 | HD else .5 | local_system
      - use <- "usual"
  HD:
    value: .2 | uri else .1
  role:
    parameters: [code]
    makes: X
    rules:
      - role <- code | upper
      - who <- .1
  next:
    makes: X
    rules:
      - name <- NK1-2
      - patient <- number
"""


def test_a_type_reads_the_parts_of_what_it_is_given(tmp_path: Path) -> None:
    pid = "PID|1||P1^^^a&1.2.3&ISO~P2^^^auth~P3^^^^kind of~^^^^lost"
    body = patient(tmp_path, pid, "identifier[] <- PID-3 | CX", more=TYPES)
    assert body == {
        "identifier": [
            {"value": "P1", "system": "urn:oid:1.2.3", "use": "usual"},
            {"value": "P2", "system": "auth", "use": "usual"},
            {"value": "P3", "system": "urn:healthhub:id:jcyy:kind_of", "use": "usual"},
        ]
    }


def test_a_type_takes_parameters_and_gives_nothing_of_constants_alone(tmp_path: Path) -> None:
    lines = ('a[] <- PID-5 | role("x")', 'b[] <- PID-9 | role("x")')
    assert patient(tmp_path, "PID|1||P1||王", *lines, more=TYPES) == {
        "a": [{"role": "X", "who": "王"}]
    }


def test_a_type_is_given_each_of_several_segments(tmp_path: Path) -> None:
    body = patient(
        tmp_path, "PID|1||P1", "c[] <- NK1 | next", more=TYPES, rest="NK1|1|甲\nNK1|2|乙"
    )
    assert body == {"c": [{"name": "甲", "patient": "P1"}, {"name": "乙", "patient": "P1"}]}


CODES = """
codes:
  sex:
    system: http://sex
    map: {M: male|男, "1": male, 2: female, X: none, Y: other||http://other}
    default: unknown
  plain:
    from: http://local
    map: {A: a}
"""


@pytest.mark.parametrize(
    ("pid8", "value", "unknown"),
    [
        ("M", "male", 0),
        ("１", "male", 0),
        ("m", "male", 0),
        ("2", "female", 0),
        ("X", None, 0),
        ("Q", "unknown", 1),
        ("", None, 0),
    ],
)
def test_a_code_is_looked_up_loosely_and_an_unknown_one_is_told(
    pid8: str, value: str | None, unknown: int, tmp_path: Path
) -> None:
    library = write(
        tmp_path, "base", GROUPS + PATIENT + rules("g <- PID-8 | code(sex)") + CODES
    )
    result = run(library, f"{HEAD}\nPID|1||P1|||||{pid8}")
    assert result.drafts[0].body.get("g") == value
    found = [(f.code, f.where, f.value) for f in result.findings]
    assert found == [("unknown-code", "PID-8", pid8)] * unknown


def test_a_concept_keeps_the_original_beside_the_mapped_code(tmp_path: Path) -> None:
    lines = (
        "a <- PID-8 | concept(sex)",
        "b <- PID-9 | concept(plain)",
        "c <- PID-10 | coding(plain)",
        "d <- PID-10 | concept(plain)",
    )
    pid = "PID|1||P1|||||M^Mann^HL70001|Q^什么|A"
    assert patient(tmp_path, pid, *lines, more=CODES) == {
        "a": {
            "coding": [
                {"system": "http://sex", "code": "male", "display": "男"},
                {"system": "http://terminology.hl7.org/CodeSystem/v2-0001", "code": "M", "display": "Mann"},
            ],
            "text": "Mann",
        },
        "b": {"coding": [{"system": "urn:healthhub:codes:jcyy:plain", "code": "Q", "display": "什么"}], "text": "什么"},
        "c": {"code": "a"},
        "d": {"coding": [{"code": "a"}, {"system": "http://local", "code": "A"}]},
    }  # fmt: skip


def test_a_local_code_marked_as_loinc_is_not_believed(tmp_path: Path) -> None:
    pid = "PID|1||P1|||||1037^所见^LN|718-7^Hb^LN"
    body = patient(tmp_path, pid, "a <- PID-8 | coding", "b <- PID-9 | coding")
    assert (body["a"]["system"], body["b"]["system"]) == (
        "urn:healthhub:codes:jcyy",
        "http://loinc.org",
    )


ORDERS = (
    GROUPS
    + """
resources:
  patient: {type: Patient, each: patient, key: [number], rules: [active <- true]}
  report:
    type: DiagnosticReport
    each: order
    key: [OBR-3.1]
    rules:
      - subject <- ref(patient)
      - encounter <- ref(Encounter, PV1-19)
      - result[] <- refs(observation)
      - performer[] <- OBR-16 | ref(staff)
      - specimen[] <- refs(specimen)
  observation:
    type: Observation
    each: observation
    key: [OBR-3.1, OBX-3.1, 'nth(OBX-3.1)']
    authority: 2 if OBX-11 = "C" else 1
    at: OBX-14 else MSH-7
    when: OBX-11 != "X"
    rules:
      - code <- OBX-3 | concept
      - note[] <- NTE-3
      - specimen <- ref(specimen) if SPM
  specimen: {type: Specimen, each: SPM, key: [SPM-2.1], rules: [type <- SPM-4 | concept]}
  staff:
    type: Practitioner
    scope: shared
    each: [OBR-16, PV1-7]
    key: [.1]
    optional: true
    rules:
      - name[x].text <- .2
"""
)
ORU = """
MSH|^~\\&|LIS|A|HUB|B|20240101080000||ORU^R01|1|P|2.5.1
PID|1||P1
PV1|1|I|||||D1^甲
OBR|1||R1|||||||||||||D1^甲~D2^乙
ORC|RE
SPM|1|S1||blood
OBX|1|NM|K||1||||||F|||20240101070000
NTE|1||say
OBX|2|NM|NA||2||||||C
OBX|3|NM|K||3||||||F
OBX|4|NM|ZN||3||||||X
OBR|2||R2
OBX|1|NM|K||4||||||F
"""


def test_references_find_patient_own_results_specimen_and_staff(tmp_path: Path) -> None:
    result = run(write(tmp_path, "base", ORDERS), ORU)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for draft in result.drafts:
        by_type.setdefault(draft.type, []).append(draft.body)
    patient_id = by_type["Patient"][0]["id"]
    first, second = by_type["DiagnosticReport"]
    assert first["subject"] == {"reference": f"Patient/{patient_id}"}
    assert "encounter" not in first
    ids = [f"Observation/{o['id']}" for o in by_type["Observation"]]
    assert [r["reference"] for r in first["result"]] == ids[:3]
    assert [r["reference"] for r in second["result"]] == ids[3:]
    assert len(set(ids)) == 4
    specimen = f"Specimen/{by_type['Specimen'][0]['id']}"
    assert first["specimen"] == [{"reference": specimen}]
    assert by_type["Observation"][0]["specimen"] == {"reference": specimen}
    assert "specimen" not in by_type["Observation"][3]
    staff = [f"Practitioner/{p['id']}" for p in by_type["Practitioner"]]
    assert [p["name"][0]["text"] for p in by_type["Practitioner"]] == ["甲", "乙"]
    assert [p["reference"] for p in first["performer"]] == staff


def test_each_observation_has_its_own_note_weight_time_and_patient(tmp_path: Path) -> None:
    result = run(write(tmp_path, "base", ORDERS), ORU)
    found = [d for d in result.drafts if d.type == "Observation"]
    assert [d.body.get("note") for d in found] == [["say"], None, None, None]
    assert [d.stamp.authority for d in found] == [1, 2, 1, 1]
    assert [d.stamp.at.isoformat() for d in found[:2]] == [
        "2024-01-01T07:00:00+08:00",
        "2024-01-01T08:00:00+08:00",
    ]
    assert {d.stamp.message for d in found} == {7}
    patients = {d.patient for d in result.drafts if d.type != "Practitioner"}
    assert patients == {d.id for d in result.drafts if d.type == "Patient"}
    assert {d.patient.int for d in result.drafts if d.type == "Practitioner"} == {0}


def test_the_same_business_key_gives_the_same_id_in_every_message(tmp_path: Path) -> None:
    library = write(tmp_path, "base", ORDERS)
    first = {d.id for d in run(library, ORU).drafts}
    again = {d.id for d in run(library, ORU, number=8).drafts}
    assert first == again


def test_a_missing_key_makes_nothing_and_is_told(tmp_path: Path) -> None:
    result = run(write(tmp_path, "base", ORDERS), ORU.replace("OBR|2||R2", "OBR|2||"))
    assert [f.code for f in result.findings] == ["no-key", "no-key"]
    assert len([d for d in result.drafts if d.type == "DiagnosticReport"]) == 1


def test_a_row_of_a_patient_without_number_is_an_error(tmp_path: Path) -> None:
    result = run(write(tmp_path, "base", ORDERS), ORU.replace("PID|1||P1", "PID|1||"))
    assert ("error", "no-patient") in {(f.severity, f.code) for f in result.findings}
    assert {d.type for d in result.drafts} == {"Practitioner"}


def test_the_null_erases_and_the_empty_field_does_not(tmp_path: Path) -> None:
    lines = (
        "a <- PID-5",
        "b.c <- PID-6",
        "d <- PID-7",
        'e <- PID-8 else "x"',
        "f[] <- PID-9 | CX",
    )
    library = write(tmp_path, "base", GROUPS + PATIENT + rules(*lines) + TYPES)
    result = run(library, f'{HEAD}\nPID|1||P1||""|""||""|""')
    draft = result.drafts[0]
    assert set(draft.erased) == {"a", "b.c", "f"}
    assert draft.body["e"] == "x"


def test_a_rule_can_erase_on_a_condition(tmp_path: Path) -> None:
    lines = ('a.b <- erase() if event = "A01"', 'c <- erase() if event = "A13"')
    library = write(tmp_path, "base", GROUPS + PATIENT + rules(*lines))
    assert run(library, f"{HEAD}\nPID|1||P1").drafts[0].erased == ("a.b",)


@pytest.mark.parametrize("when", ["29991231235959", "20240231", "abc"])
def test_an_event_time_that_cannot_be_gives_way_to_the_time_of_receipt(
    when: str, tmp_path: Path
) -> None:
    library = write(tmp_path, "base", GROUPS + PATIENT + rules("active <- true"))
    result = run(library, f"{HEAD}\nEVN|A01|{when}\nPID|1||P1")
    assert result.drafts[0].stamp.at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert [f.code for f in result.findings] == ["bad-time"]


MERGE = (
    GROUPS
    + """
resources:
  patient: {type: Patient, each: patient, key: [number], rules: [active <- true]}
merges:
  - {on: [ADT^A40], each: patient, kept: [number], replaced: [MRG-1.1]}
  - {on: [ADT^A37], each: patient, kept: [number], replaced: [MRG-1.1], undone: true}
"""
)


@pytest.mark.parametrize(("event", "merges"), [("A40", [False]), ("A37", [True]), ("A01", [])])
def test_merges_name_kept_and_replaced_patient(
    event: str, merges: list[bool], tmp_path: Path
) -> None:
    library = write(tmp_path, "base", MERGE)
    result = run(library, f"{HEAD.replace('A01', event)}\nPID|1||P1\nMRG|P0")
    assert [m.undone for m in result.merges] == merges
    for merge in result.merges:
        assert merge.kept == result.ident("Patient", "P1")[0]
        assert merge.replaced == result.ident("Patient", "P0")[0]
