"""healthhub source: begins a new source: its folder of mappings, and the settings to declare it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from healthhub import settings
from healthhub.drafting import folder
from healthhub.mapping.library import Library

HELP = "begin a new source: its folder of mappings and its settings"


def configure(parser: argparse.ArgumentParser) -> None:
    """The subcommand."""
    parser.add_argument(
        "--mappings", type=Path, help="mappings folder (else from the settings)"
    )
    commands = parser.add_subparsers(dest="action", required=True)
    new = commands.add_parser("new", help="write mappings/NAME and print what to declare")
    new.add_argument("name")
    new.add_argument(
        "--like",
        required=True,
        metavar="KIND",
        help=f"{', '.join(folder.BASES)}, or a mapping whose dialect it shares (hospital-a)",
    )
    new.add_argument("--title", default="", help="name for people, e.g. 城东医院 HIS")


def run(args: argparse.Namespace) -> int:
    """Write, and say what comes next."""
    library = Library(args.mappings or settings.load().mappings_dir)
    made = folder.new(library, args.name, args.like, args.title or args.name)
    sys.stdout.write(
        f"{made.folder} is written. Put this into the settings:\n\n{made.settings}\n"
        f"Drop samples into {made.folder / 'samples'}, then: healthhub map draft {args.name}\n"
    )
    return 0
