"""healthhub city: write the invented city's feeds to files, with the truth beside them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from healthhub.city import Story
from healthhub.city.writing import write

HELP = "write the demo city's feeds and its truth to a folder"


def configure(parser: argparse.ArgumentParser) -> None:
    """What, where, how large."""
    parser.add_argument("what", choices=("write",))
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--residents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=int, default=3)


def run(args: argparse.Namespace) -> int:
    """Write; the same three numbers give the same bytes."""
    started = time.monotonic()
    counts = write(Story(args.residents, args.seed, args.years), args.folder)
    seconds = time.monotonic() - started
    sys.stdout.write(
        f"{counts['messages']:,} messages about {counts['people']:,} residents in "
        f"{seconds:.1f} s, {counts['messages'] / seconds:,.0f}/s; the truth is in "
        f"{args.folder}/people.ndjson, errors.ndjson, counts.json\n"
    )
    return 0
