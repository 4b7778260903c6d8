"""Grades of a match say no more than the evidence does."""

from __future__ import annotations

from typing import Any

import pytest

from healthhub.identify.identity import check_character
from healthhub.identify.match import features, judge

STEM = "42010619800307001"
NUMBER = STEM + check_character(STEM)
OTHER_STEM = "42010619900307001"
OTHER = OTHER_STEM + check_character(OTHER_STEM)
BORN, NAME, PHONE = "1980-03-07", "陈试验", "13912345670"


def person(
    number: str = "",
    name: str = "",
    born: str = "",
    sex: str = "",
    phone: str = "",
    mrn: str = "",
) -> dict[str, Any]:
    """A Patient with what is given."""
    body: dict[str, Any] = {"resourceType": "Patient", "identifier": []}
    if number:
        body["identifier"].append({"system": "urn:oid:2.16.156.10011.1.3", "value": number})
    if mrn:
        body["identifier"].append({"system": "urn:mrn", "value": mrn})
    if name:
        body["name"] = [{"text": name}]
    if born:
        body["birthDate"] = born
    if sex:
        body["gender"] = sex
    if phone:
        body["telecom"] = [{"system": "phone", "value": phone}]
    return body


@pytest.mark.parametrize(
    ("wanted", "other", "grade"),
    [
        (person(NUMBER, NAME), person(NUMBER, NAME), "certain"),
        (person(NUMBER, born=BORN), person(NUMBER, NAME, BORN), "certain"),
        (person(NUMBER), person(NUMBER, NAME, BORN), "probable"),
        (person(NUMBER, "王小孩"), person(NUMBER, NAME), "possible"),
        (person(NUMBER, "王小孩", BORN), person(NUMBER, NAME, BORN), "possible"),
        (person(NUMBER, "无名氏", BORN), person(NUMBER, NAME, BORN), "probable"),
        (person(NUMBER, NAME, BORN), person(OTHER, NAME, BORN), None),
        (person(mrn="1", name=NAME), person(mrn="1", name=NAME), "probable"),
        (person(mrn="1"), person(mrn="1", name=NAME), "probable"),
        (person(mrn="1", name="王某人"), person(mrn="1", name=NAME), "possible"),
        (person("", NAME, BORN, "male"), person(NUMBER, NAME, BORN, "male"), "probable"),
        (person("", NAME, BORN), person(NUMBER, NAME, BORN, "male"), "possible"),
        (person("", NAME, BORN, "female"), person(NUMBER, NAME, BORN, "male"), None),
        (person("", NAME, BORN, "", PHONE), person("", NAME, BORN, "", PHONE), "probable"),
        (
            person("", NAME, "", "", PHONE),
            person("", NAME, BORN, "", f"+86{PHONE}"),
            "possible",
        ),
        (
            person("", NAME, "1981-01-02", "", PHONE),
            person("", NAME, BORN, "", PHONE),
            None,
        ),
        (person("", "无名氏", BORN, "male"), person("", "无名氏", BORN, "male"), None),
        (person("", NAME, "1900-01-01", "male"), person("", NAME, "1900-01-01", "male"), None),
        (person("", "", "", "", PHONE), person("", NAME, BORN, "", PHONE), None),
    ],
)
def test_the_grade_follows_from_what_agrees(
    wanted: dict[str, Any], other: dict[str, Any], grade: str | None
) -> None:
    fit = judge(features(wanted), features(other))
    assert (fit.grade if fit else None) == grade


@pytest.mark.parametrize(
    ("body", "bare"),
    [
        (person(), True),
        (person(name=NAME), True),
        (person(born=BORN), True),
        (person(name="无名氏", born=BORN), True),
        (person(phone="13800000000"), True),
        (person(name=NAME, born=BORN), False),
        (person(mrn="1"), False),
        (person(phone=PHONE), False),
    ],
)
def test_a_patient_without_evidence_is_bare(body: dict[str, Any], bare: bool) -> None:
    assert features(body).is_bare is bare
