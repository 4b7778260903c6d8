"""Launches: a hospital's system asks for a ticket, and its doctor's browser opens one record.

A ticket is good for one use within a minute. It opens a session in which that doctor may read
that person's record and nothing else, until it ends.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub import clock, identify
from healthhub.access import audit
from healthhub.access.accounts import digest
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.policy import Action
from healthhub.errors import Conflict, Gone, InvalidRequest, NotFound
from healthhub.identify.identity import parse_resident_id
from healthhub.model.resource import Body
from healthhub.store import search

TICKET_SECONDS = 60
FROM_SOURCE = "urn:healthhub:source:"
NATIONAL = "urn:oid:2.16.156.10011.1.3"
MOST_PATIENTS = 50
DOCTOR = "doctor.id, doctor.number, doctor.title, doctor.source"

_DOCTOR = """
insert into doctor (source, number, title) values (%s, %s, %s)
on conflict (source, number) do update set title = excluded.title returning id
"""
_TICKET = """
with old as (delete from launch_ticket where expires_at < now() - interval '1 day')
insert into launch_ticket (ticket, client, doctor, patient, purpose, expires_at)
values (%s, %s, %s, %s, %s, now() + %s * interval '1 s')
"""
_KNOWN = f"""
select {DOCTOR}, ticket.patient, ticket.purpose
  from launch_ticket ticket join doctor on doctor.id = ticket.doctor
 where ticket.ticket = %s
"""  # noqa: S608
_USE = """
update launch_ticket ticket set used_at = now() from client
 where ticket.ticket = %s and used_at is null and expires_at > now()
   and client.id = ticket.client and client.disabled_at is null
returning ticket.client, ticket.doctor, ticket.patient, ticket.purpose
"""
_SESSION = """
with old as (delete from launch_session where expires_at < now())
insert into launch_session (token, client, doctor, patient, purpose, expires_at)
values (%s, %s, %s, %s, %s, %s)
"""
ACTING = f"""
with found as (
    select {DOCTOR}, session.patient, session.purpose, session.token, session.seen_at
      from launch_session session
      join doctor on doctor.id = session.doctor
      join client on client.id = session.client
     where session.token = %(token)s and session.expires_at > now()
       and session.seen_at > now() - %(idle)s * interval '1 min'
       and client.disabled_at is null),
touched as (
    update launch_session session set seen_at = now() from found
     where session.token = found.token and found.seen_at < now() - interval '30 s')
select id, number, title, source, patient, purpose from found
"""  # noqa: S608
"""The doctor of a session that has not ended; keeps it from going idle."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose record a system wants opened, by which number, for whom. ``system``: the number's
    kind, where one value could be the number of two patients."""

    value: str
    system: str
    doctor: str
    title: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A fresh ticket, which is nowhere else, and the patient that it opens."""

    ticket: str
    patient: UUID


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh session: its cookie, which is nowhere else, and the person whose record it opens."""

    token: str
    person: UUID


def issue(
    connection: psycopg.Connection[Any],
    who: Actor,
    purpose: Purpose,
    own: Collection[str],
    wanted: Wanted,
) -> Ticket:
    """Make a ticket for a client that is a source's system; ``own``: the sources that share its
    numbers. NotFound when nobody has the number, Conflict when several persons have it."""
    patient = _patient(connection, own, wanted)
    number = int(who.id.partition(":")[2])
    row = connection.execute(_DOCTOR, (who.source, wanted.doctor, wanted.title)).fetchone()
    assert row is not None  # noqa: S101 - the statement returns its row
    ticket = secrets.token_urlsafe(32)
    values = (digest(ticket), number, row[0], patient, purpose.value, TICKET_SECONDS)
    connection.execute(_TICKET, values)
    return Ticket(ticket, patient)


async def use(
    pool: AsyncConnectionPool[Any], ticket: str, address: str, minutes: int
) -> Opened:
    """Open the session of a ticket; Gone when it was used, is too old or unknown."""
    key, token = digest(ticket), secrets.token_urlsafe(32)
    async with pool.connection() as connection, connection.transaction():
        found = await (await connection.execute(_KNOWN, (key,))).fetchone()
        used = await (await connection.execute(_USE, (key,))).fetchone()
        if found is not None:
            who = actor(*found)
            event = audit.Event(
                Actor(who.id, who.kind, who.name, who.roles, address=address),
                who.purpose or Purpose.TREAT,
                Action.SIGN_IN,
                "denied" if used is None else "done",
                patients=(found[4],),
                query="launch ticket",
            )
            await connection.execute(audit.INSERT, (audit.as_parameter([event]),))
        if used is not None:
            until = clock.now() + timedelta(minutes=minutes)
            await connection.execute(_SESSION, (digest(token), *used, until))
            return Opened(token, await identify.aperson_of(connection, used[2]))
    raise Gone("the launch ticket was used before, is over a minute old, or is none")


async def end(pool: AsyncConnectionPool[Any], token: str) -> None:
    """End a session."""
    async with pool.connection() as connection:
        await connection.execute(
            "delete from launch_session where token = %s", (digest(token),)
        )


def actor(
    number: int, name: str, title: str, source: str, patient: UUID, purpose: str
) -> Actor:
    """The doctor, who may read this patient's person and nobody else."""
    return Actor(
        f"doctor:{number}",
        "doctor",
        name,
        frozenset({Role.LAUNCHED}),
        title,
        Purpose(purpose),
        source=source,
        patient=patient,
    )


def _patient(connection: psycopg.Connection[Any], own: Collection[str], wanted: Wanted) -> UUID:
    """The one patient; of the system's own sources before others, and of others by the national
    number alone: another hospital's number of the same digits is another person."""
    resident = parse_resident_id(wanted.value)
    if resident is not None:
        found = _having(connection, NATIONAL, resident.number)
    else:
        found = _having(connection, wanted.system, wanted.value)
    mine = [key for key, body in found if _source(body) in own]
    others = [key for key, _ in found] if resident is not None else []
    keys: Sequence[UUID] = mine or others
    if not keys:
        raise NotFound(
            "the hub knows no patient of this system by this number; its messages may not have "
            "come yet",
            expression="patient.value",
        )
    if len({identify.person_of(connection, key) for key in keys}) > 1:
        raise Conflict(
            "several persons have this number; name its kind in patient.system",
            expression="patient.system",
        )
    return keys[0]


def _having(
    connection: psycopg.Connection[Any], system: str, value: str
) -> list[tuple[UUID, Body]]:
    """Source patients with the number."""
    escaped = re.sub(r"([\\,|$])", r"\\\1", value)
    token = f"{system}|{escaped}" if system else escaped
    params = [("identifier", token), ("_count", str(MOST_PATIENTS + 1))]
    page = search.run(connection, "Patient", params, "")
    if len(page.matches) > MOST_PATIENTS:
        raise InvalidRequest("too many patients have this number", expression="patient.value")
    bodies = [(stored.id, orjson.loads(stored.json)) for stored in page.matches]
    return [(key, body) for key, body in bodies if _source(body)]


def _source(body: Body) -> str:
    """The source that told of the patient; empty for a golden one, and for a client's."""
    origin = str(body.get("meta", {}).get("source", ""))
    if not origin.startswith(FROM_SOURCE):
        return ""
    return origin.removeprefix(FROM_SOURCE).partition("#")[0]
