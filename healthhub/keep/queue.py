"""What a worker does with waiting messages: claim, finish, park, retry later."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import psycopg

from healthhub.keep import raw as raw_bytes
from healthhub.model.finding import Finding
from healthhub.model.message import Envelope, Message, State

_LAST = 2**63 - 1
BATCH_BYTES = 8 * 2**20
"""Bytes in one claim, unless a single message is larger."""

COLUMNS = """m.id, m.source, m.received, s.state, s.attempts, m.size,
              m.kind, m.control, m.patient, m.at, m.numbers"""

# A message stays behind an earlier one of its source and patient that waits for its retry.
_FIRST_OF_ITS_PATIENT = """not exists (select from message_state e
    where e.state = 'retry' and e.order_key = s.order_key and e.id < s.id)"""

_DUE = f"""select {COLUMNS} from message_state s join message m using (id)
    where s.state = 'retry' and s.lane = any(%(lanes)s) and s.next_try <= now()
      and {_FIRST_OF_ITS_PATIENT}
    order by s.id limit %(limit)s"""  # noqa: S608

_PENDING = f"""select {COLUMNS} from (
    select * from message_state s
     where s.state = 'pending' and s.id > %(after)s and s.id <= %(until)s and s.lane = any(%(lanes)s)
       and (s.next_try is null or s.next_try <= now())
       and {_FIRST_OF_ITS_PATIENT}
     order by s.id limit %(limit)s) s join message m using (id) order by s.id"""  # noqa: S608

# A message is settled once: what an administrator has ignored meanwhile stays ignored.
_SETTLE = """update message_state set state = %s, attempts = attempts + 1, next_try = null,
    changed = now() where id = any(%s) and state in ('pending', 'retry') returning id"""


def claim(
    conn: psycopg.Connection, lanes: Collection[int], limit: int, after: int = 0
) -> list[Message]:
    """Messages to work on next, in order of receipt: due retries, then pending ones.

    The caller holds the lanes, so no other worker claims the same. Pending messages with ids
    up to ``after`` are passed over: a worker that goes through a long backlog passes its last
    id, and 0 from time to time. Bounded by ``limit`` and by BATCH_BYTES.
    """
    values = {"lanes": sorted(lanes), "limit": limit, "after": after, "until": _LAST}
    rows = conn.execute(_DUE, values).fetchall()
    if len(rows) < limit:
        rows += conn.execute(_PENDING, values | {"limit": limit - len(rows)}).fetchall()
    return with_bytes(conn, _bounded(rows))


def claim_older(
    conn: psycopg.Connection, lanes: Collection[int], limit: int, after: int, until: int
) -> list[Message]:
    """Pending messages with ids over ``after`` and up to ``until``: what was made pending
    again, or came while nobody worked for its lane."""
    values = {"lanes": sorted(lanes), "limit": limit, "after": after, "until": until}
    return with_bytes(conn, _bounded(conn.execute(_PENDING, values).fetchall()))


def waiting(conn: psycopg.Connection, messages: Sequence[int]) -> list[Message]:
    """Those of some messages that wait to be processed, in order of receipt. Others may take
    them at the same time: ``finish`` says who was first."""
    rows = conn.execute(
        f"""select {COLUMNS} from message_state s join message m using (id)
             where s.id = any(%s) and s.state = 'pending' order by s.id""",  # noqa: S608
        (list(messages),),
    ).fetchall()
    return with_bytes(conn, rows)


def newest(conn: psycopg.Connection) -> int:
    """The highest id given so far; 0 when nothing was kept yet."""
    row = conn.execute("select max(id) from message_state").fetchone()
    return (row[0] if row else None) or 0


def _bounded(rows: Iterable[tuple]) -> list[tuple]:
    chosen: list[tuple] = []
    total = 0
    for row in rows:
        total += row[5]
        if chosen and total > BATCH_BYTES:
            break
        chosen.append(row)
    return chosen


def with_bytes(conn: psycopg.Connection, rows: Sequence[tuple]) -> list[Message]:
    """Rows of message and message_state with their bytes; pruned bytes read as empty."""
    received: list[datetime] = [row[2] for row in rows]
    stored = raw_bytes.fetch(
        conn, [raw_bytes.day_of(r) for r in received], [r[0] for r in rows]
    )
    return [
        Message(
            id=row[0],
            source=row[1],
            raw=stored.get(row[0], b""),
            received=row[2],
            state=State(row[3]),
            attempts=row[4],
            envelope=Envelope(row[6], row[7], row[8], row[9], tuple(row[10])),
        )
        for row in rows
    ]


def finish(conn: psycopg.Connection, findings: Mapping[int, Sequence[Finding]]) -> set[int]:
    """Mark messages done, with what was found in each; gives the ids that were still waiting.

    Part of the transaction that stores what the messages say.
    """
    return _settle(conn, State.DONE, findings)


def park(conn: psycopg.Connection, findings: Mapping[int, Sequence[Finding]]) -> set[int]:
    """Set messages aside until a person looks at them; they block nobody."""
    return _settle(conn, State.PARKED, findings)


def retry_later(
    conn: psycopg.Connection, message: int, seconds: float, finding: Finding
) -> None:
    """Let a message wait; later messages of its patient wait behind it."""
    conn.execute(
        """update message_state set state = 'retry', attempts = attempts + 1, changed = now(),
                  next_try = now() + make_interval(secs => %s)
           where id = %s and state in ('pending', 'retry')""",
        (seconds, message),
    )
    _note(conn, {message: [finding]})


def _settle(
    conn: psycopg.Connection, state: State, findings: Mapping[int, Sequence[Finding]]
) -> set[int]:
    if not findings:
        return set()
    rows = conn.execute(_SETTLE, (state, list(findings))).fetchall()
    settled = {row[0] for row in rows}
    _note(conn, {id_: found for id_, found in findings.items() if id_ in settled})
    return settled


def _note(conn: psycopg.Connection, findings: Mapping[int, Sequence[Finding]]) -> None:
    """Findings of the last attempt; those of earlier attempts give way."""
    conn.execute("delete from message_finding where message = any(%s)", (list(findings),))
    if rows := finding_rows(findings):
        insert_findings(conn, rows)


def finding_rows(findings: Mapping[int, Sequence[Finding]]) -> list[tuple]:
    """What was found in messages, by id, as rows of message_finding."""
    return [
        (id_, n, f.severity, f.code, f.where, f.rule, f.detail, f.value)
        for id_, found in findings.items()
        for n, f in enumerate(found[:MOST_FINDINGS])
    ]


MOST_FINDINGS = 200
"""Findings kept of one message: more tell a person nothing new."""


def insert_findings(conn: psycopg.Connection, rows: Sequence[tuple]) -> None:
    """Write rows of message_finding; text that PostgreSQL cannot hold is made plain."""
    columns = list(zip(*rows, strict=True))
    texts = [[storable(text) for text in column] for column in columns[2:]]
    conn.execute(
        """insert into message_finding
           select * from unnest(%b::bigint[], %b::smallint[], %b::text[], %b::text[],
                                %b::text[], %b::text[], %b::text[], %b::text[])""",
        (list(columns[0]), list(columns[1]), *texts),
    )


def storable(text: str, most: int = 2000) -> str:
    """Text without NUL and lone surrogates, which PostgreSQL refuses, and of bounded length."""
    return (
        text[:most]
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        .encode("utf-8", "replace")
        .decode()
    )
