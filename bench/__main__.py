"""Run the groups of figures that are asked for and keep what they measured."""

from __future__ import annotations

import argparse
import importlib
import pkgutil

from bench import groups
from bench.figure import keep, machine


def main() -> None:
    """Measure, print, keep."""
    known = sorted(module.name for module in pkgutil.iter_modules(groups.__path__))
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=known, help="one group")
    parser.add_argument("--residents", type=int, default=0, help="size of the city; 0: default")
    parser.add_argument(
        "--live-seconds", type=float, help="length of the live part of feeds; 0: none"
    )
    parser.add_argument("--dry", action="store_true", help="print, keep nothing")
    arguments = parser.parse_args()
    print(f"conditions: {machine()}")
    figures = []
    for name in [arguments.only] if arguments.only else known:
        group = importlib.import_module(f"bench.groups.{name}")
        more = {}
        if name == "feeds" and arguments.live_seconds is not None:
            more["live_seconds"] = arguments.live_seconds
        for figure in group.measure(arguments.residents, **more):
            print(f"{figure.name:36} {figure.shown():>12} {figure.unit:14} {figure.conditions}")
            figures.append(figure)
    if not arguments.dry:
        keep(figures)


if __name__ == "__main__":
    main()
