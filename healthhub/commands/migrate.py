"""healthhub migrate: bring the database to this release's schema."""

from __future__ import annotations

import argparse
import logging

from healthhub import postgres, settings
from healthhub.publish import publish
from healthhub.store import database

HELP = "bring the database to this release's schema and profiles (serve does so by itself)"

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Migrate and say what the schema is at."""
    known = settings.load()
    with postgres.running(known) as dsn:
        database.migrate(dsn)
        log.info("the schema is at revision %s", database.newest())
        count = publish(dsn, known.mappings_dir)
        log.info("%d profiles and code systems of the hub are in the store", count)
    return 0
