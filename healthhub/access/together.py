"""Small jobs done together: what comes while the last ones are under way is done in one go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")
MOST = 100
"""Jobs in one go."""


class Together(Generic[J, R]):
    """Does jobs by ``do``, which gives a result for each or fails as a whole.

    When it fails, each of its jobs is done again alone, so that one's error is not another's:
    ``do`` must leave nothing behind when it fails.
    """

    def __init__(self, do: Callable[[Sequence[J]], Awaitable[Sequence[R]]]) -> None:
        self._do = do
        self._waiting: deque[tuple[J, asyncio.Future[R]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def of(self, job: J) -> R:
        """The job's result. Raises what it failed of."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[R] = loop.create_future()
        self._waiting.append((job, result))
        if self._task is None:
            self._task = loop.create_task(self._all())
        return await result

    async def _all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                if not await self._one(batch):
                    for each in batch:
                        await self._one([each])
        finally:
            self._task = None

    async def _one(self, batch: Sequence[tuple[J, asyncio.Future[R]]]) -> bool:
        """Do these; False when they failed together and are to be done alone."""
        try:
            results = await self._do([job for job, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if len(batch) > 1:
                return False
            if not batch[0][1].done():
                batch[0][1].set_exception(error)
            return True
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():  # who asked may have gone
                future.set_result(result)
        return True
