"""What a hub holds after a history, told apart from the numbers and times of its own."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString

import orjson
import psycopg

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.keep import Keeper
from healthhub.load import Outcome, load
from healthhub.load.progress import Progress
from healthhub.pipeline import process
from healthhub.pipeline.converters import converters_of
from healthhub.receive import files, tables
from healthhub.receive.poll import Poller
from healthhub.settings import Settings
from healthhub.store import query, reads

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
Paths = Mapping[str, Sequence[Path]]


def settings(**sources: Mapping[str, Any]) -> Settings:
    """Settings with these sources, all of one institution."""
    return Settings.model_validate(
        {
            "mappings_dir": MAPPINGS,
            "institutions": {"h": {"title": "江城市第一人民医院"}},
            "sources": {name: {"institution": "h"} | dict(of) for name, of in sources.items()},
        }
    )


def one_by_one(of: Settings, dsn: str, histories: Paths) -> None:
    """Keep the histories as the feed does, and process each message as a worker does."""
    for name, paths in histories.items():
        with tables.connected(dsn) as conn:
            _feed(of, dsn, conn, name, paths)
        work(of, dsn)


def work(of: Settings, dsn: str) -> None:
    """Process each message that waits, by itself."""
    converters = converters_of(of)
    with tables.connected(dsn) as conn:
        while batch := keep.claim(conn, range(256), 1):
            process(conn, batch, converters, 1)


def _feed(
    of: Settings, dsn: str, conn: psycopg.Connection, name: str, paths: Sequence[Path]
) -> None:
    source = of.sources[name]
    if source.database is not None:
        poller = Poller(source.database, tables.taker(of, name))
        poller.poll(conn)
        poller.close()
        return
    found = [
        p for path in paths for p in ([path] if path.is_file() else sorted(path.iterdir()))
    ]
    adapter = registry.find(source.adapter)
    if isinstance(adapter, SheetReader):
        taker = tables.taker(of, name)
        for path in found:
            taker.file(conn, path, path.name, "file")
        return

    async def work() -> None:
        async with Keeper(dsn) as keeper:
            raws = files.messages(found, adapter)
            await files.feed(keeper, name, source, raws, lambda _: None)

    asyncio.run(work())


def loaded(
    of: Settings, dsn: str, histories: Paths, processes: int = 2, *, again: bool = False
) -> Outcome:
    """Load the histories."""
    total = Outcome()
    for name, paths in histories.items():
        where = [str(path) for path in paths]
        progress = Progress(io.StringIO())
        total.add(load(of, name, where, dsn, processes, progress, again=again))
    return total


def holding(dsn: str) -> dict[str, Any]:
    """All that a hub holds; messages go by their digest."""
    with psycopg.connect(dsn) as conn:
        keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
        found = query.fetch(conn, reads.by_ids(keys))
        held: dict[str, Any] = {"bodies": {(r.type, str(r.id)): _body(r.json) for r in found}}
        for table, statement in _TABLES.items():
            held[table] = sorted(
                (tuple(map(_plain, row)) for row in conn.execute(statement)),
                key=repr,
            )
    return held


_TABLES: dict[str, LiteralString] = {
    "messages": """select m.digest, source, via, size, kind, control, patient, at, numbers,
        state, lane, order_key, attempts, r.packed, r.raw
        from message m join message_state s using (id) join raw_message r using (id)""",
    "repeats": "select m.digest, times from message_repeat join message m on m.id = message",
    "findings": """select m.digest, ordinal, severity, code, place, rule, detail, value
        from message_finding f join message m on m.id = f.message""",
    "index": """select type, id, patient_key, authority, deleted, tokens, spans,
        present, at_start, at_end from resource where patient_key not in
        (select person_key from person)""",
    "identifiers": "select hash, system, kind, patient_key, id from resource_identifier",
    "texts": "select type, id, parameter, value from resource_text",
    "identities": "select patient_key, number, names, birth, known from patient_identity",
    "persons": "select patient_key, person_key, rule from person_link",
    "pairs": "select kept, replaced, undone, authority, at from patient_pair",
    "rows": """select r.source, tab, key, r.digest, revision, gone, m.digest
        from source_row r join message m on m.id = r.message""",
    "gaps": "select source, tab, code, open, mapped from code_gap",
    "sightings": """select m.digest, g.source, g.tab, g.code, s.version from code_sighting s
        join message m on m.id = s.message join code_gap g on g.id = s.gap""",
    "cursors": "select source, tab, position, swept is not null, problem from source_cursor",
}


def _body(json: bytes) -> Any:
    """A resource without its version and time, and without the message that it names as its
    origin: of two that say the same, either, as it happens to be that both are in one batch."""
    body = orjson.loads(json)
    for name in ("versionId", "lastUpdated", "source"):
        body["meta"].pop(name, None)
    return body


def _plain(cell: Any) -> Any:
    return bytes(cell) if isinstance(cell, memoryview) else cell
