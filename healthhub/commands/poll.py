"""healthhub poll: reads database views and watched folders, for a hub whose parts run apart."""

from __future__ import annotations

import argparse
import sys

from healthhub import postgres, settings
from healthhub.errors import NotFound
from healthhub.receive import polling

HELP = "read the views and watched folders that the settings declare"


def configure(parser: argparse.ArgumentParser) -> None:
    """Once or for good."""
    parser.add_argument(
        "--once", action="store_true", help="one turn for each source, then end"
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="with --once: only these")


def run(args: argparse.Namespace) -> int:
    """Poll until told to stop, or once."""
    loaded = settings.load()
    known = polling.declared(loaded)
    unknown = [name for name in args.sources if name not in known]
    if unknown:
        raise NotFound(
            f"source {unknown[0]} has neither a database nor a folder; those that have: "
            f"{', '.join(known) or 'none'}"
        )
    with postgres.running(loaded) as dsn:
        if not args.once:
            polling.run(loaded, dsn)
            return 0
        failed = False
        for name in args.sources or known:
            for duty in polling.duties(loaded, name):
                problem = polling.once(name, duty.turn, dsn)
                duty.close()
                failed = failed or bool(problem)
                sys.stdout.write(f"{name}: {problem or 'read'}\n")
    return 1 if failed else 0
