"""healthhub mllp: the MLLP listener, for a hub whose parts run apart."""

from __future__ import annotations

import argparse

from healthhub import postgres, settings
from healthhub.receive import mllp

HELP = "run the MLLP listener"


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Listen until told to stop."""
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        mllp.run(loaded, dsn)
    return 0
