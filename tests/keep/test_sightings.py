"""Counts of strange codes are those of their sightings, whatever is settled, and settled again."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub import keep
from healthhub.keep.sightings import LONGEST
from healthhub.model.code_maps import Sighting
from healthhub.model.message import Envelope, Message, State
from healthhub.store.database import MIGRATIONS

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def message(number: int) -> Message:
    at = AT + timedelta(hours=number)
    return Message(number, "his", b"", at, State.DONE, 1, Envelope("", "", "", None))


def settle(conn: psycopg.Connection, said: Mapping[int, Sequence[Sighting]]) -> None:
    keep.sight(conn, [message(number) for number in said], said)


def counted(conn: psycopg.Connection) -> dict[str, tuple[int, int]]:
    rows = conn.execute("select code, open, mapped from code_gap").fetchall()
    return {code: (unknown, mapped) for code, unknown, mapped in rows if unknown or mapped}


def seen(conn: psycopg.Connection) -> dict[str, tuple[int, int]]:
    rows = conn.execute(
        """select g.code, count(*) filter (where s.version = 0),
                  count(*) filter (where s.version > 0)
             from code_sighting s join code_gap g on g.id = s.gap group by 1"""
    ).fetchall()
    return {code: (unknown, mapped) for code, unknown, mapped in rows}


sightings = st.dictionaries(st.sampled_from("ABC"), st.integers(0, 2)).map(
    lambda found: [Sighting("tests", code, version) for code, version in found.items()]
)
batches = st.lists(st.dictionaries(st.integers(1, 4), sightings, min_size=1), max_size=5)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches)
def test_the_counts_are_those_of_what_each_message_held_last(
    connection: psycopg.Connection, history: list[dict[int, list[Sighting]]]
) -> None:
    with connection.transaction(force_rollback=True):
        last: dict[int, list[Sighting]] = {}
        for batch in history:
            settle(connection, batch)
            last |= batch
        told: dict[str, tuple[int, int]] = {}
        for held in last.values():
            for each in held:
                unknown, mapped = told.get(each.code, (0, 0))
                told[each.code] = (unknown + (not each.version), mapped + bool(each.version))
        assert counted(connection) == seen(connection) == told


def test_when_it_came_first_and_last_and_what_it_is_called(
    connection: psycopg.Connection,
) -> None:
    settle(connection, {2: [Sighting("tests", "A", 0, "尿酸", "umol/L")]})
    settle(connection, {5: [Sighting("tests", "A", 0)], 1: [Sighting("tests", "A", 0, "UA")]})
    settle(connection, {5: []})
    (gap,) = keep.gaps.queue(connection).gaps
    assert (gap.display, gap.unit, gap.open) == ("UA", "umol/L", 2)
    assert (gap.first, gap.last) == (message(1).received, message(5).received)


def test_texts_that_no_code_is_and_what_postgresql_cannot_hold(
    connection: psycopg.Connection,
) -> None:
    long, odd = "长" * (LONGEST + 1), "A\0B"
    settle(connection, {1: [Sighting("tests", long, 0), Sighting("tests", odd, 0)]})
    (gap,) = keep.gaps.queue(connection).gaps
    assert gap.code == "A\N{REPLACEMENT CHARACTER}B"


def test_what_was_found_before_there_were_gaps_is_in_the_queue(
    connection: psycopg.Connection,
) -> None:
    """The migration fills it from the findings."""
    (path,) = (MIGRATIONS / "versions").glob("*_code_gaps.py")
    spec = importlib.util.spec_from_file_location("code_gaps", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    connection.execute("drop table code_gap, code_sighting, code_map_version")
    for number in (1, 2):
        connection.execute(
            """insert into message values (%s, %s, 'his', %s, 'x', 1, 'ORU', '', '', null, '{}')""",
            (number, bytes([number]), message(number).received),
        )
        connection.execute(
            """insert into message_finding values (%s, 0, 'warning', 'unknown-code', 'OBX-3', '',
                 'the table tests has no such code; it was kept as it came', 'X9')""",
            (number,),
        )
    connection.execute(module.TABLES)
    (gap,) = keep.gaps.queue(connection).gaps
    assert (gap.source, gap.table, gap.code, gap.open) == ("his", "tests", "X9", 2)
    assert seen(connection) == {"X9": (2, 0)}
