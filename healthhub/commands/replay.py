"""healthhub replay: process kept messages again, or set them aside for good."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import datetime

from healthhub import keep, postgres, settings
from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.receive import again
from healthhub.store import database

HELP = "process kept messages again (or, with --ignore, set them aside)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Which messages, why, and whether only to count them."""
    add_choice(parser)
    parser.add_argument("--reason", required=True, help="why; kept in the log of replays")
    parser.add_argument("--dry-run", action="store_true", help="only say how many they are")
    parser.add_argument("--ignore", action="store_true", help="set aside instead of replaying")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Options that choose messages; all that are given must hold."""
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers of messages")
    parser.add_argument("--source", default="", help="name of the source")
    parser.add_argument("--kind", default="", help="ADT^A01, or ORU* for all that begin so")
    parser.add_argument("--state", choices=[str(state) for state in State])
    parser.add_argument("--since", type=moment, help="received at or after 2026-03-01[T08:00]")
    parser.add_argument("--until", type=moment, help="received before")
    parser.add_argument("--finding", default="", help="code of a finding, e.g. unknown-code")
    parser.add_argument("--number", default="", help="control id, patient or business number")


def chosen(args: argparse.Namespace) -> Choice:
    """The choice that the options make."""
    return Choice(
        ids=tuple(args.ids),
        source=args.source,
        kind=args.kind,
        state=State(args.state) if args.state else None,
        since=args.since,
        until=args.until,
        finding=args.finding,
        number=args.number,
    )


def moment(text: str) -> datetime:
    """A date or time in ISO 8601; without an offset it is local."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-03-01T08:00") from None
    return at if at.tzinfo else at.replace(tzinfo=ZONE)


def run(args: argparse.Namespace) -> int:
    """Count, or replay and log who did it."""
    action = "ignore" if args.ignore else "replay"
    choice = chosen(args)
    loaded = settings.load()
    with postgres.running(loaded) as dsn, database.connect(dsn) as conn:
        if args.dry_run:
            count = keep.matching(conn, choice, action)
            sys.stdout.write(f"{action}: {count} messages would be touched\n")
            return 0
        if not args.reason.strip():
            raise InvalidRequest("--reason is empty: say why", expression="reason")
        who, reason = getpass.getuser(), args.reason
        if args.ignore:
            count = keep.ignore(conn, choice, who=who, reason=reason)
        else:
            count = again.replay(conn, loaded.sources, choice, who=who, reason=reason)
        sys.stdout.write(f"{action}: {count} messages\n")
    return 0
