"""The keeper: durable once, in groups, and honest when it cannot keep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from healthhub import keep
from healthhub.errors import TryAgain
from healthhub.keep import Choice, Keeper, raw
from healthhub.model.message import Envelope, Incoming, Kept, State

AT = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


def incoming(
    content: bytes,
    source: str = "his",
    patient: str = "",
    numbers: Sequence[str] = (),
    received: datetime = AT,
) -> Incoming:
    envelope = Envelope("ADT^A01", "C1", patient, AT, tuple(numbers))
    return Incoming(source, content, received, "test", envelope)


def kept(dsn: str, *messages: Incoming, max_backlog: int = 1000) -> list[Kept]:
    async def work() -> list[Kept]:
        async with Keeper(dsn, max_backlog=max_backlog) as keeper:
            futures = [await keeper.submit(message) for message in messages]
            return await asyncio.gather(*futures)

    return asyncio.run(work())


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(contents=st.lists(st.binary(max_size=900), min_size=1, max_size=12))
def test_any_bytes_come_back_as_they_came_and_the_same_bytes_are_stored_once(
    database: str, contents: list[bytes]
) -> None:
    results = kept(database, *(incoming(content) for content in contents))
    with psycopg.connect(database) as conn:
        for content, result in zip(contents, results, strict=True):
            assert keep.get(conn, result.id).raw == content
    assert len({result.id for result in results}) == len(set(contents))


def test_a_message_sent_again_has_the_id_it_had_and_is_called_repeated(database: str) -> None:
    first, twin = kept(database, incoming(b"MSH|a"), incoming(b"MSH|a"))
    (later,) = kept(database, incoming(b"MSH|a"))
    assert [first.repeated, twin.repeated, later.repeated] == [False, True, True]
    assert first.id == twin.id == later.id


def test_the_same_bytes_of_two_sources_are_two_messages(database: str) -> None:
    one, two = kept(database, incoming(b"MSH|a", "his"), incoming(b"MSH|a", "lis"))
    assert one.id != two.id
    assert not two.repeated


def test_ids_follow_the_order_of_arrival(database: str) -> None:
    results = kept(database, *(incoming(b"%d" % n) for n in range(700)))
    ids = [result.id for result in results]
    assert ids == sorted(ids)


def test_messages_that_arrive_together_share_commits(database: str) -> None:
    kept(database, *(incoming(b"%d" % n) for n in range(600)))
    with psycopg.connect(database) as conn:
        row = conn.execute(
            "select count(distinct xmin::text), count(*) from message"
        ).fetchone()
    assert row is not None
    assert row[0] <= 6
    assert row[1] == 600


def test_garbage_is_kept_as_rejected_with_its_reason(connection: psycopg.Connection) -> None:
    garbage = Incoming("his", b"\x00\xff garbage", AT, "mllp", None, "no MSH segment")
    (result,) = kept(connection.info.dsn, garbage)
    message = keep.get(connection, result.id)
    assert (message.state, message.raw) == (State.REJECTED, b"\x00\xff garbage")
    (finding,) = keep.findings(connection, [result.id])[result.id]
    assert (finding.severity, finding.detail) == ("error", "no MSH segment")


def test_a_message_that_was_rejected_and_is_readable_when_it_comes_again_is_taken(
    database: str, connection: psycopg.Connection
) -> None:
    """Its source's charset was corrected meanwhile: who is told AA must find it processed."""
    garbage = Incoming("his", b"MSH|?", AT, "test", None, "102 byte 5 is not utf-8")
    (first,) = kept(database, garbage)
    again, twin = kept(database, *[incoming(b"MSH|?", patient="p1", numbers=["n1"])] * 2)
    assert (again, twin) == (Kept(first.id, False), Kept(first.id, True))
    found = keep.get(connection, first.id)
    assert (found.state, found.envelope.patient) == (State.PENDING, "p1")
    assert found.raw == b"MSH|?"
    assert keep.findings(connection, [first.id]) == {first.id: []}
    assert [m.id for m in keep.claim(connection, range(256), 10)] == [first.id]
    keep.finish(connection, {first.id: []})
    connection.commit()
    assert kept(database, garbage) == [Kept(first.id, True)]
    assert keep.get(connection, first.id).state is State.DONE


