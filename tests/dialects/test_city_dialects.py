"""Six dialects of systems that are no hospital's: what each promises, whatever its form."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import psycopg
import pytest
from dialects import (
    LIBRARY,
    NAMES,
    RECEIVED,
    converted,
    converter,
    messages,
    of,
    sample,
    sent,
    state,
)

from healthhub.convert.coverage import unread
from healthhub.convert.samples import outcome, raws, samples

LEFT = {
    "cdc-immunisation": {
        "/vaccinationInfo/child/inTime",
        "/vaccinationInfo/records/record/doctor",
    },
    "emergency-120": {"TRP-呼救电话", "TRP-任务状态"},
}
"""What a dialect leaves alone on purpose; its files say why."""
READ_BY_CONDITIONS = {"msgTime", "planned", "source", "status"}


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_the_samples_is_read_or_left_alone_on_purpose(name: str) -> None:
    found = {
        f"{each.segment}-{each.name}" if each.field else each.segment
        for each in unread(LIBRARY, name, samples(LIBRARY, name))
    }
    # of a tree, what a condition alone reads, or what stands empty or unusable, is told as well
    if name == "cdc-immunisation":
        everywhere = {place for place in found if place in LEFT[name]}
        assert everywhere == LEFT[name]
        return
    assert found == LEFT.get(name, set())


FOUND = [
    ("insurance-settlement", "insured.views", {
        ("unknown-code", "PSN-naty", "77"), ("unknown-code", "INS-insutype", "888"),
        ("rejected", "PSN_INFO_B.csv row 4 column psn_no", "")}),
    ("insurance-settlement", "outpatient.views", {("unknown-code", "FEE[4]", "99")}),
    ("insurance-settlement", "paid-back.views", {("rejected", "FEE_LIST_D.csv row 11", "")}),
    ("insurance-settlement", "pharmacy-and-void.views", {
        ("unknown-code", "SET-med_type", "77"), ("bad-date", "SET-setl_time", "2026-13-05 10:00:00")}),
    ("blood-station", "stock.gb18030.views", {
        ("unknown-code", "BAG-cpm", "20999"), ("unknown-code", "BAG-zt", "7"),
        ("unknown-code", "BAG-abo", "H"), ("unknown-code", "BAG-rhd", "?"),
        ("bad-date", "BAG-cxrq", "2026-02-30 08:00:00"), ("rejected", "V_XD.csv row 7 column xdtm", "")}),
    ("blood-station", "transfusion.gb18030.views", {
        ("placeholder", "TRF-csrq", "19000101"), ("unknown-code", "TRF-blfylx", "8"),
        ("unknown-code", "TRF-abo", "Z"), ("rejected", "V_SXFK.csv row 6 column hzbh", "")}),
    ("emergency-120", "two-patients.gb18030.views", {
        ("unknown-code", "PRE[2]-triage", "V级"), ("unknown-code", "PRE[2]-outcome", "送院后转院")}),
    ("exam-vehicle", "健康体检登记_20260317.xlsx", {
        ("unknown-code", "EXM-healthStatus", "7"), ("unknown-code", "EXM-protein", "++++"),
        ("rejected", "健康体检登记_20260317.xlsx sheet 体检登记 row 7 column healthCheck", "")}),
    ("drug-distribution", "配送明细_九康_20260304.gb18030.csv", {
        ("unknown-code", "DLV-state", "5"), ("no-key", "DLV-batch", "")}),
    ("cdc-immunisation", "not-done.gb18030.xml", {
        ("unknown-code", "/vaccinationInfo/records/record[2]/reason", "7")}),
    ("cdc-immunisation", "unknown-codes.xml", {
        ("bad-date", "/vaccinationInfo/child/birthday", "20190230"),
        ("unknown-code", "/vaccinationInfo/child/nationCode", "60"),
        ("unknown-code", "/vaccinationInfo/records/record[1]/inocuState", "8"),
        ("unknown-code", "/vaccinationInfo/records/record[1]/vaccinationId", "9901"),
        ("unknown-code", "/vaccinationInfo/records/record[1]/inoculationSite", "8"),
        ("unknown-code", "/vaccinationInfo/records/record[1]/inoculationWay", "口服"),
        ("unknown-code", "/vaccinationInfo/records/record[1]/manufacturer", "99"),
        ("bad-date", "/vaccinationInfo/records/record[2]/vaccinationTime", "20251340"),
        ("bad-date", "/vaccinationInfo/records/record[2]/operateTime", "20251340"),
        ("bad-time", "/vaccinationInfo/records/record[2]/operateTime", "20251340"),
        ("placeholder", "/vaccinationInfo/records/record[2]/validDate", "99991231")}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file", "expected"), FOUND, ids=[f"{n}/{f}" for n, f, _ in FOUND]
)
def test_what_is_wrong_with_a_row_is_told_with_its_place(
    name: str, file: str, expected: set[tuple[str, str, str]]
) -> None:
    told = orjson.loads(outcome(LIBRARY, name, sample(name, file)))["findings"]
    assert {(f["code"], f["where"], f["value"]) for f in told} == expected


@pytest.mark.parametrize("name", NAMES)
def test_explain_names_the_very_bytes_of_a_cell(name: str) -> None:
    exact = 0
    for one in samples(LIBRARY, name):
        for raw in (r for r in raws(LIBRARY, name, one) if isinstance(r, bytes)):
            told = converter(name, one.charset).explain(1, raw, RECEIVED)
            codec = one.charset if raw[:1] == b"<" else "utf-8"
            for each, span in itertools.chain.from_iterable(
                zip([e] * len(e.spans), e.spans, strict=True) for e in told
            ):
                piece = raw[span[0] : span[1]].decode(codec)
                assert piece.strip().strip('"'), each
                exact += piece.strip('"') == str(each.value)
    assert exact > 40


def by_number(bodies: Any, number: str) -> dict[str, Any]:
    [found] = [
        body
        for body in bodies
        if any(i.get("value") == number for i in body.get("identifier", ()))
    ]
    return found


def test_a_settlement_that_was_paid_back_is_cancelled_whichever_comes_first(
    database: str,
) -> None:
    told = messages("insurance-settlement", [sample("insurance-settlement", "paid-back.views")])
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, "insurance-settlement", told)
        stored = state(conn)
    benefits = [b for (kind, _), b in stored.items() if kind == "ExplanationOfBenefit"]
    first = by_number(benefits, "429004S202602110007")
    back = by_number(benefits, "429004S202602120001")
    again = by_number(benefits, "429004S202602120002")
    assert (first["status"], back["status"], again["status"]) == (
        "cancelled",
        "cancelled",
        "active",
    )
    assert first["created"].startswith("2026-02-11T11:20")
    assert first["payment"]["amount"]["value"] == 3225.5
    assert back["payment"]["amount"]["value"] == -3225.5
    assert back["related"][0]["claim"]["reference"] == first["claim"]["reference"]
    claims = {b["id"]: b["status"] for (kind, _), b in stored.items() if kind == "Claim"}
    assert sorted(claims.values()) == ["active", "cancelled", "cancelled"]


def test_a_withdrawn_dose_is_in_error_and_the_right_one_stands(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, "cdc-immunisation", messages("cdc-immunisation"))
        doses = [b for (kind, _), b in state(conn).items() if kind == "Immunization"]
    wrong = by_number(doses, "4290040101202500317-003")
    right = by_number(doses, "4290040101202500317-004")
    assert (wrong["status"], right["status"]) == ("entered-in-error", "completed")
    assert right["protocolApplied"][0]["doseNumberPositiveInt"] == 1
    assert right["lotNumber"] == "P2502011"


def test_a_recall_stands_on_its_unit_until_it_is_taken_back(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, "blood-station", messages("blood-station"))
        stored = state(conn)
    units = [b for (kind, _), b in stored.items() if kind == "BiologicallyDerivedProduct"]
    recalled = [u for u in units if "modifierExtension" in u]
    assert [u["identifier"][0]["value"] for u in recalled] == ["4290042602230117"]
    assert recalled[0]["productCode"]["coding"][0]["code"] == "30120"
    notices = [b["status"] for (kind, _), b in stored.items() if kind == "Communication"]
    assert sorted(notices) == ["completed", "entered-in-error"]
    transfused = [b for (kind, _), b in stored.items() if kind == "Procedure"]
    named = {
        e["valueReference"]["reference"]
        for b in transfused
        for e in b["extension"]
        if "valueReference" in e
    }
    assert f"BiologicallyDerivedProduct/{recalled[0]['id']}" in named


def test_the_marks_of_a_trip_stand_in_their_order() -> None:
    [visit] = of(converted("emergency-120", "trip.gb18030.views"), "Encounter")
    [times] = [e for e in visit["extension"] if e["url"].endswith("/emergency-times")]
    marks = {e["url"]: e["valueDateTime"] for e in times["extension"]}
    order = "call dispatch departure scene-arrival scene-departure hospital-arrival handover"
    assert list(marks) == order.split()
    assert sorted(marks.values()) == list(marks.values())
    assert visit["class"]["code"] == "EMER"
    states = [(h["status"], h["period"]["start"]) for h in visit["statusHistory"]]
    assert states == [
        ("planned", marks["call"]),
        ("arrived", marks["scene-arrival"]),
        ("in-progress", marks["scene-departure"]),
    ]


def test_two_people_of_one_trip_have_a_visit_each_and_an_empty_trip_has_none() -> None:
    both = converted("emergency-120", "two-patients.gb18030.views")
    assert len({v["subject"]["reference"] for v in of(both, "Encounter")}) == 2
    empty = converted("emergency-120", "empty-and-removed.gb18030.views")
    calls = {c["identifier"][0]["value"]: c["status"] for c in of(empty, "Communication")}
    assert calls["T20260304003"] == "not-done"
    assert calls["T20260304004"] == "entered-in-error"
    assert {v["status"] for v in of(empty, "Encounter")} == {"entered-in-error"}


def test_the_unit_of_a_result_is_that_of_its_caption() -> None:
    found = converted("exam-vehicle", "体检登记_2号车.gb18030.csv")
    glucose = [o for o in of(found, "Observation") if o["code"].get("text") == "空腹血糖"]
    assert {o["valueQuantity"]["code"] for o in glucose} == {"mg/dL"}
    metric = converted("exam-vehicle", "健康体检登记_20260317.xlsx")
    units = {
        o["code"]["coding"][0]["code"]: o["valueQuantity"]["code"]
        for o in of(metric, "Observation")
        if "valueQuantity" in o
    }
    assert (units["14771-0"], units["718-7"], units["8302-2"]) == ("mmol/L", "g/L", "cm")
    [report] = [
        r for r in of(metric, "DiagnosticReport") if "血压偏高" in r.get("conclusion", "")
    ]
    assert len(report["result"]) > 25


def test_a_delivery_names_batch_expiry_quantity_and_receiver() -> None:
    found = converted("drug-distribution", "配送明细_九康_20260304.gb18030.csv")
    delivery = by_number(of(found, "SupplyDelivery"), "PS20260303001-2")
    key = delivery["suppliedItem"]["itemReference"]["reference"].partition("/")[2]
    [batch] = [m for m in of(found, "Medication") if m["id"] == key]
    assert batch["batch"] == {"lotNumber": "C25-1208", "expirationDate": "2027-11"}
    assert delivery["suppliedItem"]["quantity"]["value"] == 480
    place = delivery["destination"]["reference"].partition("/")[2]
    [store] = {s["id"]: s for s in of(found, "Location") if s["id"] == place}.values()
    assert store["identifier"][0]["value"] == "H42900400001"
