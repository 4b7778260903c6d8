"""healthhub load: takes what a source has to say, one file or years of it, all the way in."""

from __future__ import annotations

import argparse
import sys

from healthhub import postgres, settings
from healthhub.errors import NotFound
from healthhub.load.progress import Progress
from healthhub.load.run import cores, load
from healthhub.store import database

HELP = "take in what a source sends: files, folders, archives, or the views of its database"


def configure(parser: argparse.ArgumentParser) -> None:
    """Whose history, where it is, how many processes take it."""
    parser.add_argument("source", help="name of the source, as in the settings")
    parser.add_argument(
        "where",
        nargs="*",
        metavar="PATH|DSN",
        help="files, folders, .zip, .gz or .ndjson; or the SQLAlchemy address of a database; "
        "none: the views of the source's own database",
    )
    parser.add_argument(
        "--again", action="store_true", help="read files too that were taken before"
    )
    parser.add_argument(
        "--processes", type=int, default=cores(), help="default: one for each core"
    )


def run(args: argparse.Namespace) -> int:
    """Load, with progress. After an interruption the same command goes on where it was."""
    loaded = settings.load()
    if args.source not in loaded.sources:
        known = ", ".join(loaded.sources) or "none"
        raise NotFound(f"there is no source {args.source}; the settings have: {known}")
    progress = Progress(sys.stderr)
    with postgres.running(loaded) as dsn:
        database.migrate(dsn)
        outcome = load(
            loaded,
            args.source,
            args.where,
            dsn,
            max(1, args.processes),
            progress,
            again=args.again,
        )
    for place, reason in outcome.refused:
        sys.stdout.write(f"  {place}: {reason}\n")
    sys.stdout.write(progress.end(outcome) + "\n")
    return 1 if outcome.rejected or outcome.parked else 0
