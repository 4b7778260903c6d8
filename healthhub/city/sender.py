"""Sends the city's messages over MLLP as its systems would, and waits for each acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from healthhub.city.sent import Sent

CONNECTIONS = 8
AHEAD = 64
"""Messages that wait for a connection, at most."""
TRIES = 3
"""How often a message is sent when the connection breaks: the hub stores it once."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Tally:
    """What was sent and how it was answered."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0


async def send(
    host: str, port: int, messages: Iterator[Sent], told: Callable[[Tally], None]
) -> Tally:
    """Send all; ``told`` hears of each answer. A family's messages keep to one connection, so
    that their order is that of the city's."""
    tally = Tally()
    lines: list[asyncio.Queue[Sent | None]] = [asyncio.Queue(AHEAD) for _ in range(CONNECTIONS)]
    tasks = [asyncio.create_task(_line(host, port, line, tally, told)) for line in lines]
    for number, message in enumerate(messages):
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


def hash_of(person: str) -> int:
    """A number that is the same in every run."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(person))


def _raise_failed(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _line(
    host: str,
    port: int,
    line: asyncio.Queue[Sent | None],
    tally: Tally,
    told: Callable[[Tally], None],
) -> None:
    connection: Connection | None = None
    while (message := await line.get()) is not None:
        answer = b""
        for _ in range(TRIES):
            connection = connection or await asyncio.open_connection(host, port)
            answer = await _exchange(connection, message.raw)
            if answer:
                break
            connection[1].close()
            connection = None
        tally.sent += 1
        if b"\rMSA|AA" in answer or b"\rMSA|CA" in answer:
            tally.accepted += 1
        else:
            tally.refused += 1
        told(tally)
    if connection is not None:
        connection[1].close()


async def _exchange(connection: Connection, raw: bytes) -> bytes:
    """The answer to one message; empty if the other end closed without one."""
    reader, writer = connection
    try:
        writer.write(b"\x0b" + raw + b"\x1c\r")
        await writer.drain()
        return await reader.readuntil(b"\x1c\r")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
