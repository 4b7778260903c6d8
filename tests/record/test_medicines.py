"""Medicines: one list across institutions; what is taken twice is seen."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from invented_record import Chart, _drug, day

from healthhub.serve.record.medicines import Medicines, drug_key, medicines
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.reading import concept

TODAY = date(2026, 11, 24)
NORVASC = "C08CA01"


def listed(named: Sources, *orders: tuple[Any, ...], **more: Any) -> Medicines:
    """Orders of (source, day, name, days, status, ATC code)."""
    chart = Chart()
    for source, when, name, days, status, atc in orders:
        _drug(
            chart, source, day(when), name, ("5", "mg"), "QD", days=days, status=status, atc=atc
        )
    bodies = [body | more for body in chart.bodies]
    return medicines(bodies, named, TODAY, {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("氨氯地平片 5mg", "氨氯地平片(络活喜) 5mg", True),
        ("氨氯地平片 5mg", "氨氯地平片 10mg×14", True),
        ("盐酸二甲双胍缓释片 0.5g", "二甲双胍片 0.5g", True),
        ("琥珀酸美托洛尔缓释片", "酒石酸美托洛尔片", True),
        ("苯磺酸氨氯地平片", "氨氯地平胶囊", True),
        ("阿托伐他汀钙片 20mg", "阿托伐他汀片", True),
        ("左氧氟沙星片", "左氧氟沙星滴眼液", False),
        ("碳酸钙片", "碳酸氢钠片", False),
        ("葡萄糖酸钙片", "葡萄糖酸锌片", False),
        ("硫酸镁", "盐酸镁", False),
        ("氨氯地平片", "硝苯地平片", False),
    ],
)
def test_one_drug_is_told_by_its_generic_name_without_strength_brand_salt_and_form(
    one: str, other: str, same: bool
) -> None:
    assert (drug_key(concept({"text": one})) == drug_key(concept({"text": other}))) is same


def test_the_same_substance_of_two_institutions_is_one_medicine_taken_twice(
    named: Sources,
) -> None:
    found = listed(
        named,
        ("a", "2026-11-08", "苯磺酸氨氯地平片 5mg", 28, "active", NORVASC),
        ("b", "2026-11-02", "氨氯地平片(络活喜) 5mg", 30, "active", NORVASC),
    )
    (medicine,) = found.current
    assert medicine.duplicated
    assert [item.origin.institution for item in medicine.sources] == [
        "hospital-a",
        "hospital-b",
    ]


def test_renewed_at_one_institution_it_is_no_duplicate_and_the_latest_is_shown(
    named: Sources,
) -> None:
    found = listed(
        named,
        ("a", "2026-10-20", "氨氯地平片", 28, "active", NORVASC),
        ("a", "2026-11-17", "氨氯地平片", 28, "active", NORVASC),
    )
    (medicine,) = found.current
    assert not medicine.duplicated
    assert medicine.count == 2
    assert medicine.latest.written is not None
    assert medicine.latest.written.day == "2026-11-17"


@pytest.mark.parametrize(
    ("when", "days", "status", "where"),
    [
        ("2026-11-08", 28, "active", "current"),
        ("2026-10-01", 28, "active", "current"),
        ("2026-08-01", 28, "active", "earlier"),
        ("2026-07-01", None, "active", "current"),
        ("2026-05-01", None, "active", "earlier"),
        ("2026-11-08", 28, "stopped", "earlier"),
        ("2026-11-08", 28, "completed", "earlier"),
        ("2026-11-08", 28, "entered-in-error", "nowhere"),
        ("2026-11-08", 28, "draft", "nowhere"),
    ],
)
def test_a_prescription_is_current_until_its_supply_and_a_grace_have_passed(
    named: Sources, when: str, days: int | None, status: str, where: str
) -> None:
    found = listed(named, ("a", when, "缬沙坦胶囊", days, status, ""))
    assert (len(found.current), len(found.earlier)) == {
        "current": (1, 0),
        "earlier": (0, 1),
        "nowhere": (0, 0),
    }[where]


def test_one_whose_supply_ran_out_is_shown_and_says_so(named: Sources) -> None:
    found = listed(named, ("a", "2026-10-20", "黄葵胶囊", 21, "active", ""))
    assert found.current[0].latest.expired(TODAY)


def test_an_order_of_a_stay_without_an_end_is_current_for_a_month(named: Sources) -> None:
    inpatient = {"category": [{"coding": [{"code": "inpatient"}]}]}
    order = ("a", "2026-10-01", "呋塞米片", None, "active", "")
    assert listed(named, order).current
    assert listed(named, order, **inpatient).earlier


def test_stopped_once_and_taken_again_it_is_in_the_current_list_alone(named: Sources) -> None:
    found = listed(
        named,
        ("a", "2026-06-01", "缬沙坦胶囊", 28, "stopped", ""),
        ("a", "2026-11-08", "缬沙坦胶囊", 28, "active", ""),
    )
    assert len(found.current) == 1
    assert not found.earlier


def test_a_text_stands_where_the_dosage_is_not_structured(named: Sources) -> None:
    text = {"dosageInstruction": [{"text": "遵医嘱"}]}
    found = listed(named, ("a", "2026-11-08", "黄葵胶囊", 21, "active", ""), **text)
    assert found.current[0].latest.dosage.text == "遵医嘱"
