"""Rules of search that hold for every parameter: written, found by it, and never an accident."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.errors import HubError
from healthhub.model.r4 import shape
from healthhub.model.resource import Body
from healthhub.store import direct, expressions, index, search
from healthhub.store.parameters import Parameter, parameters, searchable
from healthhub.store.place import Place
from healthhub.store.r4_settled import WITHOUT_SEARCH
from tests.store.bearers import WHEN, bearing

# Type of the place -> values that find the sample, and values that do not.
ASKED: dict[str, tuple[list[str], list[str]]] = {
    "Identifier": (["n-1", "urn:s|n-1"], ["n-2", "urn:t|n-1", "n", "|n-1"]),
    "CodeableConcept": (["c", "urn:s|c", "urn:s|"], ["d", "urn:t|c", "|c", "urn:t|"]),
    "Coding": (["c", "urn:s|c", "urn:s|"], ["d", "urn:t|c", "|c"]),
    "ContactPoint": (["13800001111", "+86 138-0000-1111"], ["1380000111"]),
    "code": (["c"], ["d"]),
    "id": (["c"], ["d"]),
    "boolean": (["true"], ["false"]),
    "date": ([WHEN, "ge2026-03", "lt2027", "sa2025", "eb2026-04"], ["2026-03-05", "sa2026"]),
    "integer": (["7", "gt6", "le7", "7.0", "ap7"], ["8", "gt7", "7.4"]),
    "Reference": (["r1"], ["r2"]),
    "uri": (["http://x.test/a/b"], ["http://x.test/a", "http://x.test/a/b/c"]),
    "string": (["c", "C"], ["d", "cc"]),
}
EVERYDAY = [
    kind if kind in "Patient Observation Condition Encounter Appointment Bundle Device".split()
    else pytest.param(kind, marks=pytest.mark.slow)
    for kind in searchable()
]  # fmt: skip
_LIKE = {
    "dateTime": "date", "instant": "date", "Period": "date", "Timing": "date",
    "decimal": "integer", "Range": "integer", "Quantity": "integer", "Age": "integer",
    "Duration": "integer", "Money": "integer", "SampledData": "integer", "Resource": "Reference",
    "HumanName": "string", "Address": "string", "markdown": "string",
    "url": "uri", "canonical": "uri", "Extension": "code",
}  # fmt: skip


def cases(parameter: Parameter, place: Place) -> tuple[list[str], list[str]]:
    """What finds the sample at a place, and what does not."""
    if parameter.kind == "reference" and place.type == "Extension":
        return ASKED["Reference"]
    if parameter.name == "phonetic":
        return ["c", "C"], ["d"]
    if parameter.kind == "token" and place.type == "string":
        return ASKED["code"]
    return ASKED[_LIKE.get(place.type, place.type)]


def readable(resource_type: str) -> Iterator[tuple[Parameter, Place]]:
    """Each parameter of a type with each place it reads, but what the row itself holds."""
    for parameter in parameters(resource_type):
        for place in parameter.places:
            alone = place.path and place.path not in ("id", "meta.lastUpdated")
            if alone and not parameter.components and place.type != "boolean()":
                yield parameter, place


@pytest.mark.parametrize("kind", EVERYDAY)
def test_each_value_is_found_by_the_parameters_that_read_it_and_no_other(
    connection: psycopg.Connection, kind: str
) -> None:
    made: dict[str, UUID] = {}
    bearers: dict[str, Body] = {}
    for parameter, place in readable(kind):
        if not place.path.startswith("<"):
            body = bearing(kind, parameter.kind, place, parameter.targets)
            bearers.setdefault(_name(parameter, place), body)
    for name, body in bearers.items():
        made[name] = direct.create(connection, kind, body).id
    empty = direct.create(connection, kind, {"resourceType": kind}).id
    for parameter, place in readable(kind):
        if place.path.startswith("<"):
            continue
        right, wrong = cases(parameter, place)
        own = made[_name(parameter, place)]
        for text in right:
            assert own in found(connection, kind, parameter.name, text), (parameter.name, text)
        for text in wrong:
            assert own not in found(connection, kind, parameter.name, text), (
                parameter.name,
                text,
            )
        others = {
            key
            for name, key in made.items()
            for each in parameter.places
            if _within(name, each)
        }
        assert found(connection, kind, parameter.name, right[0]) <= others, parameter.name
        without = found(connection, kind, f"{parameter.name}:missing", "true")
        assert own not in without
        assert empty in without
        assert own in found(connection, kind, f"{parameter.name}:missing", "false")


def _name(parameter: Parameter, place: Place) -> str:
    """Samples differ by place and kind, and a reference by whom it leads to."""
    sort = "text" if parameter.kind == "string" else parameter.kind
    return f"{place.path} {sort} {place.target}"


def _within(name: str, place: Place) -> bool:
    """Whether a sample may lie at a place: there, or (a family name) within it."""
    here = name.partition(" ")[0].partition(".[")[0]
    return here.startswith(place.path.partition(".[")[0])


def found(connection: psycopg.Connection, kind: str, name: str, text: str) -> set[UUID]:
    """What a search by one parameter finds."""
    page = search.run(connection, kind, [(name, text), ("_count", "500")])
    return {each.id for each in page.matches}


@pytest.mark.parametrize("kind", searchable())
def test_marks_of_presence_fit_into_a_row(kind: str) -> None:
    bits = [parameter.bit for parameter in parameters(kind) if parameter.bit]
    assert len(set(bits)) == len(bits)
    assert max(bits) < 2**63


def test_every_parameter_of_r4_is_read_or_refused_with_advice() -> None:
    from healthhub.store.parameters import _rows

    unread = {
        (kind, row[0])
        for kind in searchable()
        for row in _rows().get(kind, ())
        if row[0] not in {parameter.name for parameter in parameters(kind)}
        and row[0] not in WITHOUT_SEARCH
    }
    # R4's example of a profile's parameter: it is based on Patient, its path on another type.
    assert unread == {("Patient", "part-agree")}


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.nose",
        "Patient.name.where(use.exists())",
        "Patient.name.first()",
        "Patient.name.given + 'x'",
        "Patient.name[x]",
        "Patient.name as",
        "Nurse.name",
        "Patient.name.where(use=official)",
        "(Patient.name",
        "Patient.active and",
        "",
    ],
)
def test_an_expression_that_is_not_understood_is_an_error(expression: str) -> None:
    with pytest.raises(expressions.Unreadable):
        expressions.places("Patient", expression)


def test_choices_become_the_elements_of_r4() -> None:
    places = expressions.places("Observation", "(Observation.value as Quantity)")
    assert [place.path for place in places] == ["valueQuantity"]
    whole = {place.path for place in expressions.places("Observation", "Observation.effective")}
    assert whole == {
        "effectiveDateTime",
        "effectivePeriod",
        "effectiveTiming",
        "effectiveInstant",
    }
    assert set(shape.elements("Observation")) >= whole


def test_the_index_follows_from_the_body_alone() -> None:
    parameter = next(one for one in parameters("Observation") if one.name == "code")
    body = bearing("Observation", parameter.kind, parameter.places[0], parameter.targets)
    assert index.of(body) == index.of(dict(reversed(body.items())))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["ap0001", "ap9999-12-31", "ge0000", "9999", "0001", "eq2026-02-30", "2026-01-01T24:00", "|",
     "a|b|c", "\\", ",", "Patient/", "http://x/Patient/1", "%", "_", "\0", "{0}", "true", "-1",
     "1e400", "-1e-400", "5.4||mg", "gt1e9|http://unitsofmeasure.org|mg", "a$b", "$", "c$5", "|$|",
     "Observation:patient", "Patient:link:Patient", "*", "WzUsbnVsbF0", "1\\,2", "\\|", "name,-_id"]
)  # fmt: skip
MODIFIERS = (
    "", ":exact", ":not", ":missing", ":contains", ":text", ":in", ":not-in", ":above", ":below",
    ":of-type", ":identifier", ":Patient", ".name", ":Patient.name", "._id", ":iterate", ":",
)  # fmt: skip


def names(kind: str) -> st.SearchStrategy[str]:
    """Names of parameters, good and bad."""
    return st.sampled_from(
        [one.name + more for one in parameters(kind) for more in MODIFIERS]
        + [
            "_count",
            "_sort",
            "_cursor",
            "_total",
            "_include",
            "_include:iterate",
            "_revinclude",
        ]
        + [
            "_has:Observation:patient:code",
            "_has:Observation:patient:_has:Provenance:target:_id",
        ]
        + ["_has", "_has:", "_has:x:y:z", "_list", "_summary", "_type", "_filter", "x", "", ":"]
    )


def outcome(connection: psycopg.Connection, kind: str, params: list[tuple[str, str]]) -> object:
    """The status of the refusal, or what was found."""
    try:
        return search.run(connection, kind, params).matches or "nothing found"
    except HubError as error:
        return error.status


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_search_is_answered_or_refused(
    connection: psycopg.Connection, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["Patient", "Observation", "Encounter", "Group", ""]))
    params = data.draw(st.lists(st.tuples(names(kind), texts), max_size=3))
    with connection.transaction(force_rollback=True):
        assert outcome(connection, kind, params) in (400, "nothing found")
