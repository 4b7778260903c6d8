"""Files of messages from a watched folder: each message kept whole, or rejected with its reason."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg

from healthhub import clock
from healthhub.adapter_api import BadMessage, registry
from healthhub.adapter_api.adapter import OneAFile
from healthhub.errors import TooLarge, TryAgain
from healthhub.keep import rows
from healthhub.model.message import Incoming
from healthhub.receive import files
from healthhub.receive.intake import too_long, unreadable
from healthhub.receive.tables import HEAD_BYTES, SHOWN, Told
from healthhub.settings import Source

log = logging.getLogger(__name__)

BATCH = 200
BATCH_BYTES = 8 * 2**20
"""Messages, and their bytes, in one transaction."""


class Taker:
    """Takes the files of one source whose adapter reads messages: HL7 v2, XML, DICOM."""

    def __init__(self, name: str, source: Source, most: int) -> None:
        self._name = name
        self._source = source
        self._adapter = registry.find(source.adapter)
        self._most = most

    def file(self, conn: psycopg.Connection, path: Path, shown: str, via: str) -> Told:
        """Keep the messages of a file, batch by batch; raises TryAgain while too much waits.

        The same bytes are the same message, so after any interruption it is simply read again.
        """
        told = Told()
        limit = self._source.max_message_bytes
        try:
            if isinstance(self._adapter, OneAFile) and path.stat().st_size > limit:
                raise TooLarge(too_long(limit).message)
            for batch in _batches(files.messages([path], self._adapter)):
                self._keep(conn, [self._incoming(raw, shown, via, told) for raw in batch], told)
        except TooLarge as error:
            with path.open("rb") as opened:
                head = opened.read(HEAD_BYTES)
            bad = BadMessage(error.message, condition="102", place="byte 1")
            self._keep(conn, [self._refused(head, bad, shown, via, told)], told)
        return told

    def _incoming(self, raw: bytes, shown: str, via: str, told: Told) -> Incoming:
        try:
            envelope = self._adapter.envelope(raw, self._source)
        except BadMessage as error:
            return self._refused(raw, error, shown, via, told)
        return Incoming(self._name, raw, clock.now(), via, envelope)

    def _refused(
        self, raw: bytes, error: BadMessage, shown: str, via: str, told: Told
    ) -> Incoming:
        if len(told.refused) < SHOWN:
            told.refused.append((f"{shown} {error.place}".strip(), error.message))
        log.info(
            "reject source=%s condition=%s bytes=%d", self._name, error.condition, len(raw)
        )
        return Incoming(self._name, raw, clock.now(), via, None, unreadable(error))

    def _keep(self, conn: psycopg.Connection, batch: list[Incoming], told: Told) -> None:
        with conn.transaction():
            if rows.waiting(conn, self._most):
                raise TryAgain("too many messages wait to be processed; send again in a minute")
            told.counts += rows.put(conn, batch)


def _batches(raws: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        batch.append(raw)
        size += len(raw)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
