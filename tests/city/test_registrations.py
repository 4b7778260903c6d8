"""Registrations for measuring: every kind of error is among them, and the truth beside each."""

from __future__ import annotations

from collections import Counter

import pytest

from healthhub.city import UNTIL, people
from healthhub.city.registrations import ERRORS, Registration, registrations
from healthhub.identify.evidence import resident_ids
from healthhub.model.validate import check


@pytest.fixture(scope="module")
def rows() -> list[Registration]:
    return list(registrations(5, 4000))


def test_every_kind_of_error_is_met(rows: list[Registration]) -> None:
    met = Counter(kind for row in rows for kind in row.planted)
    wanted = {error.kind for error in ERRORS} | {"number-old", "second-chart", "newborn"}
    assert wanted == set(met)


def test_the_same_numbers_give_the_same_registrations(rows: list[Registration]) -> None:
    assert list(registrations(5, 300)) == rows[: len(list(registrations(5, 300)))]
    assert list(registrations(6, 300)) != list(registrations(5, 300))


def test_no_key_is_given_twice(rows: list[Registration]) -> None:
    assert len({row.key for row in rows}) == len(rows)


def test_every_registration_is_a_valid_patient(rows: list[Registration]) -> None:
    for row in rows[:500]:
        check(row.body | {"id": "x"})


def test_a_mistyped_number_is_no_number_and_a_childs_is_its_mothers(
    rows: list[Registration],
) -> None:
    families = people.families(5, 4000, UNTIL)
    residents = {member.person: member for each in families for member in each.members}
    under_parent = 0
    for row in rows:
        numbers = [found.number for found in resident_ids(row.body)]
        if row.planted == ("number-mistyped",):
            assert numbers == []
        if row.planted == ("parents-number",):
            under_parent += 1
            assert numbers == [residents[residents[row.person].mother].number]
    assert under_parent > 5
