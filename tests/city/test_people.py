"""The city's residents: valid numbers, one address a family, twins, names as they are met."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthhub.city import UNTIL, people
from healthhub.city.dice import Dice
from healthhub.city.names import mistaken
from healthhub.city.numbers import ResidentIds, old_form, scrambled
from healthhub.identify.identity import parse_resident_id


@pytest.fixture(scope="module")
def city() -> list[people.Family]:
    return list(people.families(3, 6000, UNTIL))


def test_a_city_has_exactly_the_residents_asked_for(city: list[people.Family]) -> None:
    assert sum(len(family.members) for family in city) == 6000


def test_every_number_is_a_valid_resident_id_of_the_bearer(city: list[people.Family]) -> None:
    for family in city:
        for member in family.members:
            read = parse_resident_id(member.number)
            assert read is not None, member.number
            assert read.birth == member.birth
            assert read.male == (member.sex == "M")


def test_no_number_and_no_ordinal_is_given_twice(city: list[people.Family]) -> None:
    members = [member for family in city for member in family.members]
    assert len({m.number for m in members}) == len(members)
    assert len({m.ordinal for m in members}) == len(members)
    assert len({m.person for m in members}) == len(members)


@given(st.dates(date(1930, 1, 1), date(2026, 6, 1)), st.sampled_from("MF"), st.integers(0, 999))
def test_the_old_form_completes_to_the_same_number(birth: date, sex: str, seed: int) -> None:
    number = ResidentIds().issue(Dice("test", seed), birth, sex)
    if birth.year < 2000:
        read = parse_resident_id(old_form(number))
        assert read is not None
        assert read.number == number


@settings(max_examples=20)
@given(st.dates(date(1930, 1, 1), date(2026, 6, 1)), st.sampled_from("MF"))
def test_a_day_and_sex_hold_five_hundred_numbers_all_different(birth: date, sex: str) -> None:
    ids, dice = ResidentIds(), Dice("full")
    given_out = {ids.issue(dice, birth, sex) for _ in range(500)}
    assert len(given_out) == 500
    assert {number[6:14] for number in given_out} == {birth.strftime("%Y%m%d")}


@given(st.lists(st.integers(0, 99_999_999), unique=True, max_size=50), st.integers(0, 100))
def test_scrambled_numbers_stay_different(ordinals: list[int], salt: int) -> None:
    assert len({scrambled(ordinal, salt) for ordinal in ordinals}) == len(ordinals)


def test_a_family_lives_at_one_address(city: list[people.Family]) -> None:
    for family in city:
        assert len({(m.town, m.line) for m in family.members}) == 1


def test_twins_share_all_but_given_name_and_number(city: list[people.Family]) -> None:
    twins = [(m, f) for f in city for m in f.members if m.twin]
    assert len(twins) >= 5
    for twin, family in twins:
        other = next(m for m in family.members if m.person == twin.twin)
        assert (twin.birth, twin.sex, twin.mother) == (other.birth, other.sex, other.mother)
        assert twin.number != other.number
        if "·" not in twin.name and twin.group != "04":
            assert twin.name[0] == other.name[0]


def test_surnames_are_as_frequent_as_in_china(city: list[people.Family]) -> None:
    names = Counter(m.name[0] for f in city for m in f.members if m.group != "05")
    for surname in "王李张":
        assert 0.045 < names[surname] / 6000 < 0.095, surname


def test_minorities_are_few_and_some_names_have_a_middle_dot(city: list[people.Family]) -> None:
    minority = sum(m.group != "01" for f in city for m in f.members)
    assert 0.01 < minority / 6000 < 0.06
    many = people.families(3, 30_000, UNTIL)
    assert any("·" in m.name for f in many for m in f.members)


def test_all_ages_live_here(city: list[people.Family]) -> None:
    ages = [m.age(UNTIL) for f in city for m in f.members]
    assert 0.1 < sum(age < 18 for age in ages) / 6000 < 0.35
    assert 0.15 < sum(age >= 60 for age in ages) / 6000 < 0.45
    assert min(ages) == 0
    assert max(ages) > 85


@given(st.text("王李张芳娟涛伟静丽燕英", min_size=2, max_size=4))
def test_a_mistaken_name_keeps_the_surname_and_its_length(name: str) -> None:
    wrong = mistaken(name)
    assert len(wrong) == len(name)
    assert wrong[0] == name[0]
