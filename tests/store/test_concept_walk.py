"""Searches by a code find by its concepts what they find by reading every row, in order."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from unittest import mock

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.model.resource import Body
from healthhub.store import concept_walk, concepts, direct, index, query, reindex, search
from healthhub.store.concept_walk import Bounds, bounds
from tests.store.drafts import code

UCUM = "http://unitsofmeasure.org"
Params = list[tuple[str, str]]

CODINGS = [
    {"system": "http://loinc.org", "code": "2345-7"},
    {"system": "http://loinc.org", "code": "718-7"},
    {"system": "urn:ours", "code": "GLU"},
    {"code": "bare"},
    {"system": "urn:ours"},
]
UNITS: list[Body] = [
    {"system": UCUM, "code": "mmol/L", "unit": "mmol/L"},
    {"system": UCUM, "code": "umol/L", "unit": "µmol/l"},
    {"system": "urn:units", "code": "spoon"},
    {"unit": "mmol/L"},
    {},
]
NUMBERS = [0, 1, 4, 5, 5.4, 70, 5400, -3, 1e12]
DATES = ["2019", "2026-01", "2026-01-02", "2026-01-02T08:00:00+08:00", "2026-01-02T08:00:30+08:00",
         "2026-02-03", "2031-07-08T09:10:11Z"]  # fmt: skip


def _of_period(start: str, end: str) -> Body:
    return {"effectivePeriod": {k: v for k, v in (("start", start), ("end", end)) if v}}


times = st.one_of(
    st.just({}),
    st.sampled_from(DATES).map(lambda date: {"effectiveDateTime": date}),
    st.builds(
        _of_period,
        st.sampled_from(["", "2018", "2026-01-01"]),
        st.sampled_from(["", "2026-03"]),
    ),
)
quantities = st.builds(
    lambda value, unit, comparator: {"value": value} | unit | comparator,
    st.sampled_from(NUMBERS),
    st.sampled_from(UNITS),
    st.sampled_from([{}, {}, {}, *({"comparator": sign} for sign in ("<", "<=", ">", ">="))]),
)
sampled = st.just(
    {"origin": UNITS[0] | {"value": 0}, "period": 1, "dimensions": 1, "data": "1 5 80"}
)
values = st.one_of(
    st.just({}),
    quantities.map(lambda value: {"valueQuantity": value}),
    quantities.map(lambda value: {"valueQuantity": value}),
    sampled.map(lambda value: {"valueSampledData": value}),
    st.builds(
        lambda one, other: {"valueQuantity": one, "valueSampledData": other},
        quantities,
        sampled,
    ),
)
observations = st.builds(
    lambda codings, time, value: {"code": {"coding": codings}} | time | value,
    st.lists(st.sampled_from(CODINGS), min_size=1, max_size=3),
    times,
    values,
)
PREFIXES = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
asked_codes = st.sampled_from(
    ["http://loinc.org|2345-7", "718-7", "urn:ours|", "bare", "|bare", "urn:ours|none",
     "http://loinc.org|718-7,urn:ours|GLU"]
)  # fmt: skip
asked_sizes = st.builds(
    lambda prefix, value, unit: f"{prefix}{value}{unit}",
    st.sampled_from(PREFIXES),
    st.sampled_from(["5", "5.4", "70", "0.005", "-3", "5400", "1e12"]),
    st.sampled_from(
        ["", "", f"|{UCUM}|mmol/L", f"|{UCUM}|mol/L", "||mmol/L", "|urn:units|spoon"]
    ),
)
asked_times = st.builds(
    lambda prefix, date: prefix + date,
    st.sampled_from(PREFIXES),
    st.sampled_from(["2019", "2026-01", "2026-01-02", "2026-02-03", "2026-01-02T00:00:15Z"]),
)
more = st.lists(
    st.one_of(
        asked_sizes.map(lambda each: ("value-quantity", each)),
        st.tuples(asked_sizes, asked_sizes).map(lambda two: ("value-quantity", ",".join(two))),
        asked_times.map(lambda each: ("date", each)),
        st.tuples(asked_times, asked_times).map(lambda two: ("date", ",".join(two))),
        st.just(("status", "final")),
        st.just(("value-quantity:missing", "true")),
    ),
    max_size=3,
)
questions = st.one_of(
    st.builds(lambda wanted, rest: [("code", wanted), *rest], asked_codes, more),
    st.builds(
        lambda wanted, size, rest: [("code-value-quantity", f"{wanted}${size}"), *rest],
        st.sampled_from(["http://loinc.org|2345-7", "718-7"]),
        asked_sizes,
        more,
    ),
)
without_code = st.lists(
    st.sampled_from(
        [("status", "final"), ("date", "ge2026-01-02"), ("combo-code", "718-7"),
         ("value-quantity", "gt4"), ("code:not", "718-7"), ("_lastUpdated", "gt2020")]
    ),
    max_size=2,
)  # fmt: skip
sorts = st.sampled_from(["", "-date", "date", "_id", "-_lastUpdated", "value-quantity"])


def write(connection: psycopg.Connection, bodies: list[Body]) -> None:
    for number, body in enumerate(bodies):
        whole = {"resourceType": "Observation", "id": f"o{number}", "status": "final"} | body
        direct.update(connection, "Observation", whole["id"], whole)


def paged(connection: psycopg.Connection, params: Params, count: int) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        asked = [*params, ("_count", str(count)), *([("_cursor", cursor)] if cursor else [])]
        page = search.run(connection, "Observation", asked)
        found += [str(each.id) for each in page.matches]
        cursor = page.next
        if cursor is None:
            return found
        assert len(found) < 100


def by_reading(connection: psycopg.Connection, params: Params) -> list[str]:
    """The ids that a search finds without concepts: by tokens, spans and dates of each row."""
    wanted = search.compile("Observation", [*params, ("_count", "1000")])
    assert "concept" not in wanted.sql
    return [str(each.id) for each in query.fetch(connection, wanted).matches]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bodies=st.lists(observations, min_size=1, max_size=12),
    asked=st.lists(st.tuples(questions | without_code, sorts), min_size=1, max_size=8),
    few=st.sampled_from([0, 2, search.FEW]),
    tried=st.sampled_from([1, 3, search.TRIED]),
)
def test_whatever_way_a_search_goes_it_finds_what_reading_every_row_finds_in_that_order(
    connection: psycopg.Connection, bodies: list[Body], asked: list[Any], few: int, tried: int
) -> None:
    with (
        connection.transaction(force_rollback=True),
        mock.patch.object(search, "FEW", few),
        mock.patch.object(search, "TRIED", tried),
    ):
        write(connection, bodies)
        for params, sort in asked:
            whole = [*params, *([("_sort", sort)] if sort else [])]
            expected = by_reading(connection, whole)
            assert paged(connection, whole, 1) == expected
            assert paged(connection, whole, 100) == expected


@given(
    st.sampled_from(PREFIXES[1:]),
    st.lists(st.integers(-9, 9), min_size=2, max_size=2).map(sorted),
    st.lists(st.integers(-9, 9), min_size=2, max_size=2).map(sorted),
)
def test_bounds_never_rule_out_what_a_comparison_takes(
    prefix: str, asked: list[int], held: list[int]
) -> None:
    """The comparisons as http://hl7.org/fhir/R4/search.html#prefix states them."""
    (low, high), (first, last) = asked, held
    within = low <= first and last <= high
    taken = {
        "eq": within,
        "ne": not within,
        "gt": last > high,
        "lt": first < low,
        "ge": last > high or within,
        "le": first < low or within,
        "sa": first > high,
        "eb": last < low,
        "ap": first <= high and last >= low,
    }[prefix]
    made = bounds(prefix, low, high)
    inside = (
        (made.first_from is None or first >= made.first_from)
        and (made.first_to is None or first <= made.first_to)
        and (made.last_from is None or last >= made.last_from)
        and (made.last_to is None or last <= made.last_to)
    )
    assert inside or not taken


