"""healthhub bulk: the process of bulk export and import, for a hub whose parts run apart."""

from __future__ import annotations

import argparse
import os

from healthhub import postgres, settings
from healthhub.bulk import process
from healthhub.worker import stopping

HELP = "do the jobs of bulk export and import (files go to data_dir/exports)"

NICENESS = 10
"""On a machine that they share, acknowledgements and pages go before bulk work."""


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Work until told to stop."""
    os.nice(NICENESS)
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        process.run(loaded, dsn, stopping())
    return 0
