"""healthhub serve: the whole hub as one process tree, or only its web processes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from healthhub import settings, supervisor

HELP = "run the hub: web, MLLP listener and workers, with its database when none is given"


def configure(parser: argparse.ArgumentParser) -> None:
    """What runs, where it listens, where its data are."""
    parser.add_argument(
        "--only", choices=("web",), help="web processes alone; mllp and worker run apart"
    )
    parser.add_argument("--port", type=int, help="port of pages and FHIR (0: any free one)")
    parser.add_argument("--data-dir", type=Path, help="folder of all that the hub writes")
    parser.add_argument("--web-child", type=int, metavar="FD", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop. Options become variables, so that child processes have them."""
    if args.port is not None:
        os.environ["HEALTHHUB_PORT"] = str(args.port)
    if args.data_dir is not None:
        os.environ["HEALTHHUB_DATA_DIR"] = str(args.data_dir.resolve())
    loaded = settings.load()
    if args.web_child is not None:
        from healthhub import main

        return main.serve(loaded, args.web_child)
    parts = (
        ("web",) if args.only else ("web", "mllp", "worker", "poll", "bulk", "notify", "watch")
    )
    return supervisor.run(loaded, parts)
