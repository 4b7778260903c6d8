"""WS/T 500 documents: every kind by its header, ten by entry, the original byte for byte."""

from __future__ import annotations

import base64
import itertools

import pytest
from conversion import MAPPINGS, RECEIVED, convert, converter, of
from documents import TITLES, document, icd, observation, organizer, section
from filled import FILLED

from healthhub.model import validate
from healthhub.model.resource import Draft


@pytest.mark.parametrize("code", TITLES)
def test_each_of_the_53_kinds_gives_person_document_and_original(code: str) -> None:
    raw = document(code)
    converted = convert(raw)
    [reference] = of(converted, "DocumentReference")
    [binary] = of(converted, "Binary")
    [patient] = of(converted, "Patient")
    assert base64.b64decode(binary["data"]) == raw
    assert reference["content"][0]["attachment"]["url"] == f"Binary/{binary['id']}"
    assert reference["type"]["coding"][0]["code"] == code
    assert reference["type"]["text"] == reference["description"] == TITLES[code]
    assert reference["subject"]["reference"] == f"Patient/{patient['id']}"
    assert patient["identifier"][0]["value"] == "330102198003076328"
    assert {"Encounter", "Practitioner", "Organization"} <= {d.type for d in converted.drafts}
    assert converted.findings == ()
    for draft in converted.drafts:
        validate.check(draft.body)


@pytest.mark.parametrize("name", FILLED)
def test_a_sample_is_what_the_builder_writes(name: str) -> None:
    shipped = MAPPINGS / "national" / "cda" / "samples" / f"{name}.xml"
    assert shipped.read_bytes() == FILLED[name]()


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("c0001-summary", "MedicationStatement", 1),
        ("c0001-summary", "FamilyMemberHistory", 1),
        ("c0001-summary", "AllergyIntolerance", 1),
        ("c0002-outpatient", "Condition", 1),
        ("c0002-outpatient", "MedicationRequest", 1),
        ("c0002-outpatient", "ServiceRequest", 1),
        ("c0004-prescription", "MedicationRequest", 2),
        ("c0006-examination", "DiagnosticReport", 1),
        ("c0007-laboratory", "DiagnosticReport", 1),
        ("c0009-operation", "Procedure", 1),
        ("c0009-operation", "Condition", 2),
        ("c0032-front-page", "Condition", 2),
        ("c0034-admission", "Condition", 1),
        ("c0037-first-note", "Condition", 3),
        ("c0053-discharge", "Condition", 2),
    ],
)
def test_a_kind_read_by_entry_gives_its_resources(name: str, kind: str, count: int) -> None:
    assert len(of(convert(FILLED[name]()), kind)) == count


def test_no_two_drafts_of_a_document_share_an_id() -> None:
    for name, build in FILLED.items():
        drafts = [d for d in convert(build()).drafts if d.type != "Organization"]
        twins = [d for d in drafts if sum((d.type, d.id) == (e.type, e.id) for e in drafts) > 1]
        assert [d for d in twins if d.type != "Practitioner"] == [], name


def test_a_report_has_its_items_with_number_unit_and_mark() -> None:
    converted = convert(FILLED["c0007-laboratory"]())
    [report] = of(converted, "DiagnosticReport")
    items = {o["code"]["text"]: o for o in of(converted, "Observation")}
    glucose = items["葡萄糖"]
    assert float(glucose["valueQuantity"]["value"]) == 6.8
    assert glucose["valueQuantity"]["code"] == "mmol/L"
    assert glucose["interpretation"][0]["coding"][0]["code"] == "A"
    assert items["肌酐"]["valueQuantity"]["code"] == "umol/L"
    assert {r["reference"] for r in report["result"]} == {
        f"Observation/{items[name]['id']}" for name in ("葡萄糖", "肌酐")
    }
    assert report["conclusion"] == "空腹血糖偏高"


