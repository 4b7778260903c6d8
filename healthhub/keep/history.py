"""Messages that come in thousands and are settled in the transaction that keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import zstandard

from healthhub.keep import admission, insert, queue, raw
from healthhub.model.finding import Finding
from healthhub.model.message import Incoming, State

_MESSAGE = """copy message (id, digest, source, received, via, size, kind, control, patient, at,
    numbers) from stdin (format binary)"""
_MESSAGE_TYPES = (
    "int8", "bytea", "text", "timestamptz", "text", "int4", "text", "text", "text",
    "timestamptz", "text[]",
)  # fmt: skip
_STATE = "copy message_state (id, state, lane, order_key, attempts) from stdin (format binary)"
_STATE_TYPES = ("int8", "text", "int2", "int8", "int2")
_RAW = "copy raw_message (day, id, packed, raw) from stdin (format binary)"
_RAW_TYPES = ("date", "int8", "int2", "bytea")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with the id that was reserved for it."""

    id: int
    incoming: Incoming
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = raw.digest(self.incoming.source, self.incoming.raw)
        object.__setattr__(self, "digest", digest)


def reserve(conn: psycopg.Connection[Any], count: int) -> list[int]:
    """So many ids, ascending. Those that are not used in the end leave a gap."""
    rows = conn.execute(
        "select nextval('message_id') from generate_series(1, %s)", (count,)
    ).fetchall()
    return sorted(id_ for (id_,) in rows)


def known(
    conn: psycopg.Connection[Any], digests: Sequence[bytes]
) -> dict[bytes, tuple[int, bool]]:
    """The ids of messages that came before, by digest, and whether they were rejected then."""
    rows = conn.execute(insert.KNOWN, (list(digests),)).fetchall()
    return {bytes(digest): (id_, rejected) for digest, id_, rejected in rows}


def admit(
    conn: psycopg.Connection[Any],
    arrivals: Mapping[int, Incoming],
    packer: zstandard.ZstdCompressor,
) -> None:
    """Let messages, by the ids that they have, wait to be processed: they were rejected once and
    can be read now (their source's charset was corrected, say)."""
    if not arrivals:
        return
    rows = [insert.row(i, raw.digest(i.source, i.raw), packer) for i in arrivals.values()]
    conn.execute(admission.ADMIT, admission.columns(list(arrivals), rows))


def again(conn: psycopg.Connection[Any], messages: Sequence[int]) -> None:
    """Note that the bytes of messages came once more, so many times as each is named."""
    times = Counter(messages)
    if times:
        conn.execute(insert.AGAIN, (list(times), list(times.values())))


def settle(
    conn: psycopg.Connection[Any],
    arrivals: Sequence[Arrival],
    findings: Mapping[int, Sequence[Finding]],
    parked: set[int],
    packer: zstandard.ZstdCompressor,
) -> None:
    """Keep messages that nobody has seen, each in the state that it ends in: done, parked when
    it is among ``parked``, rejected when it has no envelope. UniqueViolation when one of them
    came another way meanwhile."""
    rows = [(a.id, insert.row(a.incoming, a.digest, packer)) for a in arrivals]
    for day in sorted({row[insert.DAY] for _, row in rows}):
        if not raw.has_day(conn, day):
            raw.ensure_days(conn, day, 0)
    with conn.cursor() as cursor:
        with cursor.copy(_MESSAGE) as copy:
            copy.set_types(_MESSAGE_TYPES)
            for id_, row in rows:
                numbers = row[9].split("\x1f") if row[9] else []
                copy.write_row((id_, *row[:9], numbers))
        with cursor.copy(_STATE) as copy:
            copy.set_types(_STATE_TYPES)
            for id_, row in rows:
                state, key = State(row[10]), row[11]
                attempts = 0 if state is State.REJECTED else 1
                if state is State.PENDING:
                    state = State.PARKED if id_ in parked else State.DONE
                copy.write_row((id_, str(state), key & 255, key, attempts))
        with cursor.copy(_RAW) as copy:
            copy.set_types(_RAW_TYPES)
            for id_, row in rows:
                copy.write_row((row[12], id_, row[13], row[14]))
    found = queue.finding_rows(findings)
    found += [
        (id_, 0, "error", "rejected", "", "", row[15], "")
        for id_, row in rows
        if row[10] == State.REJECTED
    ]
    if found:
        queue.insert_findings(conn, found)
