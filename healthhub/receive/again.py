"""Taking kept messages again: replays, and what was rejected under settings since corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.keep import Choice
from healthhub.model.message import Incoming, State
from healthhub.pipeline.attempts import attempt
from healthhub.receive import sender
from healthhub.receive.intake import OUR_FAULT, fault, noted, unreadable
from healthhub.receive.sender import Peer, Stranger
from healthhub.settings import Source

Connection = psycopg.Connection[Any]
PAGE = 100
"""Rejected messages that are read at a time."""


def replay(
    conn: Connection, sources: Mapping[str, Source], choice: Choice, *, who: str, reason: str
) -> int:
    """Let the chosen messages be processed again; gives how many are.

    One that was rejected is read anew with the settings as they are now: if it can be read it
    is taken, under its source or, where its sender was nobody's, under the source that knows
    its sender now; else it stays rejected with the reason of today.
    """

    def anew() -> int:
        return _read_rejected(conn, sources, choice)

    return attempt(conn, lambda: keep.replay(conn, choice, who=who, reason=reason, also=anew))


def step(
    conn: Connection, sources: Mapping[str, Source], action: str, ids: Sequence[int]
) -> int:
    """Replay or ignore messages by their ids, in the caller's transaction (keep.tasks)."""
    choice = Choice(ids=tuple(ids))
    if action == "ignore":
        return keep.turn(conn, choice, action)
    return keep.turn(conn, choice, action, also=lambda: _read_rejected(conn, sources, choice))


def _read_rejected(conn: Connection, sources: Mapping[str, Source], choice: Choice) -> int:
    if choice.state not in (None, State.REJECTED):
        return 0
    rejected, before, taken = replace(choice, state=State.REJECTED), None, 0
    while lines := keep.find(conn, rejected, before=before, limit=PAGE):
        before = lines[-1].id
        for line in lines:
            taken += _read(conn, sources, line.id)
    return taken


def _read(conn: Connection, sources: Mapping[str, Source], id_: int) -> int:
    """Read one rejected message anew; 1 when it is taken."""
    message, via = keep.get(conn, id_), keep.via(conn, id_)
    name, source = message.source, sources.get(message.source)
    if source is None:
        found = sender.recognise(sources, Peer(via.rpartition(" ")[2]), message.raw)
        if isinstance(found, Stranger):
            keep.reject(conn, id_, f"204 MSH-3 {found.advice}")
            return 0
        name, source = found
    try:
        envelope = registry.find(source.adapter).envelope(message.raw, source)
    except BadMessage as error:
        keep.reject(conn, id_, unreadable(error))
        return 0
    except Exception as error:  # noqa: BLE001 - a fault of ours must not end a replay of many
        fault("envelope", error)
        keep.reject(conn, id_, noted(OUR_FAULT))
        return 0
    return keep.admit(conn, id_, Incoming(name, message.raw, message.received, via, envelope))
