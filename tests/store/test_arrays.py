"""Arrays that are made at once are those that PostgreSQL reads."""

from __future__ import annotations

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.store.arrays import int8s
from healthhub.store.hashes import HIGHEST, LOWEST


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(st.integers(LOWEST, HIGHEST), max_size=40), max_size=5))
def test_any_numbers_come_back_as_they_were_written(
    database: str, arrays: list[list[int]]
) -> None:
    with psycopg.connect(database) as conn:
        conn.execute("create temp table held (place int4, numbers int8[])")
        with conn.cursor().copy("copy held from stdin (format binary)") as copy:
            copy.set_types(("int4", "bytea"))
            for place, numbers in enumerate(arrays):
                copy.write_row((place, int8s(numbers)))
        found = conn.execute("select numbers from held order by place").fetchall()
    assert [numbers for (numbers,) in found] == arrays
