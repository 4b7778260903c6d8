"""The banner: three states of allergies, the certainty of the match, a masked number, an age."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from invented_record import AT_A, AT_B, GOLDEN, RESIDENT_ID, Chart, cc, newcomer, resident

from healthhub.serve.record.origin import Sources
from healthhub.serve.record.person import Age, Banner, age, banner, masked

TODAY = date(2026, 11, 24)
MEMBERS = (1, 2)


def banner_of(chart: Chart, named: Sources) -> Banner:
    of = {
        kind: [body for body in chart.bodies if body["resourceType"] == kind]
        for kind in ("Patient", "AllergyIntolerance")
    }
    return banner(of["Patient"], of["AllergyIntolerance"], named, TODAY, GOLDEN)


def with_allergies(*stated: dict[str, Any]) -> Chart:
    chart = newcomer()
    for body in stated:
        source = body.pop("source", "a-his")
        chart.add("AllergyIntolerance", source, chart_day(), body)
    return chart


def chart_day() -> Any:
    from invented_record import day

    return day("2026-01-05")


@pytest.mark.parametrize(
    ("birth", "expected"),
    [
        ("2026-11-24", Age(0, "days")),
        ("2026-11-01", Age(23, "days")),
        ("2026-10-24", Age(1, "months")),
        ("2026-10-25", Age(30, "days")),
        ("2023-11-25", Age(35, "months")),
        ("2023-11-24", Age(3, "years")),
        ("1964-11-25", Age(61, "years")),
        ("1964-11-24", Age(62, "years")),
        ("1964", Age(62, "years")),
        ("1964-03", Age(62, "years")),
        ("2026-11-25", None),
        ("", None),
        ("1964-02-30", None),
        ("2024-02-29", Age(32, "months")),
    ],
)
def test_an_age_is_told_in_the_unit_that_people_use(birth: str, expected: Age | None) -> None:
    assert age(birth, TODAY) == expected


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("429004196403122017", "429***********2017"),
        ("H12345678", "*********"),
        ("", ""),
        ("123456789012", "123*****9012"),
    ],
)
def test_a_number_is_masked_and_a_short_one_is_hidden(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_the_banner_never_holds_the_whole_number(chart: Chart, named: Sources) -> None:
    assert RESIDENT_ID not in repr(banner_of(chart, named))


@pytest.mark.parametrize(
    ("stated", "state"),
    [
        ((), "not-recorded"),
        (({"code": cc("否认药物过敏史")},), "none-known"),
        (({"code": cc("", ("http://snomed.info/sct", "716186003"))},), "none-known"),
        (({"code": cc("青霉素")},), "known"),
        (({"code": cc("青霉素")}, {"code": cc("无")}), "known"),
        (
            ({"code": cc("青霉素"), "verificationStatus": cc("", ("s", "refuted"))},),
            "not-recorded",
        ),
        (
            ({"code": cc("青霉素"), "verificationStatus": cc("", ("s", "entered-in-error"))},),
            "not-recorded",
        ),
        (
            ({"code": cc("青霉素"), "clinicalStatus": cc("", ("s", "resolved"))},),
            "not-recorded",
        ),
    ],
)
def test_none_known_is_a_statement_and_not_recorded_is_the_lack_of_one(
    named: Sources, stated: Any, state: str
) -> None:
    chart = with_allergies(*[dict(body) for body in stated])
    assert banner_of(chart, named).allergies.state == state


def test_a_substance_that_two_institutions_state_is_one_tag_with_the_gravest_word(
    named: Sources,
) -> None:
    chart = with_allergies(
        {"code": cc("青霉素"), "reaction": [{"manifestation": [cc("皮疹")]}]},
        {
            "source": "b-his",
            "code": cc("青霉素"),
            "criticality": "high",
            "reaction": [{"manifestation": [cc("过敏性休克")]}],
        },
        {"code": cc("磺胺类")},
    )
    first, second = banner_of(chart, named).allergies.known
    assert (first.what.text, first.severe) == ("青霉素", True)
    assert set(first.reactions) == {"皮疹", "过敏性休克"}
    assert {m.origin.institution for m in first.mentions} == {"hospital-a", "hospital-b"}
    assert (second.what.text, second.severe) == ("磺胺类", False)


def test_one_that_says_none_against_one_that_knows_is_shown_beside_it(named: Sources) -> None:
    chart = with_allergies({"code": cc("青霉素")}, {"source": "b-his", "code": cc("否认")})
    allergies = banner_of(chart, named).allergies
    assert [item.what.text for item in allergies.known] == ["青霉素"]
    assert [m.origin.institution for m in allergies.denied] == ["hospital-b"]


def test_the_match_tells_its_sources_and_their_common_number(
    chart: Chart, named: Sources
) -> None:
    match = banner_of(chart, named).match
    assert {person.id for person in match.people} == {AT_A, AT_B}
    assert (match.institutions, match.by_resident_id, match.differing) == (2, True, ())


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"name": [{"text": "顾常河"}]}, ("name",)),
        ({"birthDate": "1964-03-21"}, ("birth",)),
        ({"gender": "female"}, ("gender",)),
        ({"gender": "unknown"}, ()),
        ({"birthDate": ""}, ()),
    ],
)
def test_what_sources_disagree_on_is_named_and_silence_is_no_disagreement(
    named: Sources, change: dict[str, Any], differing: tuple[str, ...]
) -> None:
    chart = resident()
    chart.bodies[MEMBERS[1]].update(change)
    assert banner_of(chart, named).match.differing == differing


def test_a_person_of_one_source_is_not_said_to_be_matched(named: Sources) -> None:
    match = banner_of(newcomer(), named).match
    assert len(match.people) == 1
    assert not match.by_resident_id
