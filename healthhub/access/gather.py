"""Many small looks made as one: what is asked in the same turn of the loop shares a query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gather(Generic[K, V]):
    """Asks ``look`` for all keys of one turn together; nobody waits for an earlier look.

    Answers of the audit come in groups, and so do the requests that follow on them: with a
    handful of busy clients a look serves several of them.
    """

    def __init__(self, look: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._look = look
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._looks: set[asyncio.Task[None]] = set()

    async def of(self, key: K) -> V | None:
        """What the look finds for the key; None for nothing. Raises what the look raises."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._go)
        found: asyncio.Future[V | None] = loop.create_future()
        self._waiting.append((key, found))
        return await found

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._ask(waiting))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _ask(self, waiting: Sequence[tuple[K, asyncio.Future[V | None]]]) -> None:
        found: Mapping[K, V] = {}
        failure: Exception | None = None
        try:
            found = await self._look(tuple({key for key, _ in waiting}))
        except Exception as error:  # noqa: BLE001 - each who waits gets it
            failure = error
        for key, future in waiting:
            if future.done():  # who asked has gone
                continue
            if failure is None:
                future.set_result(found.get(key))
            else:
                future.set_exception(failure)
