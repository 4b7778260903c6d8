"""The dialects of the city's other systems: their samples as messages, kept and processed as a source's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psycopg

from healthhub import keep
from healthhub.adapter_api import find
from healthhub.convert.converter import Converter
from healthhub.convert.samples import Sample, SampleSource, raws, samples
from healthhub.keep import Keeper
from healthhub.mapping.library import Library
from healthhub.model.message import Incoming
from healthhub.model.resource import Converted
from healthhub.pipeline import process
from healthhub.settings import PACKAGE_ROOT
from healthhub.store import query, reads

LIBRARY = Library(PACKAGE_ROOT / "mappings")
NAMES = (
    "cdc-immunisation",
    "exam-vehicle",
    "blood-station",
    "emergency-120",
    "insurance-settlement",
    "drug-distribution",
)
RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
Body = dict[str, Any]


def sample(name: str, file: str) -> Sample:
    """One sample of a dialect."""
    return next(s for s in samples(LIBRARY, name) if s.path.name == file)


@cache
def converter(name: str, charset: str = "utf-8") -> Converter:
    """A dialect's converter, made once."""
    return Converter("sample", SampleSource(name, charset), LIBRARY)


def messages(name: str, files: Iterable[Sample] | None = None) -> list[bytes]:
    """The messages of a dialect's samples; what is refused is none."""
    chosen = samples(LIBRARY, name) if files is None else files
    return [
        raw for each in chosen for raw in raws(LIBRARY, name, each) if isinstance(raw, bytes)
    ]


def converted(name: str, file: str) -> Converted:
    """What a sample yields, its messages together."""
    one = sample(name, file)
    each = [
        converter(name, one.charset).convert(1, raw, RECEIVED) for raw in messages(name, [one])
    ]
    return Converted(
        tuple(draft for c in each for draft in c.drafts),
        tuple(merge for c in each for merge in c.merges),
        tuple(finding for c in each for finding in c.findings),
    )


def of(found: Converted, kind: str) -> Sequence[Body]:
    """The bodies of a resource type."""
    return [draft.body for draft in found.drafts if draft.type == kind]


def sent(conn: psycopg.Connection[Any], name: str, raws_: Sequence[bytes]) -> None:
    """Keep messages as an intake does, and process them until none waits."""
    adapter = find(LIBRARY.definition(name).adapter)
    feed = SampleSource(name)

    async def work() -> None:
        async with Keeper(conn.info.dsn) as keeper:
            for raw in raws_:
                await keeper.keep(
                    Incoming("sample", raw, RECEIVED, "t", adapter.envelope(raw, feed))
                )

    asyncio.run(work())
    worked(conn, name)


def worked(conn: psycopg.Connection[Any], name: str) -> None:
    """Process until nothing waits; nothing may be parked."""
    while batch := keep.claim(conn, range(256), 100):
        done = process(conn, batch, {"sample": converter(name)}, 1)
        assert (done.parked, done.retried) == (0, 0)


def state(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], Body]:
    """What is stored, without what names the message that said it last."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body["meta"].pop("source", None)
        body["meta"].pop("lastUpdated", None)
        body["meta"].pop("versionId", None)
    return {(body["resourceType"], body["id"]): body for body in bodies}
