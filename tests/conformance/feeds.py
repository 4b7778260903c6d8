"""Every mapping with its samples, and their messages kept and processed as a source's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import orjson
import psycopg

from healthhub import keep
from healthhub.adapter_api import BadMessage, find, registry
from healthhub.adapter_api.adapter import Adapter
from healthhub.convert.converter import Converter
from healthhub.convert.samples import Sample, SampleSource, raws, samples
from healthhub.keep import Keeper
from healthhub.mapping.library import Library
from healthhub.model.message import Incoming
from healthhub.pipeline import process
from healthhub.settings import PACKAGE_ROOT
from healthhub.store import query, reads

LIBRARY = Library(PACKAGE_ROOT / "mappings")
RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
ADAPTERS = sorted(point.name for point in entry_points(group=registry.GROUP))
MAPPINGS = [name for name in LIBRARY.names() if samples(LIBRARY, name)]


@dataclass(frozen=True, slots=True)
class Feed:
    """A sample of a mapping."""

    mapping: str
    sample: Sample

    @property
    def adapter(self) -> Adapter:
        """What reads it."""
        return find(LIBRARY.definition(self.mapping).adapter)

    @property
    def source(self) -> SampleSource:
        """Where it comes from."""
        return SampleSource(self.mapping, self.sample.charset)

    @property
    def messages(self) -> list[bytes]:
        """Its messages; what is refused is none."""
        try:
            found = raws(LIBRARY, self.mapping, self.sample)
        except BadMessage:
            return []
        return [raw for raw in found if isinstance(raw, bytes)]

    @property
    def converter(self) -> Converter:
        """What converts it."""
        return converter(self.mapping, self.sample.charset)

    def __str__(self) -> str:
        return f"{self.mapping}/{self.sample.path.name}"


@cache
def converter(mapping: str, charset: str) -> Converter:
    """A mapping's converter, made once."""
    return Converter("sample", SampleSource(mapping, charset), LIBRARY)


FEEDS = [Feed(name, one) for name in MAPPINGS for one in samples(LIBRARY, name)]
GOOD = [feed for feed in FEEDS if not feed.sample.rejected]


def sent(conn: psycopg.Connection[Any], feeds: Sequence[Feed]) -> None:
    """Keep their messages as an intake does, each charset as a source of its own, and process
    them until none waits."""

    async def work() -> None:
        async with Keeper(conn.info.dsn) as keeper:
            for feed in feeds:
                for raw in feed.messages:
                    envelope = feed.adapter.envelope(raw, feed.source)
                    incoming = Incoming(feed.sample.charset, raw, RECEIVED, "t", envelope)
                    await keeper.keep(incoming)

    asyncio.run(work())
    worked(conn, feeds)


def worked(conn: psycopg.Connection[Any], feeds: Sequence[Feed], size: int = 100) -> None:
    """Process until nothing waits; nothing may be put off."""
    converters = {feed.sample.charset: feed.converter for feed in feeds}
    while batch := keep.claim(conn, range(256), size):
        done = process(conn, batch, converters, 1)
        assert done.retried == 0


def state(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """What is stored, without what names the message that said it last."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [orjson.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        for name in ("source", "lastUpdated", "versionId"):
            body["meta"].pop(name, None)
    return {(body["resourceType"], body["id"]): body for body in bodies}
