"""healthhub settings: check the settings, or print the reference of all of them."""

from __future__ import annotations

import argparse
import sys

from healthhub import reference, settings
from healthhub.errors import MappingError, SettingError
from healthhub.mapping.library import Library

HELP = "check the settings, or print the reference of all of them"


def configure(parser: argparse.ArgumentParser) -> None:
    """Either of two things."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="read them and say what is wrong")
    what.add_argument(
        "--reference", action="store_true", help="print the table of all settings"
    )


def run(args: argparse.Namespace) -> int:
    """Check or print."""
    if args.reference:
        sys.stdout.write(reference.table())
        return 0
    loaded = settings.load()
    library = Library(loaded.mappings_dir)
    for name, source in loaded.sources.items():
        try:
            library.mapping(source.mapping)
        except MappingError as error:
            raise SettingError(f"sources.{name}.mapping: {error.message}") from None
    where = "given" if loaded.dsn else f"embedded, in {loaded.data_dir}"
    sys.stdout.write(
        f"The settings are right: {len(loaded.institutions)} institutions, "
        f"{len(loaded.sources)} sources, database {where}.\n"
    )
    return 0
