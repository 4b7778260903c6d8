"""Doses told twice, ambulance times, check-ups, procedures and settlements on the record page."""

from __future__ import annotations

from typing import Any

import pytest
from invented_record import GOLDEN, NOW, Chart, cc, day, newcomer
from markup import read
from page_stage import HOSTILE, app
from serving import answering

from healthhub.serve.record import page
from healthhub.serve.record.origin import Sources, sources
from healthhub.serve.record.page import Record
from healthhub.settings import Settings

CVX, LOCAL, OTHER = "http://hl7.org/fhir/sid/cvx", "urn:a:vaccine", "urn:b:vaccine"
SUM = "https://healthhub.dev/fhir/CodeSystem/nhsa-sum"
TIMES = "https://healthhub.dev/fhir/StructureDefinition/emergency-times"
SNOMED = "http://snomed.info/sct"


def built(chart: Chart, named: Sources) -> Record:
    return page.record(chart.bodies, GOLDEN, named, NOW)


def dose(chart: Chart, source: str, when: str, **more: Any) -> None:
    body: dict[str, Any] = {
        "status": "completed",
        "vaccineCode": cc("乙肝疫苗", (LOCAL, "0201")),
        "occurrenceDateTime": f"{when}T09:00:00+08:00",
        "protocolApplied": [{"doseNumberPositiveInt": 1}],
    }
    chart.add("Immunization", source, day(when), body | more)


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, 1),
        ({"vaccineCode": cc("重组乙型肝炎疫苗", (CVX, "08"), (OTHER, "0201"))}, 1),
        ({"occurrenceDateTime": "2026-03-01"}, 1),
        ({"protocolApplied": []}, 1),
        ({"protocolApplied": [{"doseNumberPositiveInt": 2}]}, 2),
        ({"occurrenceDateTime": "2026-03-02T09:00:00+08:00"}, 2),
        ({"vaccineCode": cc("卡介苗", (OTHER, "0101"))}, 2),
        ({"vaccineCode": cc("别的疫苗", (CVX, "02"), (OTHER, "02"))}, 2),
        ({"status": "not-done"}, 2),
        ({"status": "entered-in-error"}, 1),
    ],
)
def test_a_dose_that_two_institutions_tell_of_is_shown_once(
    named: Sources, more: dict[str, Any], shown: int
) -> None:
    chart = newcomer()
    dose(chart, "a-his", "2026-03-01")
    dose(chart, "b-his", "2026-03-01", **more)
    found = built(chart, named).immunisations
    assert len(found) == shown
    whole = sum(len(item.mentions) for item in found)
    assert whole == (1 if more.get("status") == "entered-in-error" else 2)


def test_two_doses_of_one_institution_are_never_made_one(named: Sources) -> None:
    chart = newcomer()
    dose(chart, "a-his", "2026-03-01")
    dose(chart, "a-his", "2026-03-01")
    assert len(built(chart, named).immunisations) == 2


def test_the_richer_of_two_accounts_of_a_dose_is_shown(named: Sources) -> None:
    chart = newcomer()
    dose(chart, "a-his", "2026-03-01")
    maker = {"display": "泽生生物"}
    dose(chart, "b-his", "2026-03-01", lotNumber="H2411", manufacturer=maker)
    [shown] = built(chart, named).immunisations
    assert (shown.lot, shown.maker) == ("H2411", "泽生生物")
    assert {told.origin.institution for told in shown.mentions} == {"hospital-a", "hospital-b"}


def trip(chart: Chart) -> None:
    marks = (
        ("call", "07:01"),
        ("scene-arrival", "07:12"),
        ("handover", "07:48"),
        ("x", "07:50"),
    )
    parts = [{"url": name, "valueDateTime": f"2026-03-02T{at}:00+08:00"} for name, at in marks]
    chart.add("Encounter", "a-his", day("2026-03-02"), {
        "status": "finished", "class": {"code": "EMER"},
        "period": {"start": "2026-03-02T07:01:00+08:00"},
        "extension": [{"url": TIMES, "extension": parts}, {"url": "urn:other", "valueString": "x"}],
    })  # fmt: skip


def test_a_trip_shows_its_times_in_order_and_only_known_ones(named: Sources) -> None:
    chart = newcomer()
    trip(chart)
    [visit] = built(chart, named).visits
    assert visit.kind == "emergency"
    assert [(m.name, m.at.text[11:]) for m in visit.marks] == [
        ("call", "07:01"),
        ("scene-arrival", "07:12"),
        ("handover", "07:48"),
    ]


