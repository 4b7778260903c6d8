"""healthhub store verify, healthhub store reindex: the index against the bodies, on a live store."""

from __future__ import annotations

import argparse
import sys

import psycopg

from healthhub import postgres, settings
from healthhub.errors import TryAgain
from healthhub.store import database, reindex

HELP = "check that the search index follows from the resources, or make it anew"
SHOWN = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Its two ways."""
    parser.add_argument(
        "way",
        choices=("verify", "reindex"),
        help="verify tells each resource whose entries are not those of its body; reindex puts "
        "them right, and goes on where a killed run stopped",
    )


def run(args: argparse.Namespace) -> int:
    """Go through the store; writers go on meanwhile. Status 1 when verify found a difference."""
    with (
        postgres.running(settings.load()) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        if not database.migrated(dsn):
            raise TryAgain("the schema is not this release's; run 'healthhub migrate' first")
        if args.way == "verify":
            return _verify(connection)
        try:
            done = reindex.reindex(connection, _tell)
        except reindex.Busy:
            raise TryAgain("another reindex is at work; let it end") from None
        print(f"reindexed: {done.righted} resources were put right")
        return 0


def _verify(connection: psycopg.Connection) -> int:
    found = 0
    for difference in reindex.verify(connection, _tell):
        found += 1
        if found <= SHOWN:
            kind = difference.type or "?"
            print(f"{kind}/{difference.id}: {', '.join(difference.what)}")
    print(
        f"{found} resources have entries that are not those of their bodies; "
        "run 'healthhub store reindex'"
        if found
        else "every resource is found by what its body says, and by nothing else"
    )
    return 1 if found else 0


def _tell(progress: reindex.Progress) -> None:
    print(
        f"range {progress.done} of {progress.of}: {progress.seen} resources seen, "
        f"{progress.righted} differ",
        file=sys.stderr,
    )
