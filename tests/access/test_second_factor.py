"""Codes besides passwords: who has them needs one each time, and each is good once."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pyotp
import pytest
from psycopg_pool import AsyncConnectionPool
from serving import answering

from healthhub import cli
from healthhub.access import Role, accounts, second_factor
from healthhub.access.accounts import Attempt, sign_in
from healthhub.errors import NotFound, NotSignedIn
from healthhub.main import build_app
from healthhub.settings import Settings, Web

GOOD = "Ein-gutes-Wort-7"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""That of RFC 6238's table (12345678901234567890)."""


def at(seconds: int) -> datetime:
    """A moment."""
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ],
)
def test_codes_are_those_of_the_specification(seconds: int, code: str) -> None:
    assert second_factor.step_of(SECRET, code, at(seconds), 0) == seconds // 30
    assert second_factor.step_of(SECRET, f"{code[:3]} {code[3:]}", at(seconds), 0)


@pytest.mark.parametrize(
    ("late", "taken"), [(-61, False), (-30, True), (30, True), (61, False)]
)
def test_a_clock_may_differ_by_a_step(late: int, taken: bool) -> None:
    found = second_factor.step_of(SECRET, "005924", at(1234567890 + late), 0)
    assert (found is not None) == taken


@pytest.mark.parametrize("code", ["", "00592", "0059244", "五924", "005925", "\0"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert second_factor.step_of(SECRET, code, at(1234567890), 0) is None


def test_a_code_is_not_taken_after_its_step_was_used() -> None:
    step = 1234567890 // 30
    assert second_factor.step_of(SECRET, "005924", at(1234567890), step - 1) == step
    assert second_factor.step_of(SECRET, "005924", at(1234567890), step) is None


@pytest.fixture
def secret(connection: psycopg.Connection[Any]) -> str:
    """The secret of an administrator's codes."""
    accounts.add(connection, "liu", GOOD, [Role.ADMIN])
    made = accounts.set_code(connection, "liu")
    connection.commit()
    return made


async def tried(pool: Any, password: str, code: str) -> str:
    """The outcome of one attempt to sign in."""
    try:
        await sign_in(pool, Attempt("liu", password, code), 30)
    except NotSignedIn as error:
        return error.message
    return "in"


def test_an_account_with_codes_needs_password_and_code_and_tells_neither_from_the_other(
    pool: AsyncConnectionPool[Any], secret: str
) -> None:
    async def act() -> list[str]:
        async with pool:
            code = pyotp.TOTP(secret).now()
            return [
                await tried(pool, GOOD, ""),
                await tried(pool, GOOD, "000000" if code != "000000" else "111111"),
                await tried(pool, "wrong", code),
                await tried(pool, GOOD, code),
            ]

    assert asyncio.run(act()) == [*[accounts.REFUSED] * 3, "in"]


def test_of_many_who_bring_one_code_at_once_one_gets_in(
    pool: AsyncConnectionPool[Any], connection: psycopg.Connection[Any], secret: str
) -> None:
    connection.execute("update account set failures = -100")
    connection.commit()

    async def act() -> list[str]:
        async with pool:
            code = pyotp.TOTP(secret).now()
            return await asyncio.gather(*(tried(pool, GOOD, code) for _ in range(6)))

    assert sorted(asyncio.run(act())) == sorted(["in", *[accounts.REFUSED] * 5])


def test_wrong_codes_lock_the_account_as_wrong_passwords_do(
    pool: AsyncConnectionPool[Any], connection: psycopg.Connection[Any], secret: str
) -> None:
    async def act() -> str:
        async with pool:
            for _ in range(5):
                await tried(pool, GOOD, "x")
            return await tried(pool, GOOD, pyotp.TOTP(secret).now())

    assert asyncio.run(act()) == accounts.REFUSED
    assert connection.execute("select failures from account").fetchone() == (5,)


def enter(hub: httpx.Client, name: str, code: str) -> int:
    """The status of the answer to the sign-in form."""
    key = re.search(r'name="form_key" value="([^"]+)"', hub.get("/signin").text)
    assert key
    form = {"form_key": key[1], "name": name, "password": GOOD, "code": code}
    return hub.post("/signin", data=form).status_code


def test_where_the_settings_say_so_an_administrator_without_codes_does_not_get_in(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    accounts.add(connection, "liu", GOOD, [Role.ADMIN, Role.CLINICIAN])
    accounts.add(connection, "wang", GOOD, [Role.CLINICIAN])
    connection.commit()
    with answering(build_app(Settings(web=Web(admins_need_code=True)), database)) as hub:
        assert (enter(hub, "liu", ""), enter(hub, "wang", "")) == (401, 303)
        secret = accounts.set_code(connection, "liu")
        connection.commit()
        assert enter(hub, "liu", pyotp.TOTP(secret).now()) == 303
    with answering(build_app(Settings(), database)) as hub:
        assert enter(hub, "liu", "") == 401, "who has codes needs one whatever the settings say"


def test_the_command_shows_the_secret_once_and_takes_codes_back(
    database: str,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    accounts.add(connection, "liu", GOOD, [Role.ADMIN])
    connection.commit()
    assert cli.main(["account", "code", "liu"]) == 0
    shown = capsys.readouterr().out
    (row,) = connection.execute("select code_secret from account").fetchall()
    connection.commit()
    assert row[0] in shown.replace(" ", "")
    address = pyotp.parse_uri(shown.splitlines()[-1])
    assert (address.secret, address.name, address.issuer) == (row[0], "liu", "HealthHub")
    assert cli.main(["account", "list"]) == 0
    assert capsys.readouterr().out == "liu admin active code\n"
    assert cli.main(["account", "code", "liu", "--off"]) == 0
    assert cli.main(["account", "list"]) == 0
    assert capsys.readouterr().out == "liu admin active\n"


def test_new_codes_end_the_sessions(
    pool: AsyncConnectionPool[Any], connection: psycopg.Connection[Any]
) -> None:
    accounts.add(connection, "liu", GOOD, [Role.ADMIN])
    connection.commit()

    async def act() -> str:
        async with pool:
            return await tried(pool, GOOD, "")

    assert asyncio.run(act()) == "in"
    accounts.set_code(connection, "liu")
    assert connection.execute("select count(*) from session").fetchone() == (0,)
    with pytest.raises(NotFound):
        accounts.set_code(connection, "nobody")
