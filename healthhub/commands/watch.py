"""healthhub watch: the process of figures and alarms, for a hub whose parts run apart."""

from __future__ import annotations

import argparse

from healthhub import postgres, settings
from healthhub.watch import process
from healthhub.worker import stopping

HELP = "watch the sources: figures, alarms, hooks (a second one stands by)"


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Watch until told to stop."""
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        process.run(loaded, dsn, stopping())
    return 0
