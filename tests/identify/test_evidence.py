"""What a Patient says of who it is; place-holders say nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from healthhub.identify.evidence import is_no_name, is_no_phone, name_key, of_patient
from healthhub.identify.identity import check_character

STEM = "42010619800307001"
NUMBER = STEM + check_character(STEM)


def patient(**elements: Any) -> dict[str, Any]:
    """A Patient with these elements."""
    return {"resourceType": "Patient", "id": "a", **elements}


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": "urn:oid:2.16.156.10011.1.3"},
        {"system": "2.16.156.10011.1.3"},
        {"system": "urn:oid:2.16.840.1.113883.2.23.1.19.1"},
        {"type": {"coding": [{"code": "NI"}]}},
        {
            "type": {
                "coding": [
                    {"code": "NNCHN", "system": "http://terminology.hl7.org/CodeSystem/v2-0203"}
                ]
            }
        },
        {"type": {"coding": [{"code": "01", "system": "urn:oid:2.16.156.10011.2.3.1.9"}]}},
    ],
)
def test_a_resident_number_is_known_in_each_spelling(identifier: dict[str, Any]) -> None:
    found = of_patient(patient(identifier=[identifier | {"value": NUMBER.lower()}]))
    assert found.number == NUMBER


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": "urn:oid:2.16.156.10011.1.12", "value": NUMBER},
        {"system": "urn:oid:2.16.156.10011.1.3", "value": NUMBER, "use": "old"},
        {"system": "urn:oid:2.16.156.10011.1.3", "value": STEM + "?"},
        {"type": {"coding": [{"code": "19"}]}, "value": NUMBER},
        {"type": {"coding": "NI"}, "value": NUMBER},
        {"system": "urn:oid:2.16.156.10011.1.3"},
    ],
)
def test_other_numbers_are_no_resident_number(identifier: dict[str, Any]) -> None:
    assert of_patient(patient(identifier=[identifier])).number is None


def test_two_different_valid_numbers_prove_neither() -> None:
    other = "42010619800307003"
    values = [NUMBER, other + check_character(other)]
    listed = [{"system": "urn:oid:2.16.156.10011.1.3", "value": value} for value in values]
    assert of_patient(patient(identifier=listed)).number is None


@pytest.mark.parametrize(
    "name",
    [
        "无名氏",
        "无名氏甲",
        "不详",
        "未知",
        "无名氏3",
        "UNKNOWN",
        "王芳之女",
        "李梅之长子",
        "张兰之婴",
        "Test",
    ],
)
def test_place_holder_names_name_nobody(name: str) -> None:
    assert is_no_name(name_key(name))
    found = of_patient(patient(name=[{"text": name}]))
    assert (found.names, found.nameless) == ((), True)


@pytest.mark.parametrize("name", ["吴明", "之江", "阿卜杜拉", "佚佳", "史珍香", "doena"])
def test_real_names_are_kept(name: str) -> None:
    assert of_patient(patient(name=[{"text": name}])).names == (name,)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("买买提·艾力", "买买提•艾力"),
        ("Ｚhang　San", "zhang san"),
        ("张 三", "张三"),
        ("O'Neil", "o’neil"),
    ],
)
def test_names_are_compared_without_width_case_dots_and_blanks(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_family_and_given_make_a_name() -> None:
    found = of_patient(patient(name=[{"family": "欧阳", "given": ["修", "文"]}]))
    assert found.names == ("欧阳修文",)


@pytest.mark.parametrize("born", ["1900-01-01", "1800-01-01", "1980", "1980-02", "soon", None])
def test_default_and_partial_birth_dates_are_no_evidence(born: str | None) -> None:
    assert of_patient(patient(birthDate=born)).birth is None


def test_a_whole_birth_date_is_evidence() -> None:
    assert of_patient(patient(birthDate="1980-03-07")).birth == date(1980, 3, 7)


@pytest.mark.parametrize(
    "phone", ["13800000000", "13800138000", "138 0000 0000", "11111111", "0", ""]
)
def test_place_holder_phones_are_no_evidence(phone: str) -> None:
    assert is_no_phone(phone)


@pytest.mark.parametrize("phone", ["13971234567", "027-87654321", "+8613971234567"])
def test_real_phones_are_evidence(phone: str) -> None:
    assert not is_no_phone(phone)


def test_a_deleted_patient_is_not_known() -> None:
    assert not of_patient({}).known
