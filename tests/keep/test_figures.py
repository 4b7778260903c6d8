"""The figures of each source are what a count of its messages gives, whatever has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from healthhub import keep
from healthhub.keep import Choice, Keeper, figures
from healthhub.model.finding import Finding
from healthhub.model.message import Envelope, Incoming, State

NOW = datetime(2026, 3, 2, 8, 20, tzinfo=UTC)
BAD_CODE = Finding("warning", "unknown-code", "OBX-3", "x")
NO_KEY = Finding("warning", "no-key", "PV1-19", "x")
NOTED = Finding("info", "placeholder", "PID-7", "x")

COUNTED = """
select source, date_trunc('hour', received, 'UTC'), 'received', '', count(*) from message group by 1,2
union all select source, date_trunc('hour', received, 'UTC'), 'bytes', '', sum(size) from message
  group by 1, 2
union all select source, date_trunc('hour', received, 'UTC'), 'state', state, count(*)
  from message join message_state using (id) group by 1, 2, 4
union all select source, date_trunc('hour', received, 'UTC'), 'finding', code,
  count(distinct message) from message_finding join message on id = message group by 1, 2, 4
union all select source, date_trunc('hour', received, 'UTC'), 'delay',
  delay_class(at, received), count(*) from message group by 1, 2, 4
union all select source, date_trunc('hour', received, 'UTC'), 'flaw',
  finding_flaw(code, severity), count(distinct message) from message_finding
  join message on id = message where finding_flaw(code, severity) <> '' group by 1, 2, 4
