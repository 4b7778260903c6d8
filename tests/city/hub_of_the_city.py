"""A hub in this process that takes what a city sends, each source by its own way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import orjson
import psycopg

from healthhub import city, keep
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.city.channels import FILE, Place
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.city.tables import FileWriter, FolderWriter, ViewsWriter, writer
from healthhub.keep import Keeper, raw
from healthhub.pipeline import process
from healthhub.receive.folder import Watch
from healthhub.receive.intake import Intake
from healthhub.receive.poll import Poller
from healthhub.receive.tables import Taker, connected, taker
from healthhub.receive.whole import Taker as WholeTaker
from healthhub.settings import Settings
from healthhub.store import query, reads
from healthhub.worker import converters_of

STEPS = ("corrected", "wrong-patient", "resend-renumbered")
"""What is planted in two rows of one key: the hub looks in between, as it would in a day."""


class Hub:
    """Settings, writers and pollers over one database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        tokens = {s.source: "token" for s in SYSTEMS} | {"partner": "token"}
        place = Place(folder, tokens)
        tables = city.settings(place)
        for source in tables["sources"].values():
            source.get("folder", {})["settle_seconds"] = 0
            source["alarms"] = {"silent_minutes": 24 * 60}
        self.settings = Settings.model_validate({**tables, "database_url": dsn})
        self.dsn = dsn
        self.converters = converters_of(self.settings)
        self.writers: dict[str, FileWriter | ViewsWriter] = {
            s.source: made for s in SYSTEMS if (made := writer(s.channel, s.source, place))
        }
        self._turns: dict[str, Any] = {}
        self._takers: dict[str, Taker] = {}
        self._pollers: list[Poller] = []
        for name in self.writers:
            source = self.settings.sources[name]
            if not isinstance(registry.find(source.adapter), SheetReader):
                assert source.folder is not None
                whole = WholeTaker(name, source, self.settings.pipeline.max_backlog)
                self._turns[name] = Watch(source.folder, whole).look
                continue
            taking = self._takers[name] = taker(self.settings, name)
            if source.folder is not None:
                self._turns[name] = Watch(source.folder, taking).look
            elif source.database is not None:
                self._pollers.append(Poller(source.database, taking))
                self._turns[name] = self._pollers[-1].poll

    def close(self) -> None:
        """Let go of the city's databases."""
        for made in self.writers.values():
            made.close()
        for poller in self._pollers:
            poller.close()

    def take(self, messages: Sequence[Sent]) -> None:
        """All of it, in order, and processed."""
        with connected(self.dsn) as conn:
            asyncio.run(self._posted([m for m in messages if m.source not in self.writers]))
            for name, made in self.writers.items():
                for each in (m for m in messages if m.source == name):
                    made.put(each)
                    if isinstance(made, ViewsWriter) and each.planted in STEPS:
                        self._fetch(conn, name)
                self._fetch(conn, name)
            while batch := keep.claim(conn, range(256), 200):
                process(conn, batch, self.converters, 1)

    def _fetch(self, conn: psycopg.Connection, name: str) -> None:
        self.writers[name].flush()
        self._turns[name](conn)
        if isinstance(self.writers[name], FileWriter):
            self._turns[name](conn)  # a file is complete once it has not changed since a look

    def control_of(self, sent: Sent) -> str:
        """The control of the message that a row stands in: its table and key, or its parent's."""
        tables = self._takers[sent.source].cutter.columns
        columns = next(
            c
            for name, c in tables.items()
            if name == sent.kind or any(fnmatch(sent.kind, s) for s in c.table.sources)
        )
        cells = {columns.column(h): text for h, text in orjson.loads(sent.raw).items()}
        table = columns.table
        name, key = (table.of, table.on) if table.of else (table.name, table.key)
        return "|".join((name, *(str(cells[column]) for column in key)))

    async def _posted(self, messages: Sequence[Sent]) -> None:
        async with Keeper(self.dsn) as keeper:
            intake = Intake(keeper)
            promises = []
            for each in messages:
                source = self.settings.sources[each.source]
                adapter = registry.find(source.adapter)
                promises.append(
                    await intake.take(each.source, source, adapter, each.raw, "test")
                )
            for promise in promises:
                await promise.answer()


def messages_of(conn: psycopg.Connection, hub: Hub, sent: Sent) -> list[int]:
    """The messages that the hub has kept of what was sent, by what it is known by: its very
    bytes, the name of its file of rows, or the key of its row."""
    of_rows = isinstance(hub.writers.get(sent.source), FolderWriter | ViewsWriter)
    if of_rows and sent.kind == FILE:
        clause, wanted = "via like %s", f"% {sent.control}%"
    elif of_rows:
        clause, wanted = "control = %s", hub.control_of(sent)
    else:
        clause, wanted = "digest = %s", raw.digest(sent.source, sent.raw)
    found = conn.execute(
        f"select id from message where source = %s and {clause} order by id",  # noqa: S608
        (sent.source, wanted),
    )
    return [id_ for (id_,) in found]


def stored(conn: psycopg.Connection, type_: str = "") -> dict[str, dict[str, Any]]:
    """Every current resource (of a type) by its id."""
    ids = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [orjson.loads(each.json) for each in query.fetch(conn, reads.by_ids(ids))]
    return {b["id"]: b for b in bodies if type_ in ("", b["resourceType"])}
