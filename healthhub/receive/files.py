"""Messages from files: histories of any size, kept in large groups, resumed by digest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from healthhub.adapter_api import registry
from healthhub.adapter_api.adapter import Adapter, OneAFile
from healthhub.errors import TooLarge
from healthhub.keep import Keeper
from healthhub.receive.intake import Answer, Intake, Promise
from healthhub.settings import Source

WINDOW_BYTES = 4 * 2**20
"""Bytes of a file that are looked at together; a message may be longer."""
MOST_BYTES = 32 * 2**20
"""Bytes without the beginning of a message that are held together."""
IN_FLIGHT = 1000
PAUSE_SECONDS = 2.0

_STARTS = (b"\rMSH", b"\nMSH", b"\x0bMSH")


@dataclass(slots=True)
class Fed:
    """What has become of the messages of a feed so far."""

    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    bytes: int = 0


def windows(file: IO[bytes]) -> Iterator[bytes]:
    """A file in pieces that end where a message ends, so that each can be split alone. What has
    no end within MOST_BYTES is no message, and is cut there."""
    held = b""
    while block := file.read(WINDOW_BYTES):
        held += block
        cut = max(held.rfind(start) for start in _STARTS) + 1
        if cut > 1 or len(held) >= MOST_BYTES:
            cut = cut if cut > 1 else len(held)
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def messages(paths: Iterable[Path], adapter: Adapter) -> Iterator[bytes]:
    """The messages of many files, in order, without reading a file whole unless it is one."""
    for path in paths:
        with path.open("rb") as file:
            yield from of_file(file, path.name, adapter)


def of_file(file: IO[bytes], name: str, adapter: Adapter) -> Iterator[bytes]:
    """The messages of one file; TooLarge when it should be one message and is too long."""
    if not isinstance(adapter, OneAFile):
        for window in windows(file):
            yield from adapter.split(window)
        return
    raw = file.read(adapter.most_bytes + 1)
    if len(raw) > adapter.most_bytes:
        raise TooLarge(
            f"{name} is over {adapter.most_bytes} bytes; a file holds one document here, so "
            "divide it"
        )
    yield from adapter.split(raw)


async def feed(
    keeper: Keeper,
    name: str,
    source: Source,
    raws: Iterable[bytes],
    told: Callable[[Fed], None],
    via: str = "file",
) -> Fed:
    """Keep messages; ``told`` is called as they become durable.

    Run it again after an interruption: what was kept is recognised and counted as repeated.
    """
    intake, adapter, fed = Intake(keeper), registry.find(source.adapter), Fed()
    promises: list[tuple[bytes, Promise]] = []
    for raw in raws:
        promises.append((raw, await intake.take(name, source, adapter, raw, via)))
        if len(promises) >= IN_FLIGHT:
            half, promises = promises[: IN_FLIGHT // 2], promises[IN_FLIGHT // 2 :]
            await _settle(half, intake, name, source, adapter, via, fed)
            told(fed)
    await _settle(promises, intake, name, source, adapter, via, fed)
    told(fed)
    return fed


async def _settle(
    promises: list[tuple[bytes, Promise]],
    intake: Intake,
    name: str,
    source: Source,
    adapter: Adapter,
    via: str,
    fed: Fed,
) -> None:
    """Wait for the answers; what the store could not keep is offered until it can."""
    for raw, promise in promises:
        answer = await promise.answer()
        while answer.outcome == "error":
            await asyncio.sleep(PAUSE_SECONDS)
            answer = await (await intake.take(name, source, adapter, raw, via)).answer()
        _count(fed, answer, len(raw))


def _count(fed: Fed, answer: Answer, size: int) -> None:
    fed.bytes += size
    if answer.outcome == "reject":
        fed.rejected += 1
    elif answer.repeated:
        fed.repeated += 1
    else:
        fed.accepted += 1
