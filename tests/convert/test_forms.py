"""Checking by form: what has passed need not be judged again, what is wrong never slips by."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub.convert.forms import BOUND, FREE, Forms, text_form
from healthhub.errors import Unprocessable
from healthhub.model import r4, validate

GOOD: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "5e0d0f9c-6a58-8b0e-9d38-0a1b6f6a2c11",
    "meta": {"source": "urn:healthhub:source:lis#1"},
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "血红蛋白"},
    "subject": {"reference": "Patient/5e0d0f9c-6a58-8b0e-9d38-0a1b6f6a2c12"},
    "effectiveDateTime": "2024-02-28T08:00:00+08:00",
    "valueQuantity": {"value": 5, "comparator": "<", "unit": "g/L"},
    "note": [{"text": "a b"}],
}
WRONG: list[tuple[str, Any]] = [
    ("effectiveDateTime", "2024-02-30T08:00:00+08:00"),
    ("effectiveDateTime", "2024-02-30"),
    ("effectiveDateTime", "2024-02-28T08:00:00"),
    ("status", "finale"),
    ("subject.reference", ""),
    ("code.coding.0.code", " 718"),
    ("code.coding.0.code", "a  b"),
    ("valueQuantity.comparator", "!"),
    ("valueQuantity.value", "5"),
    ("valueQuantity.unit", "\x01"),
    ("id", "a_b"),
    ("note.0.text", ""),
    ("note.0.texts", "x"),
    ("code", None),
]


def _changed(path: str, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(GOOD)
    at: Any = body
    *steps, last = path.split(".")
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return body


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_found_though_its_like_has_passed(path: str, value: Any) -> None:
    forms = Forms()
    forms.check(GOOD)
    with pytest.raises(Unprocessable):
        forms.check(_changed(path, value))


def test_a_form_that_has_passed_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(validate, "check", seen.append)
    forms = Forms()
    forms.check(GOOD)
    forms.check(_changed("code.coding.0.code", "4544-3"))
    forms.check(_changed("effectiveDateTime", "2023-12-31T23:59:59+08:00"))
    assert seen == [GOOD]
    forms.check(_changed("status", "amended"))
    assert len(seen) == 2


def _document(text: bytes) -> dict[str, Any]:
    data = base64.b64encode(text * 300).decode()
    return {"resourceType": "Binary", "contentType": "text/xml", "data": data}


def test_of_documents_in_base64_one_is_judged_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = Forms()
    forms.check(_document(b"<a/>"))
    seen: list[Any] = []
    monkeypatch.setattr(validate, "check", seen.append)
    forms.check(_document(b"<a>text</a>"))
    assert seen == []
    forms.check(_document(b"<a/>") | {"contentType": "text/plain"})
    assert len(seen) == 1


def test_what_is_no_base64_is_judged_though_documents_have_passed() -> None:
    forms = Forms()
    good = _document(b"<a/>")
    forms.check(good)
    with pytest.raises(Unprocessable):
        forms.check(good | {"data": good["data"][:-1]})


@given(
    st.sampled_from(sorted(path for path, value in WRONG if value is not None)),
    st.one_of(
        st.text(max_size=12),
        st.from_regex(r"\d{4}(-\d\d){0,2}(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?", fullmatch=True),
        st.sampled_from(["urn:a:b", "http://x", "a b", " a", "a/b", "Patient/1", "%", "1e5"]),
    ),
)
def test_the_verdict_by_form_is_the_verdict_of_the_check(path: str, value: str) -> None:
    body = _changed(path, value)
    forms = Forms()
    for like in (GOOD, _changed(path, "abc"), _changed(path, "a b c")):
        try:
            forms.check(like)
        except Unprocessable:
            continue
    try:
        validate.check(body)
    except Unprocessable:
        with pytest.raises(Unprocessable):
            forms.check(body)
    else:
        forms.check(body)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-02-29", "date10"),
        ("2023-02-29", "=2023-02-29"),
        ("2024", "date4"),
        ("718-7", "token"),
        ("Patient/1", "Patient"),
        ("urn:oid:1.2", "urn"),
        ("mmol/L", "word"),
        ("a b", "words"),
        ("a  b", "text"),
        (" a", "= a"),
        ("", "="),
        ("http://x", "=http://x"),
    ],
)
def test_forms_of_texts(text: str, form: str) -> None:
    assert text_form(text) == form


def test_no_free_element_holds_a_code_of_a_required_binding() -> None:
    path = Path(r4.__file__).with_name("definitions.json")
    types = json.loads(path.read_text(encoding="utf-8"))["types"]
    unguarded: set[str] = set()
    for kind, elements in types.items():
        within = kind.rpartition(".")[2]
        for name, row in elements.items():
            if len(row) > 2 and row[2]:
                whole = row[0] in ("CodeableConcept", "Coding")
                guarded = name in BOUND if whole else name not in FREE or within in BOUND
                if not guarded:
                    unguarded.add(f"{kind}.{name}")
    assert unguarded == {"CompartmentDefinition.code"}  # no mapping makes one


def test_a_shared_value_is_judged_for_every_resource_that_has_it() -> None:
    """What is known of a value is its form; whether the resource may have it is judged anew."""
    concept = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
    wrong = {"coding": "2345-7"}
    forms, known = Forms(), {id(concept): 0, id(wrong): 0}
    good = {"resourceType": "Observation", "id": "1", "status": "final", "code": concept}
    forms.check(good, known)
    assert known[id(concept)] != 0
    forms.check(good | {"id": "2"}, known)
    for bad in (
        good | {"code": wrong},
        good | {"status": concept},
        {"resourceType": "Observation", "id": "1", "code": concept},
    ):
        for _ in range(2):
            with pytest.raises(Unprocessable):
                forms.check(bad, known)
