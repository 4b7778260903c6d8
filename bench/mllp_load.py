"""An MLLP load generator: paced or flat out, over C connections, each ACK timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """When a message was due, when its ACK came (seconds of the wall clock), and its code."""

    control: str
    due: float
    at: float
    code: str


def control_of(message: bytes) -> str:
    """MSH-10 of a message whose field separator is ``|``."""
    return message.split(b"\r", 1)[0].split(b"|")[9].decode("ascii")


async def _lane(
    host: str,
    port: int,
    messages: Sequence[tuple[float, bytes]],
    out: list[Acknowledged],
) -> None:
    """Send each message when it is due and wait for its ACK before the next, as an HIS does."""
    reader, writer = await asyncio.open_connection(host, port)
    for due, message in messages:
        wait = due - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        started = max(due, 0.0) or time.time()
        writer.write(b"\x0b" + message + b"\x1c\r")
        frame = await reader.readuntil(b"\x1c\r")
        acknowledgement = next(
            line for line in frame.strip(b"\x0b\x1c\r").split(b"\r") if line[:3] == b"MSA"
        )
        code = acknowledgement.split(b"|")[1].decode()
        out.append(Acknowledged(control_of(message), started, time.time(), code))
    writer.close()


def send(
    host: str, port: int, messages: Sequence[bytes], connections: int, per_s: float = 0
) -> list[Acknowledged]:
    """Send all messages; with ``per_s`` each has its due time, and a late start counts."""
    out: list[Acknowledged] = []

    async def go() -> None:
        start = time.time() + 0.2
        lanes: list[list[tuple[float, bytes]]] = [[] for _ in range(connections)]
        for index, message in enumerate(messages):
            due = start + index / per_s if per_s else 0.0
            lanes[index % connections].append((due, message))
        await asyncio.gather(*(_lane(host, port, lane, out) for lane in lanes))

    uvloop.run(go())  # takes half the CPU of asyncio's own loop
    return out