"""


def counted(conn: psycopg.Connection) -> list[tuple]:
    return sorted(conn.execute(COUNTED).fetchall())


def maintained(conn: psycopg.Connection) -> list[tuple]:
    return sorted(
        conn.execute(
            """select source, hour, measure, label, sum(n) from figure
                where hour > '-infinity' and measure not in ('wait', 'repeated')
                group by 1, 2, 3, 4 having sum(n) <> 0"""
        ).fetchall()
    )


def incoming(name: str, source: str, hours: int = 0, *, readable: bool = True) -> Incoming:
    received = NOW + timedelta(hours=hours)
    envelope = Envelope(
        "ADT^A01", name, "P1", received - timedelta(minutes=hours * 40), (name,)
    )
    return Incoming(
        source,
        name.encode(),
        received,
        "mllp x",
        envelope if readable else None,
        "" if readable else "102 x",
    )


def kept(dsn: str, *messages: Incoming) -> list[int]:
    async def work() -> list[int]:
        async with Keeper(dsn) as keeper:
            return [(await keeper.keep(each)).id for each in messages]

    return asyncio.run(work())


Step = Callable[[psycopg.Connection, str, int], object]


def _finish(conn: psycopg.Connection, _: str, n: int) -> None:
    for each in keep.claim(conn, range(256), 1 + n):
        keep.finish(conn, {each.id: [BAD_CODE, BAD_CODE, NO_KEY, NOTED][: n % 5]})


def _park(conn: psycopg.Connection, _: str, n: int) -> None:
    keep.park(conn, {each.id: [BAD_CODE] for each in keep.claim(conn, range(256), 1 + n)})


def _retry(conn: psycopg.Connection, _: str, n: int) -> None:
    for each in keep.claim(conn, range(256), 1):
        keep.retry_later(conn, each.id, 0 if n % 2 else 600, BAD_CODE)


def _keep(_: psycopg.Connection, dsn: str, n: int) -> None:
    kept(dsn, incoming(f"m{n}", f"s{n % 3}", n % 4, readable=n % 5 != 0))


def _replay(conn: psycopg.Connection, _: str, n: int) -> None:
    keep.replay(conn, Choice(source=f"s{n % 3}"), who="x", reason="x")


def _ignore(conn: psycopg.Connection, _: str, n: int) -> None:
    keep.ignore(conn, Choice(source=f"s{n % 3}"), who="x", reason="x")


def _admit(conn: psycopg.Connection, _: str, n: int) -> None:
    for line in keep.find(conn, Choice(state=State.REJECTED), limit=1 + n % 2):
        name = keep.get(conn, line.id).raw.decode()
        keep.admit(conn, line.id, incoming(name, line.source if n % 2 else "s9", 1))


def _fold(conn: psycopg.Connection, _: str, __: int) -> None:
    figures.fold(conn)


STEPS: list[Step] = [_keep, _keep, _finish, _park, _retry, _replay, _ignore, _admit, _fold]


def test_figures_are_what_a_count_gives_after_any_steps(database: str) -> None:
    """One database for all examples: what went before is part of each."""
    with psycopg.connect(database, autocommit=True) as conn:

        @how(max_examples=25, deadline=None)
        @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 40)), max_size=12))
        def hold(steps: list[tuple[Step, int]]) -> None:
            for step, n in steps:
                step(conn, database, n)
            assert maintained(conn) == counted(conn)
            everything = figures.ever(conn)
            hours = figures.since(conn, datetime(2000, 1, 1, tzinfo=UTC))
            assert everything == hours

        hold()


@pytest.mark.parametrize("folded", [False, True])
def test_bytes_that_come_again_count_as_repeats_of_their_message(
    database: str, folded: bool
) -> None:
    first = incoming("a", "his")
    for _ in range(3):
        (id_,) = kept(database, first)

    async def together() -> None:
        async with Keeper(database) as keeper:
            await asyncio.gather(*(keeper.keep(incoming("b", "his")) for _ in range(4)))

    asyncio.run(together())
    with psycopg.connect(database, autocommit=True) as conn:
        if folded:
            assert figures.fold(conn) > 0
            assert figures.fold(conn) == 0
        assert figures.ever(conn)["his"].repeated == 2 + 3
        assert figures.ever(conn)["his"].received == 2
        assert conn.execute(
            "select times from message_repeat where message = %s", (id_,)
        ).fetchone() == (2,)


def test_a_delay_is_told_by_its_class(database: str) -> None:
    ages = [
        ("1m", 59),
        ("10m", 60),
        ("1h", 3599),
        ("1d", 3600),
        ("7d", 6 * 86400),
        ("more", 8 * 86400),
        ("1m", -299),
        ("ahead", -301),
    ]
    for n, (_, seconds) in enumerate(ages):
        at = NOW - timedelta(seconds=seconds)
        kept(database, Incoming("s", b"%d" % n, NOW, "x", Envelope("A", "c", "p", at)))
    kept(database, Incoming("s", b"none", NOW, "x", Envelope("A", "c", "p", None)))
    with psycopg.connect(database) as conn:
        found = figures.ever(conn)["s"]
    wanted = [label for label, _ in ages]
    assert found.delay == {label: wanted.count(label) for label in wanted} | {"none": 1}
    assert found.late("1h") == 3
    assert found.timed == 7


def test_a_percentile_is_the_class_that_reaches_it() -> None:
    labels = {"1s": 90, "5s": 5, "more": 5}
    assert figures.percentile(figures.WAITS, labels, 0.5) == "1s"
    assert figures.percentile(figures.WAITS, labels, 0.95) == "5s"
    assert figures.percentile(figures.WAITS, labels, 0.99) == "more"
    assert figures.percentile(figures.WAITS, {}, 0.5) == ""


def test_what_a_replay_makes_wait_is_no_delay_until_visible(database: str) -> None:
    (id_,) = kept(
        database, Incoming("s", b"a", datetime.now(UTC), "x", Envelope("A", "", "", None))
    )
    with psycopg.connect(database, autocommit=True) as conn:
        keep.finish(conn, {id_: []})
        assert figures.ever(conn)["s"].wait == {"1s": 1}
        conn.execute("update message set received = received - interval '1 day'")
        keep.replay(conn, Choice(ids=(id_,)), who="x", reason="x")
        keep.finish(conn, {id_: []})
        assert sum(figures.ever(conn)["s"].wait.values()) == 1


def test_hours_of_long_ago_are_forgotten_and_the_sum_stays(database: str) -> None:
    kept(database, incoming("a", "his"))
    with psycopg.connect(database, autocommit=True) as conn:
        figures.fold(conn)
        assert figures.forget(conn, 0) > 0
        assert figures.since(conn, NOW - timedelta(days=1)) == {}
        assert figures.ever(conn)["his"].received == 1
