"""Derives again what a changed code map concerns: only those messages, some at a time.

There is no list of what is left to do, and nothing to resume: a message whose conversion used
another version than the one in force is left, whoever died meanwhile. Each conversion notes its
version in the transaction that stores its outcome.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import psycopg

from healthhub import keep
from healthhub.convert import Converter
from healthhub.keep.code_maps import Version
from healthhub.keep.gaps import Gap
from healthhub.mapping.functions.codes import loose
from healthhub.pipeline import Convert

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
"""How often all maps are looked through for messages that a worker with an older version has
finished behind the back of a re-derivation."""
_TURN = 0x47415053  # "GAPS": one worker at a time hands out work


class Rederivation:
    """The part of a worker that hands out messages to derive again, to itself and the others."""

    def __init__(self) -> None:
        self._swept = -1e9

    def turn(
        self, conn: psycopg.Connection, converters: Mapping[str, Convert], known: int
    ) -> None:
        """Hand out the next messages of each version that is under way, and now and then of
        all. Another worker's turn is not waited for. ``known`` is the version of the overlay
        that the converters have: what is newer is left to a later turn."""
        sweep = time.monotonic() - self._swept > SWEEP_SECONDS
        versions = keep.code_maps.under_way(conn)
        if not versions and not sweep:
            return
        with conn.transaction():
            row = conn.execute("select pg_try_advisory_xact_lock(%s)", (_TURN,)).fetchone()
            if row is None or not row[0]:
                return
            if sweep:
                self._swept = time.monotonic()
                versions = _in_force(conn)
            mine = [version for version in versions if version.number <= known]
            over = [v.number for v in mine if _hand_out(conn, v, converters)]
            keep.code_maps.finish(conn, over)


def _in_force(conn: psycopg.Connection) -> list[Version]:
    found: dict[tuple[str, str, str], Version] = {}
    for version in keep.code_maps.latest(conn, limit=1_000_000):
        found.setdefault((version.mapping, version.table, version.code), version)
    return sorted(found.values(), key=lambda version: version.number)


def _hand_out(
    conn: psycopg.Connection, version: Version, converters: Mapping[str, Convert]
) -> bool:
    """Make the next messages of a version pending; True when none is left."""
    left = False
    lost: list[tuple[int, tuple[int, ...]]] = []
    for gap, wanted in concerned(conn, version, converters):
        window = keep.gaps.window(conn, gap.id, wanted)
        if window.ready:
            count = keep.gaps.derive_again(conn, window.ready)
            log.info("derive-again version=%d messages=%d", version.number, count)
        if window.lost:
            lost.append((gap.id, window.lost))
        left = left or bool(window.ready or window.waiting)
    for gap_id, ids in lost:
        keep.gaps.forget(conn, gap_id, ids)
        keep.code_maps.lose(conn, version.number, len(ids))
    return not left


def concerned(
    conn: psycopg.Connection, version: Version, converters: Mapping[str, Convert]
) -> list[tuple[Gap, int]]:
    """The gaps that a version is about, each with the version that its messages should have
    been converted with (0: none). A code that the mapping's own table knows by now is nobody's
    gap, whatever its messages were converted with."""
    mine = {
        name: converter
        for name, converter in converters.items()
        if isinstance(converter, Converter) and version.mapping in converter.lineage
    }
    found: list[tuple[Gap, int]] = []
    for gap in keep.gaps.of_sources(conn, list(mine), version.table):
        if not same_code(gap.code, version.code):
            continue
        entry = mine[gap.source].entry(gap.table, gap.code)
        if entry is None or entry.version:
            found.append((gap, entry.version if entry else 0))
    return found


def same_code(one: str, other: str) -> bool:
    """Whether a table would take the two for one code."""
    return one == other or loose(one) == loose(other)
