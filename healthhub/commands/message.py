"""healthhub message: show kept messages to an administrator; no patient data unless asked."""

from __future__ import annotations

import argparse
import sys

import psycopg

from healthhub import keep, postgres, settings
from healthhub.clock import ZONE
from healthhub.commands.replay import add_choice, chosen
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice, raw
from healthhub.store import database

HELP = "show kept messages: one, a list, the counts, or the disk that they take"


def configure(parser: argparse.ArgumentParser) -> None:
    """One of four things to show."""
    parser.add_argument("what", choices=("show", "list", "counts", "days"))
    add_choice(parser)
    parser.add_argument("--raw", action="store_true", help="show: write the bytes as they came")
    parser.add_argument("--limit", type=int, default=50, help="list: at most so many")


def run(args: argparse.Namespace) -> int:
    """Write it to standard output."""
    with postgres.running(settings.load()) as dsn, database.connect(dsn) as conn:
        if args.what == "show":
            _show(conn, chosen(args), args.raw)
        elif args.what == "list":
            _list(conn, chosen(args), args.limit)
        elif args.what == "counts":
            _counts(conn, args.source)
        else:
            _days(conn)
    return 0


def _show(conn: psycopg.Connection, choice: Choice, as_bytes: bool) -> None:
    if not choice.ids:
        raise InvalidRequest("give the number of a message; healthhub message list finds it")
    for id_ in choice.ids:
        message = keep.get(conn, id_)
        if as_bytes:
            sys.stdout.buffer.write(message.raw)
            continue
        lines = [
            f"message   {message.id}",
            f"source    {message.source}",
            f"received  {message.received.astimezone(ZONE).isoformat()}",
            f"kind      {message.envelope.kind}",
            f"control   {message.envelope.control}",
            f"state     {message.state} after {message.attempts} attempts",
            f"bytes     {len(message.raw)}",
        ]
        for finding in keep.findings(conn, [id_])[id_]:
            where = " ".join(part for part in (finding.where, finding.rule) if part)
            lines.append(f"{finding.severity:<9} {finding.code} {where}: {finding.detail}")
        sys.stdout.write("\n".join(lines) + "\n")


def _list(conn: psycopg.Connection, choice: Choice, limit: int) -> None:
    for line in keep.find(conn, choice, limit=limit):
        received = line.received.astimezone(ZONE).isoformat(timespec="seconds")
        sys.stdout.write(
            f"{line.id:>10}  {received}  {line.source:<16} {line.envelope.kind:<10} "
            f"{line.state:<9} {line.finding}\n"
        )


def _counts(conn: psycopg.Connection, source: str) -> None:
    counts = keep.counts(conn, source)
    for state, count in counts.by_state.items():
        sys.stdout.write(f"{state:<9} {count:>12}\n")
    sys.stdout.write(f"{'all':<9} {counts.total:>12}\n")
    if counts.oldest_waiting is not None:
        oldest = counts.oldest_waiting.astimezone(ZONE).isoformat(timespec="seconds")
        sys.stdout.write(f"the oldest that waits came at {oldest}\n")


def _days(conn: psycopg.Connection) -> None:
    for day in raw.days(conn):
        sys.stdout.write(
            f"{day.day}  {day.bytes / 2**20:>10.1f} MiB  {day.waiting:>8} waiting\n"
        )
