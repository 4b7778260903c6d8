"""Sends what the city's systems send, each by its own way, and hears how it is answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import httpx

from healthhub.city.channels import Http, Place
from healthhub.city.image_archive import ImageArchive
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.city.tables import FileWriter, ViewsWriter, writer

CONNECTIONS = 8
AHEAD = 64
"""Messages that wait for a connection, at most."""
TRIES = 3
"""How often a message is sent when the connection breaks: the hub stores it once."""
_REFUSED = re.compile(r'acknowledgement typeCode="A[ER]|success&gt;A[ER]')
"""How a national message, and one of hospital C's own, say in their answers that they were not taken."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Tally:
    """What was sent and how it was answered. A row that is handed over counts as accepted."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the hub listens."""

    pages: str
    mllp_host: str
    mllp_port: int


class Wires:
    """All ways to one hub. Rows are written by the caller's thread; messages go over eight
    lines at once, and those of a family keep to one, so that their order is the city's. Images go
    to the city's archive too, if there is one."""

    def __init__(
        self, address: Address, place: Place, archive: ImageArchive | None = None
    ) -> None:
        self._address = address
        self._place = place
        self._archive = archive
        self._http = {s.source: s.channel for s in SYSTEMS if isinstance(s.channel, Http)}
        self.writers: dict[str, FileWriter | ViewsWriter] = {}
        for system in SYSTEMS:
            made = writer(system.channel, system.source, place)
            if made is not None:
                self.writers[system.source] = made

    def close(self) -> None:
        """Let go of databases."""
        for each in self.writers.values():
            each.close()

    async def history(self, messages: Iterator[Sent], told: Callable[[Tally], None]) -> Tally:
        """Send all of a history; ``told`` hears of each answer."""
        tally = await self._send(messages, told)
        for each in self.writers.values():
            each.flush()
        return tally

    async def live(self, messages: Iterable[Sent]) -> Tally:
        """Send what happens now."""
        tally = await self._send(iter(messages), lambda _: None)
        for each in self.writers.values():
            each.now()
        return tally

    async def _send(self, messages: Iterator[Sent], told: Callable[[Tally], None]) -> Tally:
        tally = Tally()
        lines: list[asyncio.Queue[Sent | None]] = [
            asyncio.Queue(AHEAD) for _ in range(CONNECTIONS)
        ]
        async with httpx.AsyncClient(
            base_url=self._address.pages, timeout=60, trust_env=False
        ) as client:
            tasks = [
                asyncio.create_task(self._line(client, line, tally, told)) for line in lines
            ]
            for number, message in enumerate(messages):
                if self._archive is not None:
                    self._archive.keep(message)
                if message.source in self.writers:
                    self.writers[message.source].put(message)
                    tally.sent += 1
                    tally.accepted += 1
                    continue
                place = hash_of(message.person) if message.person else number
                line = lines[place % CONNECTIONS]
                while line.full():
                    await asyncio.sleep(0.002)
                    _raise_failed(tasks)
                line.put_nowait(message)
                if number % 32 == 0:
                    await asyncio.sleep(0)
            for line in lines:
                await line.put(None)
            await asyncio.gather(*tasks)
        return tally

    async def _line(
        self,
        client: httpx.AsyncClient,
        line: asyncio.Queue[Sent | None],
        tally: Tally,
        told: Callable[[Tally], None],
    ) -> None:
        wire = _MllpWire(self._address)
        while (message := await line.get()) is not None:
            channel = self._http.get(message.source)
            good = (
                await wire.accepts(message.raw)
                if channel is None
                else await self._posted(client, channel, message)
            )
            tally.sent += 1
            tally.accepted += good
            tally.refused += not good
            told(tally)
        wire.close()

    async def _posted(self, client: httpx.AsyncClient, channel: Http, message: Sent) -> bool:
        """Whether the hub has taken what was posted. A receiver that refuses a message within
        SOAP says so in the message that it answers with."""
        answer = await client.post(
            f"/feeds/{message.source}/{channel.way}",
            content=channel.body(message.raw),
            headers={
                "Content-Type": channel.media_type,
                "Authorization": f"Bearer {self._place.tokens[message.source]}",
            },
        )
        if answer.status_code == 401:
            answer.raise_for_status()
        return answer.is_success and _REFUSED.search(answer.text) is None


class _MllpWire:
    """A connection to the MLLP port, opened again when it breaks."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: Connection | None = None

    async def accepts(self, raw: bytes) -> bool:
        """Send a message; whether it was accepted."""
        answer = b""
        for _ in range(TRIES):
            if self._connection is None:
                host, port = self._address.mllp_host, self._address.mllp_port
                self._connection = await asyncio.open_connection(host, port)
            answer = await _exchange(self._connection, raw)
            if answer:
                break
            self.close()
        return b"\rMSA|AA" in answer or b"\rMSA|CA" in answer

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection[1].close()
        self._connection = None


def hash_of(person: str) -> int:
    """A number that is the same in every run."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(person))


def _raise_failed(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _exchange(connection: Connection, raw: bytes) -> bytes:
    """The answer to one message; empty if the other end closed without one."""
    reader, writer = connection
    try:
        writer.write(b"\x0b" + raw + b"\x1c\r")
        await writer.drain()
        return await reader.readuntil(b"\x1c\r")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
