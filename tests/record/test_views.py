"""Problems, completeness, attention, visits: what the resident's record shows of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from invented_record import GOLDEN, NOW, Chart, cc, day, newcomer

from healthhub.serve.record import page
from healthhub.serve.record.observations import State
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.page import Record
from healthhub.serve.record.problems import problems
from healthhub.serve.record.visits import timeline

POTASSIUM = ("钾", "2823-3", "mmol/L", "3.5", "5.3")


def built(chart: Chart, named: Sources) -> Record:
    return page.record(chart.bodies, GOLDEN, named, NOW, chart.older)


def condition(chart: Chart, source: str, when: str, code: Any, **more: Any) -> None:
    chart.add(
        "Condition",
        source,
        day(when),
        {"code": code, "recordedDate": f"{when}T08:00:00+08:00"} | more,
    )


def test_one_diagnosis_of_two_institutions_is_one_problem_with_first_and_last(
    named: Sources,
) -> None:
    chart = Chart()
    hypertension = ("http://hl7.org/fhir/sid/icd-10", "I10.x04", "高血压病2级")
    condition(chart, "a-his", "2024-02-01", cc("高血压病2级", hypertension))
    national = ("urn:oid:2.16.156.10011.2.3.3.11", "I10.x04", "高血压")
    condition(chart, "b-his", "2026-05-01", cc("高血压", hypertension))
    condition(chart, "b-his", "2025-05-01", cc("高血压", national))
    (problem,) = problems(chart.bodies, named)
    assert problem.first is not None
    assert problem.last is not None
    assert (problem.first.day, problem.last.day) == ("2024-02-01", "2026-05-01")
    assert problem.count == 3
    assert [m.origin.institution for m in problem.mentions] == ["hospital-b", "hospital-a"]


@pytest.mark.parametrize(
    ("more", "shown", "unsure", "over"),
    [
        ({}, 1, False, False),
        ({"verificationStatus": cc("", ("s", "provisional"))}, 1, True, False),
        ({"verificationStatus": cc("", ("s", "refuted"))}, 0, False, False),
        ({"verificationStatus": cc("", ("s", "entered-in-error"))}, 0, False, False),
        ({"clinicalStatus": cc("", ("s", "resolved"))}, 1, False, True),
    ],
)
def test_a_diagnosis_says_whether_it_stands(
    named: Sources, more: Any, shown: int, unsure: bool, over: bool
) -> None:
    chart = Chart()
    condition(chart, "a-his", "2026-05-01", cc("肺炎"), **more)
    found = problems(chart.bodies, named)
    assert len(found) == shown
    assert [(item.unsure, item.over) for item in found] == [(unsure, over)] * shown


def test_lasting_illnesses_come_first_and_an_examination_is_none(named: Sources) -> None:
    chart = Chart()
    for when in ("2024-02-01", "2026-03-01"):
        condition(chart, "a-his", when, cc("高血压"))
    for when in ("2026-04-01", "2026-04-20"):
        condition(chart, "a-his", when, cc("急性中耳炎"))
    over = {"clinicalStatus": cc("", ("s", "resolved"))}
    condition(chart, "a-his", "2026-05-01", cc("肺炎"), **over)
    icd10 = "http://hl7.org/fhir/sid/icd-10"
    for when in ("2025-05-01", "2026-05-01"):
        condition(chart, "a-his", when, cc("健康查体", (icd10, "Z00.001", "健康查体")))
    stent = (icd10, "Z95.501", "冠状动脉支架植入术后")
    condition(chart, "a-his", "2026-01-01", cc("冠状动脉支架植入术后", stent))
    shown = [problem.name.text for problem in problems(chart.bodies, named)]
    assert shown == ["高血压", "急性中耳炎", "冠状动脉支架植入术后", "肺炎"]


@pytest.mark.parametrize(
    ("place", "service", "department"),
    [
        ("肾内科 W0104 06", "肾内科", "肾内科 W0104 06"),
        ("0302", "内分泌科", "内分泌科"),
        ("0302", "", "江城市中医医院"),
        ("", "内分泌科", "内分泌科"),
    ],
)
def test_a_visit_names_its_department_rather_than_its_number(
    named: Sources, place: str, service: str, department: str
) -> None:
    chart = newcomer()
    visit = {
        "status": "finished",
        "class": {"code": "AMB"},
        "period": {"start": "2026-05-01T08:00:00+08:00"},
        "location": [{"location": {"display": place}}] if place else [],
        "serviceProvider": {"display": "江城市中医医院"},
        "serviceType": cc(service),
    }
    chart.add("Encounter", "a-his", day("2026-05-01"), visit)
    (shown,) = built(chart, named).visits
    assert shown.department == department


def test_a_diagnosis_of_a_cancelled_visit_is_nobodys(record: Record) -> None:
    assert "慢性胃炎" not in [problem.name.text for problem in record.problems]
    assert record.problems[0].last is not None


def test_completeness_counts_by_institution_and_names_who_sent_nothing(record: Record) -> None:
    strip = record.completeness
    assert {item.institution for item in strip.present} == {"hospital-a", "hospital-b"}
    assert list(strip.absent) == ["妇幼保健院"]
    assert all(item.count > 10 and item.received for item in strip.present)


def test_the_golden_patient_is_nobodys_data(named: Sources) -> None:
    chart = newcomer()
    golden = {
        "resourceType": "Patient",
        "id": "golden",
        "meta": {"source": "urn:healthhub:person", "lastUpdated": "2026-11-24T00:00:00Z"},
    }
    chart.bodies.append(golden)
    strip = built(chart, named).completeness
    assert [(item.institution, item.count) for item in strip.present] == [("hospital-a", 1)]


def test_a_critical_result_comes_with_what_was_measured_since(record: Record) -> None:
    (critical,) = record.attention.critical
    assert (critical.reading.value.text, critical.reading.name.text) == ("6.8", "钾")
    assert critical.since is not None
    assert critical.since.value.text == "4.6"


@pytest.mark.parametrize(
    ("age", "flag", "status", "critical"),
    [
        (1, "HH", "final", 1),
        (1, "LL", "preliminary", 1),
        (89, "HH", "final", 1),
        (91, "HH", "final", 0),
        (1, "H", "final", 0),
        (1, "HH", "cancelled", 0),
    ],
)
def test_what_is_critical_and_recent_and_stands_needs_attention(
    named: Sources, age: int, flag: str, status: str, critical: int
) -> None:
    chart = newcomer()
    when = NOW - timedelta(days=age)
    chart.result("a-lis", when, POTASSIUM, "6.9", flag=flag, status=status)
    assert len(built(chart, named).attention.critical) == critical


def test_corrected_withdrawn_and_doubled_are_told(record: Record) -> None:
    assert [item.value.text for item in record.attention.corrected] == ["128"]
    assert [item.name.text for item in record.attention.withdrawn] == ["血红蛋白"]
    assert [item.latest.name.text for item in record.attention.duplicated] == [
        "苯磺酸氨氯地平片 5mg"
    ]


def test_a_record_of_nothing_needs_no_attention(named: Sources) -> None:
    assert not built(newcomer(), named).attention


def test_a_correction_shows_the_value_that_it_replaced(record: Record) -> None:
    (corrected,) = [item for item in record.readings if item.state is State.CORRECTED]
    assert (corrected.value.text, corrected.replaced) == ("128", ("182",))


def test_visits_are_filtered_by_institution_and_kind_and_the_counts_stay(
    record: Record,
) -> None:
    every = timeline(record.visits)
    assert every.total == len(every.visits) == len(record.visits)
    inpatient = timeline(record.visits, "hospital-a", "inpatient")
    (stay,) = inpatient.visits
    assert stay.days == 11
    assert [d.name for d in stay.diagnoses] == ["糖尿病肾病", "高钾血症", "高血压病2级"]
    assert inpatient.total == every.total
    assert sum(choice.count for choice in inpatient.kinds) == every.total
    assert timeline(record.visits, "nowhere").visits == ()


def test_visits_stand_latest_first_and_a_cancelled_one_says_so(record: Record) -> None:
    starts = [visit.start.at for visit in record.visits if visit.start]
    assert starts == sorted(starts, reverse=True)
    assert [visit.department for visit in record.visits if visit.cancelled] == ["脾胃病科门诊"]