def test_a_vital_sign_of_zero_was_not_measured_and_blood_pressure_is_one() -> None:
    codes = [
        o["code"]["coding"][0]["code"]
        for o in of(convert(FILLED["c0034-admission"]()), "Observation")
    ]
    assert codes.count("85354-9") == 1
    assert "29463-7" not in codes


@pytest.mark.parametrize(
    ("display", "status"),
    [
        ("初步诊断-西医诊断编码", "provisional"),
        ("鉴别诊断-西医诊断名称", "differential"),
        ("确定诊断", "confirmed"),
    ],
)
def test_the_name_of_a_diagnosis_says_how_sure_it_is(display: str, status: str) -> None:
    raw = document(
        "C0037",
        [
            section(
                "29548-5", "Diagnosis", observation("05.01.024", display, icd("I10", "高血压"))
            )
        ],
    )
    [condition] = of(convert(raw), "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == status


def test_the_same_diagnosis_in_two_documents_of_a_visit_is_one() -> None:
    entry = organizer(observation("05.01.024", "出院诊断编码", icd("I10.x00", "高血压")))
    part = section("11535-2", "HOSPITAL DISCHARGE DX", entry)
    first = of(convert(document("C0049", [part], number="A")), "Condition")
    second = of(convert(document("C0053", [part], number="B")), "Condition")
    assert first[0]["id"] == second[0]["id"]


def test_a_later_version_supersedes_what_it_replaces() -> None:
    old = of(convert(document("C0049", number="V1")), "DocumentReference")[0]
    converted = convert(document("C0049", number="V2", replaces="V1"))
    by_id = {str(d.id): d for d in converted.drafts if d.type == "DocumentReference"}
    stub = by_id.pop(old["id"])
    [new] = by_id.values()
    assert stub.body["status"] == "superseded"
    assert stub.stamp.authority > new.stamp.authority
    assert new.body["relatesTo"][0]["code"] == "replaces"
    assert new.body["relatesTo"][0]["target"]["reference"].endswith(old["id"])


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("202603", None),
        ("20260305", "2026-03-05"),
        ("20261305101500", None),
        ("0", None),
        ("", None),
    ],
)
def test_an_unusable_time_is_left_out_and_told_never_now(at: str, shown: str | None) -> None:
    converted = convert(document("C0002", at=at))
    [reference] = of(converted, "DocumentReference")
    if shown:
        assert reference["date"].startswith(shown)
    else:
        assert "2026-03-10" not in reference.get("date", "")


def test_an_unknown_code_is_kept_and_flagged() -> None:
    raw = FILLED["c0007-laboratory"]().replace("异常".encode(), "见附注".encode())
    converted = convert(raw)
    assert [(f.code, f.value) for f in converted.findings] == [("unknown-code", "见附注")]
    kept = [o for o in of(converted, "Observation") if o.get("interpretation")]
    assert any(o["interpretation"][0]["text"] == "见附注" for o in kept)


def test_the_same_document_twice_gives_the_same() -> None:
    for build in FILLED.values():
        assert convert(build()) == convert(build())


def _named(draft: Draft) -> str:
    return f"{draft.type}/{draft.id}"


@pytest.mark.parametrize("name", FILLED)
def test_explain_names_the_exact_bytes(name: str) -> None:
    raw = FILLED[name]()
    told = converter("national/cda").explain(1, raw, RECEIVED)
    assert {e.resource for e in told} == {_named(d) for d in convert(raw).drafts}
    plain = [e for e in told if e.spans and isinstance(e.value, str) and len(e.spans) == 1]
    assert len(plain) > 20
    same = [e for e in plain if raw[slice(*e.spans[0])].decode() == e.value]
    assert len(same) > 10
    for each, span in itertools.chain.from_iterable(
        zip([e] * len(e.spans), e.spans, strict=True) for e in told
    ):
        assert 0 <= span[0] < span[1] <= len(raw), each
        assert raw[span[0] : span[1]].strip(), each
