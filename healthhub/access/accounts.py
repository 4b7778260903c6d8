"""Accounts of people: passwords and codes, lock-out, sessions that end."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub import clock
from healthhub.access import audit, passwords, second_factor
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest, NotFound, NotSignedIn

NAME = re.compile(r"[a-z][a-z0-9._-]{1,62}")
SESSION_HOURS = 12
"""A session ends after this however busy it is; the idle limit is a setting."""
FREE_FAILURES = 5
"""Wrong passwords in a row before the account is locked: for 30 s, then 60 s, ... up to 1 h."""

_CLAIM = """
update account
   set failures = failures + 1,
       locked_until = case when failures + 1 >= %(free)s
            then now() + least(power(2, least(failures + 1 - %(free)s, 10)) * interval '30 s',
                               interval '1 h') end
 where name = %(name)s and disabled_at is null and coalesce(locked_until, now()) <= now()
returning id, name, title, roles, password, code_secret, code_step
"""
"""Counts the attempt before the password is looked at: guesses in parallel cannot outrun it."""
_USE_CODE = "update account set code_step = %s where id = %s and code_step < %s returning id"

REFUSED = (
    "the name, the password or the code is wrong, or the account is locked for a while after too "
    "many attempts; try again later or ask an administrator"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A fresh session: its cookie, which is nowhere else, its end, and whose it is."""

    token: str
    expires: datetime
    actor: Actor


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the list shows it."""

    name: str
    title: str
    roles: tuple[Role, ...]
    disabled: bool
    code: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody has typed to sign in, and from where."""

    name: str
    password: str
    code: str = ""
    address: str = ""


def digest(token: str) -> bytes:
    """What is stored of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def add(
    connection: psycopg.Connection[Any],
    name: str,
    password: str,
    roles: Sequence[Role],
    title: str = "",
) -> None:
    """Make an account; InvalidRequest when the name is taken or the password too weak."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "an account's name is 2 to 63 small letters, digits, '.', '_' or '-', and begins "
            "with a letter",
            expression="name",
        )
    passwords.require_strong(password, name)
    made = connection.execute(
        "insert into account (name, title, password, roles) values (%s, %s, %s, %s)"
        " on conflict (name) do nothing returning id",
        (name, title, passwords.hashed(password), [role.value for role in roles]),
    ).fetchone()
    if made is None:
        raise InvalidRequest(
            "an account of this name exists; choose another", expression="name"
        )


def set_password(connection: psycopg.Connection[Any], name: str, password: str) -> None:
    """Give an account a new password, unlock it, and end its sessions."""
    passwords.require_strong(password, name)
    _change(
        connection,
        name,
        "update account set password = %s, failures = 0, locked_until = null"
        " where name = %s returning id",
        passwords.hashed(password),
    )


def set_code(connection: psycopg.Connection[Any], name: str) -> str:
    """Let an account sign in with codes from now on, end its sessions, and return the secret of
    the codes; the one before it, if any, ends."""
    secret = second_factor.secret()
    _change(
        connection,
        name,
        "update account set code_secret = %s, code_step = 0 where name = %s returning id",
        secret,
    )
    return secret


def drop_code(connection: psycopg.Connection[Any], name: str) -> None:
    """Let an account sign in without codes, as when a phone is lost, and end its sessions."""
    _change(
        connection,
        name,
        "update account set code_secret = %s, code_step = 0 where name = %s returning id",
        None,
    )


def disable(connection: psycopg.Connection[Any], name: str) -> None:
    """Close an account for good and end its sessions; its audit stays."""
    _change(
        connection,
        name,
        "update account set disabled_at = coalesce(disabled_at, %s) where name = %s returning id",
        clock.now(),
    )


def listed(connection: psycopg.Connection[Any]) -> list[Account]:
    """All accounts by name."""
    rows = connection.execute(
        "select name, title, roles, disabled_at is not null, code_secret is not null"
        " from account order by name"
    )
    return [Account(n, t, tuple(map(Role, roles)), *rest) for n, t, roles, *rest in rows]


async def sign_in(
    pool: AsyncConnectionPool[Any],
    typed: Attempt,
    idle_minutes: int,
    with_code: frozenset[Role] = frozenset(),
) -> Signed:
    """Open a session; NotSignedIn with one and the same sentence whatever was wrong.

    An account that has codes needs one; one with a role of ``with_code`` needs to have them.
    The answer takes one password hash whether the account exists, is locked or not.
    """
    async with pool.connection() as connection:
        values = {"name": typed.name[:63].lower().replace("\0", ""), "free": FREE_FAILURES}
        found = await connection.execute(_CLAIM, values)
        claimed = await found.fetchone()
    stored = claimed[4] if claimed else None
    password = typed.password[: passwords.MAX_LENGTH]
    fits = await asyncio.to_thread(passwords.verify, password, stored)
    if claimed is None:
        raise NotSignedIn(REFUSED)
    number, name, title, named, _, secret, last = claimed
    roles = frozenset(map(Role, named))
    actor = Actor(f"account:{number}", "account", name, roles, title, None, typed.address)
    async with pool.connection() as connection, connection.transaction():
        if secret is not None:
            step = second_factor.step_of(secret, typed.code[:16], clock.now(), last)
            fits = fits and await _code_used(connection, number, step)
        elif roles & with_code:
            fits = False
        event = audit.Event(
            actor, Purpose.HOPERAT, Action.SIGN_IN, "done" if fits else "denied"
        )
        await connection.execute(audit.INSERT, (audit.as_parameter([event]),))
        opened = await _open_session(connection, number, actor, idle_minutes) if fits else None
    if opened is None:
        raise NotSignedIn(REFUSED)
    return opened


async def _code_used(
    connection: psycopg.AsyncConnection[Any], account: int, step: int | None
) -> bool:
    """Use up the code of this step; False when there is none, or somebody was quicker."""
    if step is None:
        return False
    used = await connection.execute(_USE_CODE, (step, account, step))
    return await used.fetchone() is not None


async def _open_session(
    connection: psycopg.AsyncConnection[Any], account: int, actor: Actor, idle_minutes: int
) -> Signed:
    token = secrets.token_urlsafe(32)
    now = clock.now()
    expires = now + timedelta(hours=SESSION_HOURS)
    await connection.execute(
        "update account set failures = 0, locked_until = null where id = %s", (account,)
    )
    await connection.execute(
        "delete from session where account = %s and (expires_at <= %s or seen_at <= %s)",
        (account, now, now - timedelta(minutes=idle_minutes)),
    )
    await connection.execute(
        "insert into session (token, account, seen_at, expires_at) values (%s, %s, %s, %s)",
        (digest(token), account, now, expires),
    )
    return Signed(token, expires, actor)


def _change(
    connection: psycopg.Connection[Any], name: str, sql: LiteralString, value: object
) -> None:
    changed = connection.execute(sql, (value, name)).fetchone()
    if changed is None:
        raise NotFound("there is no account of this name; `healthhub account list` shows them")
    connection.execute("delete from session where account = %s", changed)