def test_pages_go_on_from_rows_with_a_time_to_those_without(
    connection: psycopg.Connection,
) -> None:
    dated = [{"code": GLUCOSE, "effectiveDateTime": f"2026-01-0{day}"} for day in range(1, 8)]
    write(connection, [*dated, *[{"code": GLUCOSE}] * 4])
    for asked in ([("code", "2345-7")], [("status", "final"), ("_sort", "-date")]):
        expected = by_reading(connection, asked)
        assert len(expected) == 11
        for count in range(1, 12):
            assert paged(connection, asked, count) == expected


def test_bounds_of_alternatives_and_of_both() -> None:
    some, others = Bounds(1, 5, None, 9), Bounds(3, 4, 2, None)
    assert some.hull(others) == Bounds(1, 5, None, None)
    assert some.also(others) == Bounds(3, 4, 2, 9)


@pytest.mark.parametrize(
    "moment",
    ["0001-01-02T00:00:00+00:00", "1969-12-31T23:59:59.999999+00:00", "1970-01-01T00:00:00+00:00",
     "2026-01-02T08:00:59.999999+08:00", "6053-01-23T02:07:00+00:00", "9999-12-30T00:00:00+00:00"],
)  # fmt: skip
def test_a_minute_is_the_same_here_and_in_the_database(
    connection: psycopg.Connection, moment: str
) -> None:
    when = datetime.fromisoformat(moment)
    row = connection.execute("select resource_minute(%s)", (when,)).fetchone()
    assert row == (concept_walk.minute(when),)


