"""Kept messages as people look at them: one, a list, the counts, how old the oldest is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg

from healthhub.errors import NotFound, Unprocessable
from healthhub.keep.choice import Choice
from healthhub.keep.overview import oldest_waiting
from healthhub.keep.queue import COLUMNS, with_bytes
from healthhub.model.finding import Finding, Severity
from healthhub.model.message import Envelope, Message, State


@dataclass(frozen=True, slots=True)
class Line:
    """A message in a list: what its envelope says, where it stands, its gravest
    finding (code, place, sentence)."""

    id: int
    source: str
    received: datetime
    state: State
    attempts: int
    size: int
    envelope: Envelope
    next_try: datetime | None
    finding: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages stand where; they add up to ``total``. ``oldest_waiting`` is the time
    of receipt of the oldest that is pending or waits for a retry."""

    by_state: dict[State, int]
    oldest_waiting: datetime | None

    @property
    def total(self) -> int:
        """All messages ever kept."""
        return sum(self.by_state.values())


def counts(conn: psycopg.Connection, source: str = "") -> Counts:
    """Messages by state, of all sources or of one. Reads the whole of message_state."""
    join: LiteralString = (
        "join message m using (id) where m.source = %(source)s" if source else ""
    )
    rows = conn.execute(
        f"select s.state, count(*) from message_state s {join} group by 1",  # noqa: S608
        {"source": source},
    ).fetchall()
    by_state = dict.fromkeys(State, 0) | {State(state): count for state, count in rows}
    return Counts(by_state, oldest_waiting(conn))


def get(conn: psycopg.Connection, message: int) -> Message:
    """One message with its bytes (empty once their day was dropped); NotFound otherwise."""
    rows = conn.execute(
        f"select {COLUMNS} from message m join message_state s using (id) where m.id = %s",  # noqa: S608
        (message,),
    ).fetchall()
    if not rows:
        raise NotFound(f"there is no message {message}; list them to find its number")
    return with_bytes(conn, rows)[0]


def findings(conn: psycopg.Connection, messages: Sequence[int]) -> dict[int, list[Finding]]:
    """What the last attempt found in each message, in order."""
    found: dict[int, list[Finding]] = {id_: [] for id_ in messages}
    rows = conn.execute(
        """select message, severity, code, place, detail, rule, value from message_finding
           where message = any(%s) order by message, ordinal""",
        (list(messages),),
    )
    severity: Severity
    for id_, severity, code, place, detail, rule, value in rows:
        found[id_].append(Finding(severity, code, place, detail, rule, value))
    return found


def find(
    conn: psycopg.Connection, choice: Choice, *, before: int | None = None, limit: int = 50
) -> list[Line]:
    """Messages of a choice, newest first; ``before`` is the last id of the page before."""
    where, values = choice.where()
    if choice.narrow:
        # Few are found by their index: without this the newest of all are gone through.
        with_: LiteralString = f"""with chosen as materialized (
                select m.id from message m join message_state s using (id) where {where}),
            newest as materialized (
                select id from chosen where id < %(before)s order by id desc limit %(limit)s)"""  # noqa: S608
        where: LiteralString = "m.id in (select id from newest)"
    else:
        with_ = ""
    rows = conn.execute(
        f"""{with_} select {COLUMNS}, s.next_try, coalesce(f.code, ''), coalesce(f.place, ''),
                   coalesce(f.detail, '')
            from message m join message_state s using (id) left join lateral (
                select code, place, detail from message_finding where message = m.id
                order by severity = 'error' desc, ordinal limit 1) f on true
            where {where} and m.id < %(before)s order by m.id desc limit %(limit)s""",  # noqa: S608
        values | {"before": 2**63 - 1 if before is None else before, "limit": limit},
    )
    return [
        Line(
            id=row[0],
            source=row[1],
            received=row[2],
            state=State(row[3]),
            attempts=row[4],
            size=row[5],
            envelope=Envelope(row[6], row[7], row[8], row[9], tuple(row[10])),
            next_try=row[11],
            finding=row[12],
            where=row[13],
            detail=row[14],
        )
        for row in rows
    ]


def akin(conn: psycopg.Connection, messages: Sequence[int], most: int) -> list[int]:
    """Messages of the same source patients as these, by their envelopes; newest first."""
    rows = conn.execute(
        """with patients as materialized (
               select distinct source, patient from message
                where id = any(%s) and patient <> '')
           select m.id from patients p join lateral (
               select id from message
                where (numbers || array[control, patient]) @> array[p.patient]
                  and source = p.source and patient = p.patient) m on true
            order by 1 desc limit %s""",
        (list(messages), most),
    )
    return [id_ for (id_,) in rows]


@contextmanager
def within(conn: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Let statements take no longer; Unprocessable with advice when one would."""
    try:
        with conn.transaction():
            conn.execute(
                "select set_config('statement_timeout', %s, true)", (str(int(seconds * 1000)),)
            )
            yield
            conn.execute("set local statement_timeout to default")
    except psycopg.errors.QueryCanceled:
        raise Unprocessable(
            f"this takes longer than {seconds:.0f} s: name a source and a time from and until, "
            "at most eight days apart, or a number"
        ) from None


def finding_counts(conn: psycopg.Connection, limit: int = 100) -> list[tuple[str, str, int]]:
    """Codes of findings with a severity and the number of messages, most frequent first."""
    rows = conn.execute(
        """select f.code, coalesce(s.severity, 'warning'), f.n
             from (select label as code, sum(n)::bigint as n from figure
                    where hour = '-infinity' and measure = 'finding' group by 1
                   having sum(n) > 0) f
             left join lateral (select severity from message_finding m where m.code = f.code
                                 order by message desc limit 1) s on true
            order by 3 desc, 1 limit %s""",
        (limit,),
    )
    return rows.fetchall()
