"""A source whose messages come by HTTP into a hub's database, and what they become there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
from serving import answering

from healthhub import keep
from healthhub.convert.converter import Converter
from healthhub.main import build_app
from healthhub.mapping.library import Library
from healthhub.pipeline import process
from healthhub.receive import polling
from healthhub.settings import PACKAGE_ROOT, Folder, Settings
from healthhub.store import query, reads

LIBRARY = Library(PACKAGE_ROOT / "mappings")
TOKEN = "a-token-for-tests"


class Posted:
    """A hub with one source of an institution ``h``."""

    def __init__(self, name: str, adapter: str, mapping: str) -> None:
        self.name, self.path = name, f"/feeds/{name}/{adapter}"
        source = {
            "institution": "h",
            "adapter": adapter,
            "mapping": mapping,
            "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
        }
        self.settings = Settings.model_validate(
            {"institutions": {"h": {"title": "江城市第一人民医院"}}, "sources": {name: source}}
        )
        self.converter = Converter(name, self.settings.sources[name], LIBRARY)

    @contextmanager
    def answering(self, database: str) -> Iterator[httpx.Client]:
        """The hub on a port, and a client with the source's token."""
        with answering(build_app(self.settings, database)) as client:
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            yield client

    def post(self, client: httpx.Client, body: bytes) -> httpx.Response:
        """Send as the source does."""
        return client.post(self.path, content=body)

    def worked(self, database: str) -> None:
        """Process what waits."""
        with psycopg.connect(database, autocommit=True) as conn:
            while batch := keep.claim(conn, range(256), 100):
                process(conn, batch, {self.name: self.converter}, 1)

    def state(self, database: str) -> dict[tuple[str, str], Any]:
        """What the database holds."""
        with psycopg.connect(database) as conn:
            return state(conn)

    def looked_into(self, database: str, folder: Any) -> None:
        """Take the files of a folder, as if it were the source's: seen first, taken at rest."""
        watched = Folder(path=folder, settle_seconds=0)
        source = self.settings.sources[self.name].model_copy(update={"folder": watched})
        hub = self.settings.model_copy(update={"sources": {self.name: source}})
        (duty,) = polling.duties(hub, self.name)
        for _ in range(2):
            assert polling.once(self.name, duty.turn, database) == ""


def state(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], Any]:
    """Every resource by type and id, without its meta."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body.pop("meta")
    return {(body["resourceType"], body["id"]): body for body in bodies}
