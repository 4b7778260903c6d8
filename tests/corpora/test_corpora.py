"""Messages that nobody here wrote: each yields what a person agrees with, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from corpora import FOLDER, RECEIVED, convert, converter, expected
from telling import tell

from healthhub.model.resource import Body, Converted
from healthhub.model.validate import check

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the corpora are not beside the checkout"
)

GENERAL = sorted(FOLDER.glob("hl7v2-general/*.hl7"))
CHINA = sorted(FOLDER.glob("hl7v2-china/*.hl7"))


def name_of(path: Path) -> str:
    """``ADT-A01-01``; both encodings of a Chinese layout share the expectation of one."""
    return path.name.removesuffix(".hl7").replace(".gb18030", ".utf8")


def one(outcome: Converted, kind: str) -> Body:
    """The only resource of a type."""
    found = [draft.body for draft in outcome.drafts if draft.type == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


def general(name: str) -> Converted:
    """A general message by name."""
    return convert(FOLDER / "hl7v2-general" / f"{name}.hl7")


def test_all_messages_are_there_and_each_has_an_expectation() -> None:
    assert (len(GENERAL), len(CHINA)) == (59, 10)
    assert {name_of(path) for path in [*GENERAL, *CHINA]} == set(expected())


@pytest.mark.parametrize("path", [*GENERAL, *CHINA], ids=lambda path: path.name)
def test_a_message_yields_what_a_person_reads_in_it(path: Path) -> None:
    outcome = convert(path)
    assert tell(outcome) == expected()[name_of(path)]
    stated: dict[tuple[str, object], Body] = {}
    for draft in outcome.drafts:
        stated[draft.type, draft.id] = stated.get((draft.type, draft.id), {}) | draft.body
    for whole in stated.values():
        check(whole)
    for draft in outcome.drafts:
        assert draft.body["id"] == str(draft.id)
        assert draft.body["meta"]["source"] == "urn:healthhub:source:corpus#1"


@pytest.mark.parametrize("path", [p for p in CHINA if ".utf8." in p.name], ids=lambda p: p.name)
def test_both_encodings_of_a_chinese_message_yield_the_same(path: Path) -> None:
    twin = convert(path.with_name(path.name.replace(".utf8.", ".gb18030.")))
    assert convert(path) == twin


@pytest.mark.parametrize("path", [*GENERAL, *CHINA], ids=lambda path: path.name)
def test_a_message_converted_again_yields_the_same_ids(path: Path) -> None:
    charset = "gb18030" if ".gb18030." in path.name else "utf-8"
    again = converter(charset).convert(2, path.read_bytes(), RECEIVED)
    first = convert(path)
    assert [(d.type, d.id, d.patient) for d in again.drafts] == [
        (d.type, d.id, d.patient) for d in first.drafts
    ]


@pytest.mark.parametrize("path", GENERAL, ids=lambda path: path.name)
def test_no_reference_to_a_clinical_resource_leads_nowhere(path: Path) -> None:
    outcome = convert(path)
    made = {f"{draft.type}/{draft.id}" for draft in outcome.drafts}
    later = {"DocumentReference"}
    """What a reference may name before its message comes: the document that this one appends."""
    for draft in outcome.drafts:
        for reference in references(draft.body):
            assert reference in made or reference.partition("/")[0] in later, draft.type


def references(value: Any) -> list[str]:
    """All literal references in a resource."""
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for part in value.values() for found in references(part)]
    if isinstance(value, list):
        return [found for part in value for found in references(part)]
    return []


def test_lines_may_end_in_any_way() -> None:
    raw = (FOLDER / "hl7v2-general" / "LAB-ORU-1.hl7").read_bytes()
    plain = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\n", b"\r")
    outcomes = [
        converter().convert(1, text, RECEIVED)
        for text in (raw, plain, plain.replace(b"\r", b"\r\n"), b"\xef\xbb\xbf" + plain)
    ]
    assert outcomes[1:] == outcomes[:1] * 3


def test_a_merge_names_the_record_that_stays_and_the_one_that_goes() -> None:
    outcome = general("ADT-A40-01")
    merge = outcome.merges[0]
    assert str(merge.kept) == one(outcome, "Patient")["id"]
    assert merge.replaced != merge.kept
    assert not merge.undone


def test_a_discharge_undone_empties_the_end_of_the_visit() -> None:
    outcome = general("ADT-A13-01")
    draft = next(d for d in outcome.drafts if d.type == "Encounter")
    assert draft.body["status"] == "in-progress"
    assert "period.end" in draft.erased


def test_admission_and_its_cancellation_speak_of_the_same_visit() -> None:
    ids = {
        one(general(name), "Encounter")["id"]
        for name in ("ADT-A01-01", "ADT-A03-01", "ADT-A11-01")
    }
    assert len(ids) == 1


def test_a_preliminary_and_a_final_report_write_the_same_observations() -> None:
    first, last = (
        {d.id for d in general(name).drafts if d.type == "Observation"}
        for name in ("LAB-ORU-1", "LAB-ORU-2")
    )
    assert len(first) == 10
    assert first == last


def test_an_order_and_its_result_write_the_same_request() -> None:
    order = one(general("LAB-ORM-1"), "ServiceRequest")["id"]
    answered = {str(d.id) for d in general("LAB-ORU-1").drafts if d.type == "ServiceRequest"}
    assert order in answered


def test_a_problem_deleted_is_marked_as_entered_in_error() -> None:
    body = one(general("PC1-Problem-Delete-v2.3.1"), "Condition")
    assert body["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in body
    assert body["note"] == [{"text": "Patient reported problem was a mistake."}]


def test_numbers_keep_the_digits_of_the_source() -> None:
    outcome = convert(FOLDER / "hl7v2-china" / "oul_r24_lis_2.5.1.utf8.hl7")
    value = one(outcome, "Observation")["valueQuantity"]
    assert str(value["value"]) == "290.00"
    assert value["code"] == "umol/L"


def test_a_message_of_nothing_but_its_head_says_so() -> None:
    outcome = convert(FOLDER / "hl7v2-china" / "ras_o17_msh_2.6.utf8.hl7")
    assert not outcome.drafts
    assert [finding.code for finding in outcome.findings] == ["nothing"]
    assert "holds only MSH" in outcome.findings[0].detail
