"""Names that can be one person's, and names that plainly differ."""

from __future__ import annotations

import pytest

from healthhub.identify.evidence import name_key
from healthhub.identify.likeness import parties


def parted(*names: str, romanised: bool = True) -> list[list[int]]:
    """The places of the names, by party."""
    borne = {
        place: tuple(map(name_key, name.split("/"))) for place, name in enumerate(names) if name
    }
    return sorted(sorted(party) for party in parties(borne, romanised=romanised))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("陈梅", "陈 梅"),
        ("陈梅", "陳梅"),
        ("陈梅", "陈玫"),
        ("陈梅", "CHEN MEI"),
        ("陈梅", "Mei Chen"),
        ("欧阳娜娜", "OUYANG NANA"),
        ("欧阳娜娜", "Nana Ouyang"),
        ("王晓芳", "王小芳"),
        ("买买提·艾力", "买买提"),
        ("买买提·艾力", "艾力江·买买提/买买提艾力"),
        ("李招弟", "李思涵/李招弟"),
        ("ADAM EVERYMAN", "Everyman, Adam A"),
    ],
)
def test_variants_pinyin_parts_and_former_names_are_one_party(one: str, other: str) -> None:
    assert parted(one, other) == [[0, 1]]
    assert parted(other, one) == [[0, 1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("陈梅", "李强"),
        ("李建国", "李小明"),
        ("陈一凡", "陈一鸣"),
        ("李明", "李强"),
        ("陈梅", "LI QIANG"),
        ("李安", "连"),
        ("JOHN SMITH", "MARY SMITH"),
        ("买买提·艾力", "古丽娜尔·艾力"),
    ],
)
def test_other_names_are_other_parties(one: str, other: str) -> None:
    assert parted(one, other) == [[0], [1]]


def test_a_person_with_both_names_makes_one_party_of_three() -> None:
    assert parted("李招弟", "李思涵", "李思涵/李招弟") == [[0, 1, 2]]


def test_letters_say_nothing_of_a_chinese_name_where_they_are_no_pinyin() -> None:
    assert parted("陈梅", "CHAN MEI", romanised=False) == [[0]]
    assert parted("CHAN MEI", "WONG SIU", romanised=False) == [[0], [1]]
    assert parted("陈梅", "", "陈梅") == [[0, 2]]
