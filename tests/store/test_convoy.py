"""Convoys: many statements on one connection, each with its own rows or its own error."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.errors import TryAgain
from healthhub.store import convoy
from healthhub.store.convoy import Convoys
from healthhub.store.query import Query, Row

Ask = Callable[..., Awaitable[list[Row]]]


def told(dsn: str, story: Callable[[Ask], Awaitable[None]], options: str = "") -> None:
    """Run a story that asks one convoy."""

    async def run() -> None:
        convoys = Convoys(dsn, options, convoys=1)

        async def ask(sql: str, **values: Any) -> list[Row]:
            return await convoys.fetch(Query(sql, values, lambda found: found))

        try:
            await story(ask)
        finally:
            await convoys.close()

    asyncio.run(run())


VALUES: list[tuple[str, Any]] = [
    ("int", -7),
    ("bigint", 2**62),
    ("bool", True),
    ("text", 'a "quoted" \\ 张三 %'),
    ("text", None),
    ("uuid", UUID(int=5)),
    ("timestamptz", datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)),
    ("numeric", Decimal("1.50")),
    ("bytea", b"\x00\\x"),
    ("uuid[]", [UUID(int=1), UUID(int=2)]),
    ("bigint[]", []),
    ("text[]", ["", "null", None, 'a,"b"', "{}", "\\"]),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_value_comes_back_as_it_was(server_dsn: str, kind: str, value: Any) -> None:
    async def story(ask: Ask) -> None:
        assert await ask(f"select %(v)b::{kind}, 100 %% 7", v=value) == [(value, 2)]

    told(server_dsn, story)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    )
)
def test_any_texts_come_back_as_they_were(server_dsn: str, texts: list[str | None]) -> None:
    async def story(ask: Ask) -> None:
        assert await ask("select %(v)b::text[]", v=texts) == [(texts,)]

    told(server_dsn, story)


def test_statements_of_one_turn_are_one_transaction(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        await ask("select 1")
        asked = [ask("select %(n)b::int, pg_current_xact_id()::text", n=n) for n in range(20)]
        found = await asyncio.gather(*asked)
        assert [rows[0][0] for rows in found] == list(range(20))
        assert len({rows[0][1] for rows in found}) == 1

    told(server_dsn, story)


def test_one_statements_error_is_not_anothers(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        found = await asyncio.gather(
            ask("select 1 / %(n)b::int", n=0),
            ask("select 2 / %(n)b::int", n=1),
            ask("selec"),
            ask("select pg_sleep(60)"),
            ask("select 3"),
            return_exceptions=True,
        )
        kinds = [type(each) for each in found]
        assert kinds == [
            psycopg.errors.DivisionByZero,
            list,
            psycopg.errors.SyntaxError,
            psycopg.errors.QueryCanceled,
            list,
        ]
        assert found[1] == [(2,)]
        assert found[4] == [(3,)]
        assert await ask("select 4") == [(4,)]

    told(server_dsn, story, "-c statement_timeout=300ms")


def test_what_failed_with_the_others_left_nothing_behind(
    connection: psycopg.Connection,
) -> None:
    connection.execute("create table noted (n int)")
    connection.commit()
    sql = "with found as (select %(n)b::int n), kept as (insert into noted select 1 / n from found)"

    async def story(ask: Ask) -> None:
        asked = [ask(sql + " select n from found", n=n) for n in (1, 0, 2)]  # noqa: S608
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [found[0], found[2]] == [[(1,)], [(2,)]]

    told(connection.info.dsn, story)
    assert connection.execute("select count(*) from noted").fetchone() == (2,)


def test_a_lost_connection_fails_who_waits_and_nobody_later(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        with pytest.raises(psycopg.OperationalError):
            await ask("select pg_terminate_backend(pg_backend_pid())")
        assert await ask("select 5") == [(5,)]
        (pid,) = (await ask("select pg_backend_pid()"))[0]
        with psycopg.connect(server_dsn, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        for _ in range(5):
            await asyncio.sleep(0)
        assert await ask("select 6") == [(6,)]  # it noticed while nobody waited

    told(server_dsn, story)


def test_one_who_no_longer_waits_takes_nothing_from_the_others(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        first = asyncio.ensure_future(ask("select pg_sleep(0.2)"))
        second = asyncio.ensure_future(ask("select 2"))
        third = asyncio.ensure_future(ask("select 3"))
        await asyncio.sleep(0.05)
        first.cancel()
        third.cancel()
        assert await second == [(2,)]
        assert await ask("select 4") == [(4,)]

    told(server_dsn, story)


def test_prepared_statements_stay_bounded(
    server_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convoy, "PREPARED", 10)

    async def story(ask: Ask) -> None:
        await asyncio.gather(*(ask(f"select {n}") for n in range(25)))
        for n in range(25):
            assert await ask(f"select {n}") == [(n,)]
        assert await ask("select count(*) from pg_prepared_statements") == [(10,)]

    told(server_dsn, story)


def test_too_many_who_wait_are_told_so(
    server_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convoy, "WAITING", 5)

    async def story(ask: Ask) -> None:
        asked = [ask("select 1") for _ in range(9)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, TryAgain) for each in found) == 4
        assert await ask("select 2") == [(2,)]

    told(server_dsn, story)


def test_a_large_answer_comes_whole(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        sent = "汉" * 2_000_000
        found = await asyncio.gather(ask("select %(t)b::text", t=sent), ask("select 1"))
        assert found == [[(sent,)], [(1,)]]

    told(server_dsn, story)


def test_what_cannot_be_read_keeps_no_other_waiting(server_dsn: str) -> None:
    async def story(ask: Ask) -> None:
        found = await asyncio.wait_for(
            asyncio.gather(
                ask("select 1"),
                ask("select 'infinity'::timestamptz"),
                ask("select 3"),
                return_exceptions=True,
            ),
            20,
        )
        assert [found[0], found[2]] == [[(1,)], [(3,)]]
        assert isinstance(found[1], psycopg.DataError)

    told(server_dsn, story)


@pytest.mark.parametrize("value", ["a\0b", ["a\0b"]])
def test_a_text_is_never_cut_at_a_nul(server_dsn: str, value: Any) -> None:
    async def story(ask: Ask) -> None:
        with pytest.raises(psycopg.DataError):
            await ask("select %(v)b", v=value)
        assert await ask("select 1") == [(1,)]

    told(server_dsn, story)


def test_too_many_values_are_their_senders_fault_alone(server_dsn: str) -> None:
    sql = "select " + " or ".join(f"%(v{n})b = 1" for n in range(65_536))

    async def story(ask: Ask) -> None:
        found = await asyncio.gather(
            ask("select pg_sleep(0.1)"),
            ask(sql, **{f"v{n}": 1 for n in range(65_536)}),
            return_exceptions=True,
        )
        assert isinstance(found[1], psycopg.ProgrammingError)
        assert not isinstance(found[0], Exception)

    told(server_dsn, story)


def test_a_statement_whose_table_has_changed_is_prepared_again(
    connection: psycopg.Connection,
) -> None:
    connection.execute("create table grows (n int)")
    connection.execute("insert into grows values (1)")
    connection.commit()

    async def story(ask: Ask) -> None:
        assert await ask("select * from grows") == [(1,)]
        connection.execute("alter table grows add m int default 2")
        connection.commit()
        assert await ask("select * from grows") == [(1, 2)]
        await ask("deallocate all")
        assert await ask("select * from grows") == [(1, 2)]

    told(connection.info.dsn, story)


def test_statements_that_fail_leave_no_prepared_ones_behind(
    server_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convoy, "PREPARED", 10)

    async def story(ask: Ask) -> None:
        for n in range(40):
            with pytest.raises(psycopg.errors.DivisionByZero):
                await ask(f"select {n} / %(zero)b::int", zero=0)
        for n in range(5):
            await asyncio.gather(
                *(ask(f"select {n} + {m} / %(zero)b::int", zero=0) for m in range(20)),
                return_exceptions=True,
            )
        rows = await ask("select count(*) from pg_prepared_statements")
        assert rows[0][0] <= 11

    told(server_dsn, story)


def test_a_server_that_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convoy, "CONNECT_SECONDS", 2)

    async def story(ask: Ask) -> None:
        with pytest.raises(psycopg.OperationalError):
            await asyncio.wait_for(ask("select 1"), 30)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        told(f"host=127.0.0.1 port={silent.getsockname()[1]} user=x dbname=x", story)
