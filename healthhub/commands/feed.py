"""healthhub feed: keep the messages of files, e.g. a hospital's history, as a source's own."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from healthhub import postgres, settings
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.errors import NotFound
from healthhub.keep import Keeper
from healthhub.receive import files, tables

HELP = "keep the messages of files (one or many in each) for the workers to process"


def configure(parser: argparse.ArgumentParser) -> None:
    """Whose messages, and where they are."""
    parser.add_argument("source", help="name of the source, as in the settings")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")


def run(args: argparse.Namespace) -> int:
    """Keep them, with progress. After an interruption run it again: nothing is kept twice."""
    loaded = settings.load()
    source = loaded.sources.get(args.source)
    if source is None:
        known = ", ".join(loaded.sources) or "none"
        raise NotFound(f"there is no source {args.source}; the settings have: {known}")
    if isinstance(registry.find(source.adapter), SheetReader):
        return _tables(loaded, args.source, _files(args.files))
    raws = files.messages(_files(args.files), registry.find(source.adapter))

    async def work(dsn: str) -> files.Fed:
        async with Keeper(dsn, max_backlog=loaded.pipeline.max_backlog) as keeper:
            return await files.feed(keeper, args.source, source, raws, _Progress().tell)

    with postgres.running(loaded) as dsn:
        fed = asyncio.run(work(dsn))
    sys.stdout.write(
        f"{fed.accepted} kept, {fed.repeated} known before, {fed.rejected} rejected\n"
    )
    return 1 if fed.rejected else 0


def _tables(loaded: settings.Settings, name: str, paths: list[Path]) -> int:
    """Files of tables: rows that say nothing new are passed over."""
    rejected = 0
    with postgres.running(loaded) as dsn, tables.connected(dsn) as conn:
        taker = tables.taker(loaded, name)
        for path in paths:
            told = taker.file(conn, path, path.name, "file")
            counts = told.counts
            sys.stdout.write(
                f"{path.name}: {counts.kept} rows kept, {counts.unchanged} unchanged, "
                f"{counts.rejected} rejected\n"
            )
            for place, reason in told.refused:
                sys.stdout.write(f"  {place}: {reason}\n")
            rejected += counts.rejected
    return 1 if rejected else 0


def _files(paths: list[Path]) -> list[Path]:
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise NotFound(f"{missing[0]} does not exist")
    folders = [
        sorted(p for p in path.rglob("*") if p.is_file()) for path in paths if path.is_dir()
    ]
    return [path for path in paths if path.is_file()] + [
        p for folder in folders for p in folder
    ]


class _Progress:
    """A line on standard error, once a second."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, fed: files.Fed) -> None:
        """Say how far it is."""
        if time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            count = fed.accepted + fed.repeated + fed.rejected
            sys.stderr.write(f"{count} messages, {fed.bytes / 2**20:.0f} MiB\n")
