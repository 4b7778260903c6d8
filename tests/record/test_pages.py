"""The pages over HTTP: well formed in both languages, hostile to markup, silent to strangers."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest
from invented_record import GOLDEN, RESIDENT_ID, Chart, cc, day, newcomer
from markup import read
from page_stage import CLERK, HOSTILE, app
from serving import answering

SNOMED = "http://snomed.info/sct"
PAGES = (
    "/",
    "/record/{id}",
    "/record/{id}?institution=hospital-b&kind=outpatient",
    "/record/{id}/visits",
    "/record/{id}/reports",
    "/record/{id}/looks",
    "/record/{id}/trend/2823-3",
    "/record/{id}/trend/85354-9",
)


def one(pages: httpx.Client, kind: str) -> str:
    """The first link of a kind on the record page."""
    found = re.search(
        rf'href="(/record/[^"]*/{kind}/[^"]*)"', pages.get(f"/record/{GOLDEN}").text
    )
    assert found
    return found[1]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("address", [*PAGES, "report", "trace"])
def test_each_page_is_well_formed_in_each_language(
    pages: httpx.Client, address: str, language: str
) -> None:
    path = address.format(id=GOLDEN) if address.startswith("/") else one(pages, address)
    answer = pages.get(path, params={"lang": language} | dict(httpx.URL(path).params))
    assert answer.status_code == 200
    page = read(answer.text)
    assert page.faults == []
    assert dict(page.tags)["html"]["lang"] == {"zh": "zh-CN", "en": "en"}[language]


def test_every_link_of_the_record_leads_somewhere(pages: httpx.Client) -> None:
    page = read(pages.get(f"/record/{GOLDEN}").text)
    inner = {address for address in page.addresses if address.startswith("/record/")}
    assert len(inner) > 40
    by_kind = {re.sub(r"[0-9a-f-]{16,}|\?.*|#.*", "", address): address for address in inner}
    for address in by_kind.values():
        assert pages.get(address).status_code == 200, address
    jumps = {address[1:] for address in page.addresses if address.startswith("#")}
    assert jumps <= set(page.ids)
    assert {"attention", "problems", "medicines", "laboratory", "visits", "looks"} <= jumps


def test_the_record_needs_no_script(pages: httpx.Client) -> None:
    page = read(pages.get(f"/record/{GOLDEN}").text)
    assert "script" not in [tag for tag, _ in page.tags]
    text = " ".join(page.text)
    for words in (
        "顾长河",
        "青霉素",
        "糖尿病肾病",
        "肌酐",
        "肾内科门诊",
        "出院记录",
        "周砚 医生",
    ):
        assert words in text


def test_a_value_that_was_corrected_stands_struck_through_beside_the_new_one(
    pages: httpx.Client,
) -> None:
    text = pages.get(f"/record/{GOLDEN}").text
    assert '<del>182</del> <span class="value">128</span>' in text
    assert '<del class="withdrawn">61</del>' in text


def test_marks_are_signs_and_words(pages: httpx.Client) -> None:
    text = pages.get(f"/record/{GOLDEN}").text
    assert re.search(
        r'<span class="mark critical-high">↑↑危<span class="unseen">危急偏高', text
    )
    english = pages.get(f"/record/{GOLDEN}", params={"lang": "en"}).text
    assert re.search(r'↑↑!!<span class="unseen">critically high', english)


def test_a_computed_mark_says_so(pages: httpx.Client) -> None:
    text = pages.get(f"/record/{GOLDEN}/trend/14771-0").text
    assert '<span class="mark-note"> 算</span>' in text


def test_the_whole_number_stands_on_no_page(pages: httpx.Client) -> None:
    for address in PAGES:
        assert RESIDENT_ID not in pages.get(address.format(id=GOLDEN)).text


def test_a_search_is_a_form_so_that_no_name_stands_in_an_address(pages: httpx.Client) -> None:
    home = pages.get("/")
    key = re.search(r'name="form_key" value="([^"]+)"', home.text)
    assert key
    form = {"form_key": key[1], "text": "顾长河"}
    answer = pages.post("/patients", data=form)
    assert f'href="/record/{GOLDEN}"' in answer.text
    assert RESIDENT_ID not in answer.text
    assert read(answer.text).faults == []
    assert "没有找到" in pages.post("/patients", data=form | {"text": "无此人"}).text
    assert pages.get("/patients").status_code == 303


def test_a_form_of_another_site_is_refused(pages: httpx.Client) -> None:
    assert pages.post("/patients", data={"text": "顾"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/record/nobody",
        f"/record/{GOLDEN}/trend/0000-0",
        f"/record/{GOLDEN}/report/DiagnosticReport/none",
        f"/record/{GOLDEN}/trace/Observation/none",
        f"/record/{GOLDEN}/trace/Account/1",
        f"/record/{GOLDEN}/trend/{quote(HOSTILE, safe='')}",
        f"/record/{quote(HOSTILE, safe='')}",
    ],
)
def test_what_is_not_there_is_a_page_that_says_what_to_do(
    pages: httpx.Client, path: str
) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404
    assert read(answer.text).faults == []
    assert "<script" not in answer.text


def hostile() -> Chart:
    """A record whose every text is an attack."""
    chart = newcomer(name=[{"text": HOSTILE}], birthDate=HOSTILE, gender="male")
    when = day("2026-11-20")
    attack = cc(HOSTILE, ("http://loinc.org", HOSTILE, HOSTILE), (HOSTILE, HOSTILE, HOSTILE))
    chart.add(
        "AllergyIntolerance",
        "a-his",
        when,
        {"code": attack, "reaction": [{"manifestation": [attack]}]},
    )
    chart.add("Condition", "a-his", when, {"code": attack, "recordedDate": HOSTILE})
    chart.visit("a-his", when, "AMB", HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),))
    item = chart.result("a-lis", when, ("x", "2823-3", HOSTILE, "1", "2"), "9", flag="HH")
    item |= {"code": attack, "method": attack, "referenceRange": [{"text": HOSTILE}]}
    chart.report("a-lis", when, HOSTILE, "CH", [item], conclusion=HOSTILE)
    chart.add("DocumentReference", "a-his", when, {"type": attack, "description": HOSTILE})
    chart.add(
        "MedicationRequest",
        "a-his",
        when,
        {
            "status": "active",
            "medicationCodeableConcept": attack,
            "authoredOn": "2026-11-20",
            "dosageInstruction": [{"text": HOSTILE, "route": attack}],
        },
    )
    chart.add(
        "Immunization",
        "a-his",
        when,
        {"status": "completed", "vaccineCode": attack, "lotNumber": HOSTILE},
    )
    return chart


@pytest.mark.parametrize("language", ["zh", "en"])
def test_markup_in_any_text_is_shown_as_text(language: str) -> None:
    with answering(app({GOLDEN: hostile()})) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        client.headers["accept"] = "text/html"
        record = client.get(f"/record/{GOLDEN}", params={"lang": language})
        assert record.status_code == 200
        reached = {a for a in read(record.text).addresses if a.startswith("/record/")}
        assert any("/trend/" in address for address in reached)
        for address in (*sorted(reached), f"/record/{GOLDEN}"):
            answer = client.get(address)
            assert answer.status_code == 200, address
            page = read(answer.text)
            assert page.faults == [], address
            assert "<script" not in answer.text
            assert "script" not in [tag for tag, _ in page.tags]
            assert "alert(1)" in " ".join(page.text)


def test_a_page_is_never_kept_and_runs_nothing_foreign(pages: httpx.Client) -> None:
    headers = pages.get(f"/record/{GOLDEN}").headers
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_each_read_is_asked_for_treatment_by_the_doctor(chart: Chart) -> None:
    made = app({GOLDEN: chart})
    with answering(made) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        client.get(f"/record/{GOLDEN}")
    assert set(made.state.door.asked) == {("account:1", "TREAT")}


def test_nobody_reads_without_signing_in(chart: Chart) -> None:
    with answering(app({GOLDEN: chart})) as client:
        client.headers["accept"] = "text/html"
        for address in PAGES:
            answer = client.get(address.format(id=GOLDEN))
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/signin?next=")


def test_one_who_may_not_see_messages_is_shown_no_way_to_them(chart: Chart) -> None:
    with answering(app({GOLDEN: chart}, actor=CLERK)) as client:
        client.cookies.set("healthhub_session", "a-clerk's")
        assert client.get("/").headers["location"] == "/console"
    with answering(app({GOLDEN: chart})) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        client.headers["accept"] = "text/html"
        path = one(client, "trace")
        assert "/console/messages/" in client.get(path).text


def test_the_language_is_one_click_away_and_stays(pages: httpx.Client) -> None:
    page = pages.get(f"/record/{GOLDEN}?kind=inpatient")
    link = re.search(r'<a href="([^"]+)" lang="en"', page.text)
    assert link
    address = link[1].replace("&amp;", "&")
    assert "kind=inpatient" in address
    with answering(app({GOLDEN: newcomer()})) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        client.get("/?lang=en")
        assert "Find a resident" in client.get("/").text


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/record/1", "/record/1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        (HOSTILE, "/"),
    ],
)
def test_sign_in_leads_back_into_the_hub_and_nowhere_else(
    pages: httpx.Client, wanted: str, target: str
) -> None:
    answer = pages.get("/signin", params={"next": wanted})
    page = read(answer.text)
    assert page.faults == []
    (value,) = [attrs["value"] for _, attrs in page.tags if attrs.get("name") == "next"]
    assert value == target


@pytest.mark.parametrize(
    ("language", "said", "unsaid"), [("zh", "A型", "Group A"), ("en", "Group A", "A型")]
)
def test_what_a_code_says_is_said_in_the_readers_language(
    language: str, said: str, unsaid: str
) -> None:
    chart = newcomer()
    group = {"coding": [{"system": SNOMED, "code": "112144000", "display": "Blood group A"}]}
    chart.result(
        "a-lis",
        day("2026-11-20"),
        ("ABO血型", "883-9", "", None, None),
        "0",
        valueQuantity=None,
        valueCodeableConcept=group,
    )
    with answering(app({GOLDEN: chart})) as client:
        client.cookies.set("healthhub_session", "a-doctor's")
        text = client.get(f"/record/{GOLDEN}", params={"lang": language}).text
    assert said in text
    assert unsaid not in text
