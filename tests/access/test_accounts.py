"""Accounts: strong passwords, one refusal for all faults, lock-out that grows, sessions that end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from healthhub.access import Role, accounts, passwords
from healthhub.access.accounts import REFUSED, Attempt, Signed, sign_in
from healthhub.access.http import Identities
from healthhub.errors import InvalidRequest, NotFound, NotSignedIn

Pool = AsyncConnectionPool[Any]
GOOD = "Ein-gutes-Wort-7"


@pytest.fixture
def doctor(connection: psycopg.Connection[Any]) -> None:
    """An account of a clinician."""
    accounts.add(connection, "wang", GOOD, [Role.CLINICIAN], "王医生")
    connection.commit()


async def tried(
    pool: Pool,
    name: str,
    password: str,
    code: str = "",
    with_code: frozenset[Role] = frozenset(),
) -> str:
    """The outcome of one attempt to sign in."""
    try:
        await sign_in(pool, Attempt(name, password, code, "127.0.0.1"), 30, with_code)
    except NotSignedIn as error:
        return error.message
    return "in"


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short1A!",
        "alllowercase1",
        "1234567890",
        "aaaaaaaaaaaaaaaaaaaa",
        "My-wang-2026!",
        "x" * 300,
    ],
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidRequest):
        passwords.require_strong(password, "wang")


@pytest.mark.parametrize("password", [GOOD, "correct horse battery", "密码很长很长A1b2"])
def test_strong_passwords_are_taken(password: str) -> None:
    passwords.require_strong(password, "wang")


def test_generated_passwords_keep_the_rules_and_differ() -> None:
    made = {passwords.generated() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        passwords.require_strong(password, "wang")


@pytest.mark.usefixtures("doctor")
def test_the_stored_password_is_argon2id(connection: psycopg.Connection[Any]) -> None:
    (stored,) = connection.execute("select password from account").fetchone() or ("",)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,")
    assert GOOD not in stored


@pytest.mark.usefixtures("doctor")
def test_a_name_is_taken_once(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(InvalidRequest):
        accounts.add(connection, "wang", GOOD, [Role.ADMIN])
    with pytest.raises(InvalidRequest):
        accounts.add(connection, "Wang Wei", GOOD, [Role.ADMIN])


@pytest.mark.usefixtures("doctor")
def test_the_right_password_opens_a_session_of_the_account(pool: Pool) -> None:
    async def act() -> tuple[Signed, Any]:
        async with pool:
            signed = await sign_in(pool, Attempt("WANG", GOOD), 30)
            return signed, await Identities(pool, 30).of_session(signed.token)

    signed, found = asyncio.run(act())
    assert found.id == signed.actor.id
    assert (found.title, found.roles) == ("王医生", {Role.CLINICIAN})


@pytest.mark.usefixtures("doctor")
def test_the_token_of_a_session_is_nowhere_stored(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    async def act() -> Signed:
        async with pool:
            return await sign_in(pool, Attempt("wang", GOOD), 30)

    signed = asyncio.run(act())
    rows = connection.execute("select session::text from session").fetchall()
    assert len(rows) == 1
    assert signed.token not in rows[0][0]


@pytest.mark.usefixtures("doctor")
def test_every_failure_gets_the_same_answer(pool: Pool) -> None:
    async def act() -> set[str]:
        async with pool:
            return {
                await tried(pool, name, password)
                for name, password in (
                    ("wang", "wrong"),
                    ("nobody", GOOD),
                    ("", ""),
                    ("a\0b", "x"),
                )
            }

    assert asyncio.run(act()) == {REFUSED}


@pytest.mark.usefixtures("doctor")
def test_an_unknown_name_takes_as_long_as_a_wrong_password(pool: Pool) -> None:
    async def timed(name: str) -> float:
        best = 9.0
        for _ in range(4):
            began = time.perf_counter()
            await tried(pool, name, "wrong")
            best = min(best, time.perf_counter() - began)
        return best

    async def act() -> float:
        async with pool:
            return await timed("nobody") / await timed("wang")

    assert 0.5 < asyncio.run(act()) < 2.0


@pytest.mark.usefixtures("doctor")
def test_five_failures_lock_the_account_even_for_the_right_password(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    async def act() -> list[str]:
        async with pool:
            for _ in range(5):
                await tried(pool, "wang", "wrong")
            first = await tried(pool, "wang", GOOD)
            async with pool.connection() as conn:
                await conn.execute("update account set locked_until = now() - interval '1 s'")
            return [first, await tried(pool, "wang", GOOD)]

    assert asyncio.run(act()) == [REFUSED, "in"]
    state = connection.execute("select failures, locked_until from account").fetchone()
    assert state == (0, None)


@pytest.mark.usefixtures("doctor")
def test_each_further_failure_locks_for_longer(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    delays = []

    async def act() -> None:
        async with pool, pool.connection() as conn:
            await conn.set_autocommit(True)
            for failures in (4, 5, 8, 500):
                await conn.execute(
                    "update account set failures = %s, locked_until = null", (failures,)
                )
                await tried(pool, "wang", "wrong")
                found = await conn.execute(
                    "select extract(epoch from locked_until - now()) from account"
                )
                delays.append(round(float((await found.fetchone() or (0,))[0]), -1))

    asyncio.run(act())
    assert delays == [30, 60, 480, 3600]


@pytest.mark.usefixtures("doctor")
def test_guesses_in_parallel_cannot_outrun_the_lock(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    async def act() -> None:
        async with pool:
            await asyncio.gather(*(tried(pool, "wang", f"guess{n}") for n in range(12)))

    asyncio.run(act())
    assert connection.execute("select failures from account").fetchone() == (5,)


@pytest.mark.usefixtures("doctor")
def test_sign_ins_and_refusals_are_audited(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    async def act() -> None:
        async with pool:
            await tried(pool, "wang", "wrong")
            await tried(pool, "wang", GOOD)

    asyncio.run(act())
    rows = connection.execute(
        "select actor, action, outcome, address from audit_event order by at"
    ).fetchall()
    assert [row[1:] for row in rows] == [
        ("sign-in", "denied", "127.0.0.1"),
        ("sign-in", "done", "127.0.0.1"),
    ]
    assert rows[0][0].startswith("account:")


@pytest.mark.parametrize(
    "change",
    [
        "update session set seen_at = now() - interval '31 min'",
        "update session set expires_at = now()",
        "delete from session",
        "update account set disabled_at = now()",
    ],
    ids=["idle", "old", "signed out", "disabled"],
)
@pytest.mark.usefixtures("doctor")
def test_a_session_ends(pool: Pool, change: str) -> None:
    async def act() -> Any:
        async with pool:
            signed = await sign_in(pool, Attempt("wang", GOOD), 30)
            async with pool.connection() as conn:
                await conn.execute(change)  # type: ignore[arg-type]
            return await Identities(pool, 30).of_session(signed.token)

    assert asyncio.run(act()) is None


@pytest.mark.usefixtures("doctor")
@pytest.mark.parametrize("change", ["password", "disable"])
def test_a_new_password_and_a_closed_account_end_the_sessions(
    pool: Pool, connection: psycopg.Connection[Any], change: str
) -> None:
    async def act() -> None:
        async with pool:
            await sign_in(pool, Attempt("wang", GOOD), 30)

    asyncio.run(act())
    if change == "password":
        accounts.set_password(connection, "wang", "Noch-ein-Wort-9")
    else:
        accounts.disable(connection, "wang")
    assert connection.execute("select count(*) from session").fetchone() == (0,)


def test_to_change_an_account_that_is_not_there_is_an_error(
    connection: psycopg.Connection[Any],
) -> None:
    with pytest.raises(NotFound):
        accounts.disable(connection, "nobody")