def test_a_check_up_is_a_kind_of_visit_of_its_own(named: Sources) -> None:
    chart = newcomer()
    chart.add("Encounter", "a-his", day("2026-03-02"), {
        "status": "finished", "class": {"code": "FLD"}, "type": [cc("体检", (SNOMED, "185349003"))],
    })  # fmt: skip
    [visit] = built(chart, named).visits
    assert visit.kind == "checkup"


def settlement(chart: Chart, when: str, status: str = "active", **more: Any) -> None:
    sums = {"medfee_sumamt": 1186.4, "fund_pay_sumamt": 134.37, "psn_part_amt": 1052.03}
    chart.add("ExplanationOfBenefit", "b-his", day(when), {
        "status": status, "created": f"{when}T10:00:00+08:00",
        "provider": {"display": "市一医院"},
        "total": [
            {"category": cc("", (SUM, code)), "amount": {"value": value, "currency": "CNY"}}
            for code, value in sums.items()
        ],
    } | more)  # fmt: skip


def test_settlements_show_whole_fund_and_person_the_latest_first(named: Sources) -> None:
    chart = newcomer()
    settlement(chart, "2026-03-01")
    settlement(chart, "2026-03-02", "cancelled")
    settlement(chart, "2026-03-03", "entered-in-error")
    settlement(chart, "2026-02-01", total=[])
    first, second, third = built(chart, named).settlements
    assert (first.cancelled, second.cancelled) == (True, False)
    assert (second.whole, second.fund, second.person) == ("1,186.40", "134.37", "1,052.03")
    assert second.where == "市一医院"
    assert (third.whole, third.fund) == ("", "")


def transfusion(chart: Chart, **more: Any) -> None:
    chart.add("Procedure", "a-his", day("2026-03-02"), {
        "status": "completed", "code": cc("输血：悬浮红细胞", (SNOMED, "116859006")),
        "performedPeriod": {"start": "2026-03-02T10:00:00+08:00"},
        "complication": [cc("过敏反应")], "note": [{"text": "输注量 400 ml"}],
    } | more)  # fmt: skip


def test_a_transfusion_stands_with_its_reaction_and_withdrawn_ones_do_not(
    named: Sources,
) -> None:
    chart = newcomer()
    transfusion(chart)
    transfusion(chart, status="entered-in-error")
    [shown] = built(chart, named).procedures
    assert shown.name.label("zh") == "输血：悬浮红细胞"
    assert [c.label("zh") for c in shown.complications] == ["过敏反应"]
    assert shown.note == "输注量 400 ml"


def test_one_who_sends_nothing_about_residents_is_never_missed() -> None:
    settings = Settings.model_validate(
        {
            "institutions": {
                "hospital-a": {"title": "江城市第一人民医院"},
                "blood": {"title": "江城市中心血站"},
                "drugs": {"title": "江城市药品配送平台", "kind": "supply"},
            },
            "sources": {
                name: {"institution": code, "mapping": "national/hl7v2"}
                for name, code in (("a-his", "hospital-a"), ("b", "blood"), ("d", "drugs"))
            },
        }
    )
    record = built(newcomer(), sources(settings))
    assert record.completeness.absent == ("中心血站",)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_shows_these_sections_and_their_links_lead_somewhere(language: str) -> None:
    chart = newcomer()
    dose(chart, "a-his", "2026-03-01")
    trip(chart)
    settlement(chart, "2026-03-01", provider={"display": HOSTILE})
    settlement(chart, "2026-03-02", "cancelled")
    for _ in range(14):
        settlement(chart, "2026-01-02")
    transfusion(chart, note=[{"text": HOSTILE}])
    with answering(app({GOLDEN: chart})) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        client.headers["accept"] = "text/html"
        answer = client.get(f"/record/{GOLDEN}", params={"lang": language})
        shown = read(answer.text)
        assert shown.faults == []
        assert "<script" not in answer.text
        assert {"immunisations", "procedures", "settlements"} <= set(shown.ids)
        text = " ".join(shown.text)
        assert ("受理 07:01" if language == "zh" else "call 07:01") in text
        assert ("已退费" if language == "zh" else "paid back") in text
        traced = {a for a in shown.addresses if "/trace/" in a}
        for kind in ("Immunization", "Procedure", "ExplanationOfBenefit"):
            [link] = {a for a in traced if f"/trace/{kind}/" in a and a == max(
                b for b in traced if f"/trace/{kind}/" in b)}  # fmt: skip
            assert client.get(link).status_code == 200
