"""The door: what the policy does not grant is refused, and what is shown was audited first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from healthhub.access import Action, Actor, Door, Purpose, Role, policy
from healthhub.errors import Forbidden, NotFound, TryAgain
from healthhub.store import direct

Pool = AsyncConnectionPool[Any]
PATIENT = {"resourceType": "Patient", "name": [{"text": "陈试验"}]}


def actor(*roles: Role) -> Actor:
    """An account with these roles."""
    return Actor("account:1", "account", "wang", frozenset(roles), address="10.0.0.9")


@pytest.fixture
def patient(connection: psycopg.Connection[Any]) -> str:
    """The id of a stored Patient."""
    stored = direct.create(connection, "Patient", dict(PATIENT))
    connection.commit()
    return str(stored.id)


def through(pool: Pool, act: Callable[[Door], Awaitable[Any]]) -> Any:
    """Use a door once."""

    async def work() -> Any:
        async with pool:
            door = Door(pool)
            try:
                return await act(door)
            finally:
                await door.close()

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("role", "action", "purpose", "allowed"),
    [
        (Role.CLINICIAN, Action.READ, Purpose.TREAT, True),
        (Role.CLINICIAN, Action.SEARCH, Purpose.TREAT, True),
        (Role.CLINICIAN, Action.MESSAGE, Purpose.TREAT, True),
        (Role.CLINICIAN, Action.READ, Purpose.PUBHLTH, False),
        (Role.CLINICIAN, Action.READ, Purpose.HSYSADMIN, False),
        (Role.CLINICIAN, Action.WRITE, Purpose.TREAT, False),
        (Role.CLINICIAN, Action.OPERATE, Purpose.TREAT, False),
        (Role.CLINICIAN, Action.AUDIT, Purpose.TREAT, False),
        (Role.ADMIN, Action.OPERATE, Purpose.HSYSADMIN, True),
        (Role.ADMIN, Action.MESSAGE, Purpose.HOPERAT, True),
        (Role.ADMIN, Action.READ, Purpose.TREAT, False),
        (Role.ADMIN, Action.READ, Purpose.HSYSADMIN, False),
        (Role.ADMIN, Action.AUDIT, Purpose.HOPERAT, False),
        (Role.AUDITOR, Action.AUDIT, Purpose.HOPERAT, True),
        (Role.AUDITOR, Action.READ, Purpose.TREAT, False),
        (Role.AUDITOR, Action.MESSAGE, Purpose.HOPERAT, False),
        (Role.SYSTEM, Action.WRITE, Purpose.TREAT, True),
        (Role.SYSTEM, Action.READ, Purpose.PUBHLTH, True),
        (Role.SYSTEM, Action.OPERATE, Purpose.HOPERAT, False),
    ],
)
def test_the_policy_grants_each_role_this_and_no_more(
    role: Role, action: Action, purpose: Purpose, allowed: bool
) -> None:
    assert policy.permits(actor(role), purpose, action) is allowed


def test_an_actor_without_roles_may_do_nothing() -> None:
    assert not any(
        policy.permits(actor(), purpose, action) for purpose in Purpose for action in Action
    )


def test_a_read_is_audited_with_who_why_and_whose(
    pool: Pool, patient: str, connection: psycopg.Connection[Any]
) -> None:
    doctor = actor(Role.CLINICIAN)
    through(pool, lambda door: door.read(doctor, Purpose.TREAT, "Patient", patient))
    row = connection.execute(
        "select actor, purpose, action, outcome, type, patients::text[], ids, address"
        " from audit_event"
    ).fetchall()
    assert row == [
        ("account:1", "TREAT", "read", "done", "Patient", [patient], [patient], "10.0.0.9")
    ]


def test_a_search_is_audited_with_its_parameters_and_whom_it_showed(
    pool: Pool, patient: str, connection: psycopg.Connection[Any]
) -> None:
    doctor = actor(Role.CLINICIAN)
    page = through(
        pool, lambda door: door.search(doctor, Purpose.TREAT, "Patient", [("name", "陈试验")])
    )
    row = connection.execute(
        "select action, query, patients::text[] from audit_event"
    ).fetchone()
    assert [str(stored.id) for stored in page.matches] == [patient]
    assert row == ("search", "name=陈试验", [patient])


def test_a_refusal_is_audited_and_shows_nothing(
    pool: Pool, patient: str, connection: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Forbidden):
        through(
            pool,
            lambda door: door.read(actor(Role.AUDITOR), Purpose.TREAT, "Patient", patient),
        )
    rows = connection.execute("select action, outcome, patients from audit_event").fetchall()
    assert rows == [("read", "denied", [])]


def test_a_read_of_nothing_is_audited_as_failed(
    pool: Pool, connection: psycopg.Connection[Any]
) -> None:
    doctor = actor(Role.CLINICIAN)
    with pytest.raises(NotFound):
        through(pool, lambda door: door.read(doctor, Purpose.TREAT, "Patient", "nobody"))
    rows = connection.execute("select outcome, ids from audit_event").fetchall()
    assert rows == [("failed", ["nobody"])]


def test_what_cannot_be_audited_is_not_shown(
    pool: Pool, patient: str, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("alter table audit_event rename to audit_event_elsewhere")
    connection.commit()
    doctor = actor(Role.CLINICIAN)
    with pytest.raises(TryAgain):
        through(pool, lambda door: door.read(doctor, Purpose.TREAT, "Patient", patient))


def test_reads_at_once_share_commits_and_lose_no_event(
    pool: Pool, patient: str, connection: psycopg.Connection[Any]
) -> None:
    doctor = actor(Role.CLINICIAN)

    async def many(door: Door) -> None:
        await asyncio.gather(
            *(door.read(doctor, Purpose.TREAT, "Patient", patient) for _ in range(100))
        )

    through(pool, many)
    events = connection.execute("select count(*) from audit_event").fetchone()
    commits = connection.execute(
        "select count(distinct xmin::text) from audit_event_rest"
    ).fetchone()
    assert events == (100,)
    assert commits is not None
    assert commits[0] < 100


@pytest.mark.parametrize(
    "change", ["update audit_event set actor = 'x'", "delete from audit_event"]
)
def test_audit_events_cannot_be_changed_or_removed(
    pool: Pool, patient: str, connection: psycopg.Connection[Any], change: str
) -> None:
    doctor = actor(Role.CLINICIAN)
    through(pool, lambda door: door.read(doctor, Purpose.TREAT, "Patient", patient))
    with pytest.raises(psycopg.errors.RaiseException):
        connection.execute(change)  # type: ignore[arg-type]
