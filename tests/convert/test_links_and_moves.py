"""Events of the national base that join, part or move records: what becomes of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversions import RECEIVED, Source

from healthhub.convert import Converter
from healthhub.mapping.library import Library
from healthhub.model import ids
from healthhub.model.resource import Converted

REAL = Library(Path(__file__).resolve().parents[2] / "mappings")
ONE, OTHER = "PID|1||P1^^^H^MR||陈^梅", "PID|2||P2^^^H^MR||陈^梅"


def told(event: str, *segments: str) -> Converted:
    """What the national base makes of an ADT event."""
    head = f"MSH|^~\\&|HIS|H|HUB|H|20240101080000||ADT^{event}|1|P|2.5"
    raw = "\r".join((head, f"EVN|{event}|20240101080000", *segments)).encode()
    return Converter("his", Source(mapping="national/hl7v2"), REAL).convert(1, raw, RECEIVED)


def key(number: str) -> object:
    """The patient with a number of assigner H."""
    return ids.derive("jcyy", "Patient", f"{number}^H")


def test_link_and_unlink_speak_of_the_same_pair_in_either_order() -> None:
    linked, parted = told("A24", ONE, OTHER), told("A37", OTHER, ONE)
    (link,), (unlink,) = linked.merges, parted.merges
    assert {link.kept, link.replaced} == {key("P1"), key("P2")}
    assert (link.kept, link.replaced) == (unlink.kept, unlink.replaced)
    assert (link.undone, unlink.undone) == (False, True)
    assert linked.findings == parted.findings == ()


@pytest.mark.parametrize("event", ["A24", "A37"])
def test_a_link_with_one_patient_says_what_is_missing(event: str) -> None:
    outcome = told(event, ONE)
    assert outcome.merges == ()
    assert [(f.code, f.where) for f in outcome.findings] == [("not-applied", "PID-3")]


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"])
def test_a_merge_joins_the_prior_number_to_the_one_that_stays(event: str) -> None:
    (merge,) = told(event, ONE, "MRG|P2^^^H^MR").merges
    assert (merge.kept, merge.replaced, merge.undone) == (key("P1"), key("P2"), False)


@pytest.mark.parametrize("event", ["A35", "A41", "A42", "A43", "A44", "A45", "A50"])
def test_accounts_and_visits_join_no_persons(event: str) -> None:
    assert told(event, ONE, "MRG|P2^^^H^MR||AC2||V1", "PV1|1|I" + "|" * 17 + "V2").merges == ()


@pytest.mark.parametrize(
    ("event", "prior", "remarked"),
    [
        ("A43", "P2^^^H^MR", True),
        ("A44", "P2^^^H^MR", True),
        ("A45", "P2^^^H^MR", True),
        ("A35", "P2^^^H^MR", True),
        ("A41", "P2^^^H^MR", True),
        ("A45", "P1^^^H^MR", False),
        ("A45", "", False),
        ("A41", "P1^^^H^MR", False),
    ],
)
def test_a_move_between_two_records_is_not_done_and_told(
    event: str, prior: str, remarked: bool
) -> None:
    outcome = told(event, ONE, f"MRG|{prior}||AC2||V1", "PV1|1|I" + "|" * 17 + "V2")
    codes = [(f.code, f.where) for f in outcome.findings]
    assert codes == ([("not-applied", "MRG-1")] if remarked else [])
    assert {d.patient for d in outcome.drafts if d.type == "Encounter"} == {key("P1")}


@pytest.mark.parametrize("event", ["A42", "A50"])
def test_the_former_number_of_a_visit_is_marked_as_an_error(event: str) -> None:
    outcome = told(event, ONE, "MRG|P1^^^H^MR||||V1", "PV1|1|I" + "|" * 17 + "V2")
    status = {
        (d.body["identifier"][0]["value"], d.stamp.authority): d.body["status"]
        for d in outcome.drafts
        if d.type == "Encounter" and "identifier" in d.body and "status" in d.body
    }
    assert status["V1", 2] == "entered-in-error"
    assert ("V2", 2) not in status


def test_a_swap_of_beds_gives_each_visit_its_own_patient_and_place() -> None:
    first = "PV1|1|I|W1^R1^B1|||W2^R2^B2" + "|" * 13 + "V1"
    second = "PV1|1|I|W2^R2^B2|||W1^R1^B1" + "|" * 13 + "V2"
    visits = [d for d in told("A17", ONE, first, OTHER, second).drafts if d.type == "Encounter"]
    places = {
        d.patient: [
            p["location"]["display"] for p in d.body["location"] if p["status"] == "active"
        ]
        for d in visits
    }
    assert places == {key("P1"): ["W1 R1 B1"], key("P2"): ["W2 R2 B2"]}