def test_a_rejected_message_whose_bytes_were_dropped_is_kept_anew_when_it_is_readable(
    database: str, connection: psycopg.Connection
) -> None:
    (first,) = kept(database, Incoming("his", b"MSH|?", AT, "test", None, "not utf-8"))
    raw.prune(connection, AT.date() + timedelta(days=1))
    connection.commit()
    (again,) = kept(database, incoming(b"MSH|?", received=AT + timedelta(days=3)))
    assert again == Kept(first.id, False)
    assert keep.get(connection, first.id).raw == b"MSH|?"


def test_an_envelope_of_text_that_postgresql_refuses_is_kept_in_plain_form(
    connection: psycopg.Connection,
) -> None:
    envelope = Envelope("A\0B", "\ud800", "x" * 5000, AT, ("n\x00", "", "y" * 9000, "王"))
    message = Incoming("his", b"odd", AT, "test", envelope)
    (result,) = kept(connection.info.dsn, message)
    read = keep.get(connection, result.id).envelope
    assert (read.kind, read.control, len(read.patient)) == (
        "A\N{REPLACEMENT CHARACTER}B",
        "?",
        200,
    )
    assert read.numbers == ("n\N{REPLACEMENT CHARACTER}", "y" * 200, "王")


def test_two_processes_that_keep_the_same_messages_in_opposite_order_keep_each_once(
    database: str,
) -> None:
    contents = [b"message %d" % n for n in range(400)]

    async def work() -> list[Kept]:
        async with Keeper(database) as one, Keeper(database) as two:
            ahead = [one.keep(incoming(content)) for content in contents]
            back = [two.keep(incoming(content)) for content in reversed(contents)]
            return await asyncio.gather(*ahead, *back)

    results = asyncio.run(work())
    ahead, back = results[:400], results[400:]
    assert [r.id for r in ahead] == [r.id for r in reversed(back)]
    assert sum(not result.repeated for result in results) == 400


def test_a_sender_is_put_off_at_once_while_the_store_is_away(database: str) -> None:
    nowhere = make_conninfo(database, host="127.0.0.1", port="1")

    async def work() -> None:
        async with Keeper(nowhere) as keeper:
            for _ in range(3):
                async with asyncio.timeout(3):
                    with pytest.raises(TryAgain, match="send it again"):
                        await keeper.keep(incoming(b"x"))

    asyncio.run(work())


def test_keeping_goes_on_when_the_store_comes_back(database: str) -> None:
    async def work() -> int:
        async with Keeper(database) as keeper:
            await keeper.keep(incoming(b"before"))
            with psycopg.connect(database, autocommit=True) as conn:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'healthhub keep'"
                    " and datname = current_database()"
                )
            refused = 0
            while True:
                try:
                    await keeper.keep(incoming(b"after"))
                except TryAgain:
                    refused += 1
                    await asyncio.sleep(0.05)
                else:
                    return refused

    assert 1 <= asyncio.run(work()) < 60
    with psycopg.connect(database) as conn:
        assert {line.size for line in keep.find(conn, Choice(source="his"))} == {5, 6}


def test_senders_are_put_off_while_the_backlog_is_full_and_taken_again_after(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healthhub.keep.keeper.RECOUNT_SECONDS", 0.0)
    dsn = connection.info.dsn

    async def work() -> None:
        async with Keeper(dsn, max_backlog=10) as keeper:
            for n in range(10):
                await keeper.keep(incoming(b"%d" % n))
            with pytest.raises(TryAgain, match="wait to be processed"):
                await keeper.keep(incoming(b"one more"))
            connection.execute("update message_state set state = 'done'")
            connection.commit()
            await keeper.keep(incoming(b"one more"))

    asyncio.run(work())
    assert keep.counts(connection).by_state[State.PENDING] == 1


def test_a_message_is_kept_in_the_partition_of_its_day_made_when_needed(
    connection: psycopg.Connection,
) -> None:
    far = AT + timedelta(days=400)
    kept(connection.info.dsn, incoming(b"now"), incoming(b"far", received=far))
    sizes = {day.day: day for day in raw.days(connection)}
    assert sizes[date(2026, 3, 1)].waiting == 1
    assert sizes[far.date()].bytes > 0
    assert sizes[far.date() + timedelta(days=raw.AHEAD)].waiting == 0


def test_every_commit_of_the_keeper_waits_for_the_disk(database: str) -> None:
    async def work() -> str:
        async with Keeper(database) as keeper:
            await keeper.keep(incoming(b"x"))
            assert keeper._conn is not None
            cursor = await keeper._conn.execute("show synchronous_commit")
            row = await cursor.fetchone()
            return row[0] if row else ""

    assert asyncio.run(work()) == "on"
