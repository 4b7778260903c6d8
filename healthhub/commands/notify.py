"""healthhub notify: the process of subscriptions, for a hub whose parts run apart."""

from __future__ import annotations

import argparse

from healthhub import postgres, settings
from healthhub.subscriptions import process
from healthhub.worker import stopping

HELP = "match changes with subscriptions and deliver them (a second one stands by)"


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Work until told to stop."""
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        process.run(loaded, dsn, stopping())
    return 0
