"""healthhub migrate: bring the database to this release's schema."""

from __future__ import annotations

import argparse
import logging

from healthhub import postgres, settings
from healthhub.store import database

HELP = "bring the database to this release's schema (serve does so by itself)"

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Migrate and say what the schema is at."""
    with postgres.running(settings.load()) as dsn:
        database.migrate(dsn)
        log.info("the schema is at revision %s", database.newest())
    return 0
