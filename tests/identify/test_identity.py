"""Identity numbers are read by the rules of GB 11643, and nothing else passes for one."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthhub.identify.identity import (
    CHECKS,
    PERMIT_AREAS,
    PROVINCES,
    check_character,
    parse_resident_id,
)

BIRTHS = st.dates(date(1920, 1, 1), date(2025, 12, 31))
PLACES = st.tuples(st.sampled_from(sorted(PROVINCES | PERMIT_AREAS)), st.integers(0, 9999)).map(
    lambda place: f"{place[0]}{place[1]:04}"
)
FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


def number(area: str, birth: date, sequence: int) -> str:
    """A valid invented number."""
    stem = f"{area}{birth:%Y%m%d}{sequence:03}"
    return stem + check_character(stem)


@given(PLACES, BIRTHS, st.integers(0, 999))
def test_a_valid_number_gives_birth_and_sex(area: str, birth: date, sequence: int) -> None:
    found = parse_resident_id(number(area, birth, sequence))
    assert found is not None
    assert (found.birth, found.male, found.area) == (birth, sequence % 2 == 1, area)
    assert found.kind == ("permit" if area[:2] in PERMIT_AREAS else "resident")


@given(PLACES, BIRTHS, st.integers(0, 999))
def test_full_width_lower_case_and_blanks_are_the_same_number(
    area: str, birth: date, sequence: int
) -> None:
    text = number(area, birth, sequence)
    assert parse_resident_id(f" {text.translate(FULL_WIDTH)}　") == parse_resident_id(text)
    assert parse_resident_id(text.lower()) == parse_resident_id(text)


@given(PLACES, BIRTHS, st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(
    area: str, birth: date, sequence: int, place: int, shift: int
) -> None:
    text = number(area, birth, sequence)
    wrong = str((int(text[place]) + shift) % 10)
    assert parse_resident_id(text[:place] + wrong + text[place + 1 :]) is None


@given(PLACES, BIRTHS, st.integers(0, 999), st.integers(0, 15))
def test_two_swapped_neighbours_are_always_noticed(
    area: str, birth: date, sequence: int, place: int
) -> None:
    text = number(area, birth, sequence)
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert swapped == text or parse_resident_id(swapped) is None


@given(PLACES, st.dates(date(1920, 1, 1), date(1999, 12, 31)), st.integers(0, 999))
def test_an_old_number_of_15_is_the_new_one_of_18(
    area: str, birth: date, sequence: int
) -> None:
    new = number(area, birth, sequence)
    assert parse_resident_id(new[:6] + new[8:17]) == parse_resident_id(new)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=24))
@example("111111111111111111")
@example("000000000000000000")
@example("１２３")
@example("11010519491231002")
def test_any_text_is_a_number_with_a_right_check_or_none(text: str) -> None:
    found = parse_resident_id(text)
    assert found is None or (
        len(found.number) == 18 and check_character(found.number) == found.number[17]
    )


def test_a_foreign_permanent_residents_card_begins_with_9() -> None:
    found = parse_resident_id(number("911156", date(1981, 3, 12), 7))
    assert found is not None
    assert found.kind == "foreigner"


@pytest.mark.parametrize(
    ("area", "birth"),
    [
        ("000000", "19800101"),
        ("160000", "19800101"),
        ("420106", "19800230"),
        ("420106", "18600101"),
        ("420106", f"{date.today() + timedelta(days=400):%Y%m%d}"),  # noqa: DTZ011
        ("420106", "19801301"),
    ],
)
def test_an_impossible_area_or_birth_date_is_refused(area: str, birth: str) -> None:
    stem = f"{area}{birth}001"
    assert parse_resident_id(stem + check_character(stem)) is None


def test_the_check_character_runs_over_all_eleven() -> None:
    seen = {check_character(f"42010619800101{sequence:03}") for sequence in range(100)}
    assert seen == set(CHECKS)
