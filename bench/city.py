"""The demo city's history in a hub: written as feeds, sent in, and settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.hub import Hub
from healthhub import city
from healthhub.adapter_api import registry
from healthhub.keep import Keeper
from healthhub.receive import files as receive
from healthhub.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """A history that is in the hub: how many messages, and how long it took."""

    messages: int
    seconds: float


def load(hub: Hub, connection: psycopg.Connection, residents: int) -> Loaded:
    """Send the history of so many residents in, and wait until all of it is settled."""
    messages, files = _history(hub.folder / "history", residents)
    started = time.perf_counter()
    asyncio.run(_keep(hub, files))
    while hub.waiting(connection):
        time.sleep(0.1)
    return Loaded(messages, time.perf_counter() - started)


async def _keep(hub: Hub, files: Mapping[str, Path]) -> None:
    """Keep the messages as they would come by a feed, so that the hub's workers take them."""
    settings = Settings.model_validate(city.settings())
    async with Keeper(hub.dsn) as keeper:
        for name, path in files.items():
            source = settings.sources[name]
            raws = receive.messages([path], registry.find(source.adapter))
            await receive.feed(keeper, name, source, raws, lambda _: None)


def _history(folder: Path, residents: int) -> tuple[int, dict[str, Path]]:
    """One file for each source; garbage is left to the live tests."""
    folder.mkdir()
    files: dict[str, Any] = {}
    count = 0
    for source, _, raw in city.feed(residents):
        if not raw.startswith(b"MSH"):
            continue
        if source not in files:
            files[source] = (folder / f"{source}.hl7").open("wb")
        files[source].write(b"\x0b" + raw + b"\x1c\r")
        count += 1
    for file in files.values():
        file.close()
    return count, {source: folder / f"{source}.hl7" for source in files}