def concept(**elements: Any) -> concepts.Concept | None:
    return index.of(
        {"resourceType": "Observation", "id": "o", "status": "final"} | elements
    ).concept


GLUCOSE = code("2345-7")
SAME = [
    ({"code": GLUCOSE}, {"code": GLUCOSE | {"text": "glucose"}}, True),
    ({"code": GLUCOSE}, {"code": code("718-7")}, False),
    ({"code": GLUCOSE}, {"code": code("2345-7", "urn:ours")}, False),
    ({"code": GLUCOSE, "valueQuantity": {"value": 5}}, {"code": GLUCOSE, "valueQuantity": {"value": 7}}, True),
    ({"code": GLUCOSE, "valueQuantity": {"value": 5}}, {"code": GLUCOSE, "valueQuantity": {"value": 5, "unit": "g"}}, False),
    ({"code": GLUCOSE, "effectiveDateTime": "2026-01-02"}, {"code": GLUCOSE, "effectiveDateTime": "2026-01"}, True),
    ({"code": GLUCOSE, "effectiveDateTime": "2026-01-02"}, {"code": GLUCOSE, "effectiveDateTime": "2026"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_a_concept_is_codings_units_and_length_of_time(
    one: Body, other: Body, same: bool
) -> None:
    assert (concept(**one) == concept(**other)) is same


def test_without_a_coding_there_is_no_concept() -> None:
    assert concept(code={"text": "glucose"}) is None
    assert concept() is None
    assert index.of({"resourceType": "Patient", "id": "p"}).concept is None


def found(connection: psycopg.Connection) -> int:
    asked = [("code", "2345-7"), ("value-quantity", "gt4")]
    return len(search.run(connection, "Observation", asked).matches)


def test_rows_from_before_are_found_by_reading_until_a_reindex_has_made_their_concepts(
    database: str,
) -> None:
    with psycopg.connect(database) as writer:
        write(writer, [{"code": GLUCOSE, "valueQuantity": {"value": 5}}] * 3)
        writer.execute("update resource set concept = null")
    with psycopg.connect(database, autocommit=True) as connection:
        assert found(connection) == 0  # by concepts, which these rows have lost
        connection.execute("update index_since set at = clock_timestamp()")
        assert found(connection) == 3
        assert reindex.reindex(connection, lambda _: None).righted == 3
        connection.execute("update resource set tokens = tokens || 1::bigint where version = 0")
        assert found(connection) == 3
        connection.execute("update resource set concept = null")
        assert found(connection) == 0


def test_a_concept_that_many_codes_share_is_not_walked(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concept_walk, "MOST", 3)
    write(connection, [{"code": code(f"c{number}", "urn:many")} for number in range(6)])
    connection.execute("update resource set concept = null")
    assert len(search.run(connection, "Observation", [("code", "urn:many|")]).matches) == 6
    assert search.run(connection, "Observation", [("code", "urn:many|c1")]).matches == []


def test_a_rolled_back_concept_is_entered_again(database: str) -> None:
    body = {"code": GLUCOSE, "valueQuantity": {"value": 5}}
    with psycopg.connect(database) as writer:
        write(writer, [body])
        writer.rollback()
        write(writer, [body])
        writer.commit()
        assert found(writer) == 1


DEEP = [
    ([("code", "2345-7")], "Index Cond: ((concept = c.concept) AND (CASE"),
    ([("status", "final"), ("_sort", "-date")], "at_end <="),
    ([("status", "final"), ("_sort", "-_lastUpdated")], "updated <="),
]


@pytest.mark.parametrize(("params", "start"), DEEP, ids=["code", "date", "updated"])
def test_a_deep_page_begins_at_its_place_in_the_index(
    connection: psycopg.Connection, params: Params, start: str
) -> None:
    dated = [
        {"code": GLUCOSE, "effectiveDateTime": f"2026-01-{day:02}"} for day in range(1, 20)
    ]
    write(connection, dated)
    connection.execute("set local enable_seqscan = off")
    connection.execute("set local enable_bitmapscan = off")
    asked: list[query.Query[Any]] = []
    run = query.fetch

    def noting(connection: Any, wanted: Any) -> Any:
        asked.append(wanted)
        return run(connection, wanted)

    first = search.run(connection, "Observation", [*params, ("_count", "5")])
    with mock.patch.object(query, "fetch", noting):
        search.run(
            connection, "Observation", [*params, ("_count", "5"), ("_cursor", first.next or "")]
        )
    with connection.cursor() as cursor:
        sql = f"explain {asked[-1].sql}"
        plan = "\n".join(row[0] for row in cursor.execute(sql, asked[-1].params))  # type: ignore[arg-type]
    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert any(start in line for line in conditions), plan
