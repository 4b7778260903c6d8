"""Who has looked at a person's record: the audit, asked by patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from healthhub.clock import ZONE

PERSON = "person"
READERS = "readers"
"""What the audit says of two steps that every page takes: they show nothing of the record."""

_SQL = """
with look as (
  select e.actor, e.purpose, max(e.at) as at
    from audit_event e
   where e.patients && %(patients)s::uuid[]
     and e.at >= %(since)s
     and e.outcome = 'done'
     and e.action in ('read', 'search', 'write')
     and e.query is distinct from %(person)s and e.query is distinct from %(readers)s
   group by e.actor, e.purpose, (e.at at time zone %(zone)s)::date
   order by 3 desc
   limit %(count)s)
select look.at, look.actor, look.purpose,
       coalesce(nullif(a.title, ''), a.name, c.name, d.title, look.actor) as name,
       coalesce(a.roles, c.roles, case when d.id is not null then '{launched}' end::text[], '{}')
           as roles
  from look
  left join account a on look.actor = 'account:' || a.id
  left join client c on look.actor = 'client:' || c.id
  left join doctor d on look.actor = 'doctor:' || d.id
 order by look.at desc
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One who looked, on one day, for one purpose. ``at``: the last time on that day; ``name``:
    what people call the account or client; ``roles``: what it may be by now."""

    at: datetime
    actor: str
    purpose: str
    name: str
    roles: list[str]


async def latest(
    connection: psycopg.AsyncConnection[Any],
    patients: Sequence[UUID],
    since: datetime,
    count: int,
) -> list[Look]:
    """The latest ``count`` since then, the last first; ``patients`` are the person's keys."""
    values = {
        "patients": list(patients),
        "since": since,
        "count": count,
        "zone": ZONE.key,
        "person": PERSON,
        "readers": READERS,
    }
    rows = await (await connection.execute(_SQL, values)).fetchall()
    return [Look(at.astimezone(ZONE), *rest) for at, *rest in rows]
