"""Rules of search that hold for every parameter: written, found by it, and never an accident."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.errors import HubError
from healthhub.store import direct, index, search
from healthhub.store.parameters import parameters, searchable

COMMON = "Patient Encounter Condition Observation DiagnosticReport ServiceRequest MedicationRequest AllergyIntolerance Procedure Immunization Organization Practitioner Location"

SAMPLE = {
    "token": {"coding": [{"system": "urn:s", "code": "c"}]},
    "identifier": {"system": "urn:s", "value": "n-1"},
    "date": "2026-03-04",
    "string": "Héllo World",
    "phone": {"system": "phone", "value": "138 0000 1111"},
}
ASKED = {
    "token": ["c", "urn:s|c"],
    "identifier": ["n-1", "urn:s|n-1"],
    "date": ["2026-03-04", "ge2026-03", "lt2027", "sa2025", "eb2026-04", "le2026-03-04"],
    "string": ["hello", "HÉLLO w"],
    "phone": ["13800001111", "+86 138-0000-1111"],
}
NOT_ASKED = {
    "token": ["d", "urn:t|c", "|c"],
    "identifier": ["n-2", "urn:t|n-1", "n"],
    "date": ["2026-03-05", "gt2026-03-04", "sa2026", "ne2026-03-04"],
    "string": ["world", "x"],
    "phone": ["1380000111"],
}


def sample(parameter: search.Parameter) -> object:
    """A value of the parameter's kind."""
    if parameter.kind == "reference":
        return {"reference": f"{parameter.targets[0]}/r1"}
    if parameter.name in ("email",):
        return {"system": "email", "value": "138 0000 1111"}
    return SAMPLE[parameter.kind]


def bearing(kind: str, parameter: search.Parameter) -> dict:
    """A resource that has a value of the parameter, and of no other element."""
    value = sample(parameter)
    for step in reversed(parameter.path.split("|")[0].split(".")):
        value = {step: [value] if parameter.kind != "date" else value}
    return {"resourceType": kind, **value}  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", COMMON.split())
def test_a_resource_is_found_by_each_value_it_has_and_no_other(
    connection: psycopg.Connection, kind: str
) -> None:
    for parameter in parameters(kind):
        if not parameter.name.startswith("_"):
            with connection.transaction(force_rollback=True):
                found_by(connection, kind, parameter)


def found_by(connection: psycopg.Connection, kind: str, parameter: search.Parameter) -> None:
    made = direct.create(connection, kind, bearing(kind, parameter))
    direct.create(connection, kind, {"resourceType": kind})
    asked = ASKED.get(parameter.kind, ["r1", *(f"{t}/r1" for t in parameter.targets[:1])])
    cases = [(parameter.name, text, True) for text in asked]
    cases += [(parameter.name, text, False) for text in NOT_ASKED.get(parameter.kind, ["r2"])]
    cases += [(f"{parameter.name}:missing", "false", True)]
    for name, text, wanted in cases:
        found = [each.id for each in search.run(connection, kind, [(name, text)]).matches]
        assert found == ([made.id] if wanted else []), (kind, name, text)
    without = search.run(connection, kind, [(f"{parameter.name}:missing", "true")]).matches
    assert made.id not in {each.id for each in without}, (kind, parameter.name)
    assert len(without) == 1


@pytest.mark.parametrize("kind", searchable())
def test_marks_of_presence_fit_into_a_row(kind: str) -> None:
    bits = [parameter.bit for parameter in parameters(kind) if parameter.bit]
    assert len(set(bits)) == len(bits)
    assert max(bits) < 2**63


def test_exact_asks_for_the_very_characters(connection: psycopg.Connection) -> None:
    direct.create(connection, "Organization", {"resourceType": "Organization", "name": "Héllo"})
    for text, count in (("Héllo", 1), ("hello", 0), ("Hél", 0)):
        page = search.run(connection, "Organization", [("name:exact", text)])
        assert len(page.matches) == count, text


def test_other_dates_of_a_type_are_searched_and_sorted(connection: psycopg.Connection) -> None:
    for began, recorded in (("2020", "2024-05-01"), ("2021", "2023-05-01"), (None, "2022")):
        body = {"resourceType": "Condition", "recordedDate": recorded}
        direct.create(
            connection, "Condition", body | ({"onsetDateTime": began} if began else {})
        )

    def recorded(*params: tuple[str, str]) -> list[bytes]:
        page = search.run(connection, "Condition", list(params))
        return [each.json.split(b'"recordedDate":"')[1][:4] for each in page.matches]

    assert recorded(("onset-date", "ge2021")) == [b"2023"]
    assert recorded(("_sort", "onset-date")) == [b"2024", b"2023", b"2022"]
    assert recorded(("_sort", "-onset-date")) == [b"2023", b"2024", b"2022"]
    assert recorded(("_sort", "recorded-date")) == [b"2022", b"2023", b"2024"]


def test_the_index_follows_from_the_body_alone() -> None:
    body = bearing("Observation", parameters("Observation")[3])
    assert index.of(body) == index.of(dict(reversed(body.items())))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["ap0001", "ap9999-12-31", "ge0000", "9999", "0001", "eq2026-02-30", "2026-01-01T24:00", "|",
     "a|b|c", "\\", ",", "Patient/", "http://x/Patient/1", "%", "_", "\0", "{0}", "true", "-1"]
)  # fmt: skip
names = st.sampled_from(
    [p.name + m for p in parameters("Patient") for m in ("", ":exact", ":not", ":missing")]
    + ["_count", "_sort", "_cursor", "_total", "_include", "x", "", ":"]
)


def outcome(connection: psycopg.Connection, params: list[tuple[str, str]]) -> object:
    """The status of the refusal, or what was found."""
    try:
        return search.run(connection, "Patient", params).matches or "nothing found"
    except HubError as error:
        return error.status


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(params=st.lists(st.tuples(names, texts), max_size=3))
def test_any_search_is_answered_or_refused(
    connection: psycopg.Connection, params: list[tuple[str, str]]
) -> None:
    with connection.transaction(force_rollback=True):
        assert outcome(connection, params) in (400, "nothing found")
