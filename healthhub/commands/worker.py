"""healthhub worker: one worker process, for a hub whose parts run apart."""

from __future__ import annotations

import argparse

from healthhub import postgres, settings, worker

HELP = "run one worker (more of them share the lanes among themselves)"


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Work until told to stop."""
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        worker.run(loaded, dsn)
    return 0
