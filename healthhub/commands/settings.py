"""healthhub settings: check the settings, or print the reference of all of them."""

from __future__ import annotations

import argparse
import sys

from healthhub import reference, settings
from healthhub.adapter_api import registry
from healthhub.errors import HubError, SettingError
from healthhub.mapping.library import Library
from healthhub.settings import Settings

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
    _mappings(loaded)
    where = "given" if loaded.dsn else f"embedded, in {loaded.data_dir}"
    sys.stdout.write(
        f"The settings are right: {len(loaded.institutions)} institutions, "
        f"{len(loaded.sources)} sources, database {where}.\n"
    )
    return 0


def _mappings(loaded: Settings) -> None:
    """Compile each source's mapping, as a worker would; the hub itself starts without a broken
    one and parks that source's messages."""
    library = Library(loaded.mappings_dir)
    for name, source in loaded.sources.items():
        try:
            registry.find(source.adapter)
            library.mapping(source.mapping)
        except HubError as error:
            place = "adapter" if error.expression == "adapter" else "mapping"
            setting = f"sources.{name}.{place}"
            raise SettingError(f"{setting}: {error.message}", expression=setting) from None
