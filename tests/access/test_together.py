"""Jobs done together: each who asks gets its own result, or the failure of its own job."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from healthhub.access.together import Together


class Doubling:
    """Doubles numbers; fails as a whole when a zero is among them."""

    def __init__(self) -> None:
        self.done: list[tuple[int, ...]] = []

    async def do(self, jobs: Sequence[int]) -> Sequence[int]:
        self.done.append(tuple(jobs))
        await asyncio.sleep(0)
        if 0 in jobs:
            raise ZeroDivisionError
        return [job * 2 for job in jobs]


def test_what_comes_while_the_last_are_under_way_is_done_in_one_go() -> None:
    async def story() -> None:
        doubling = Doubling()
        together = Together(doubling.do)
        first = asyncio.create_task(together.of(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await asyncio.gather(first, *(together.of(n) for n in (2, 2, 3))) == [2, 4, 4, 6]
        assert doubling.done == [(1,), (2, 2, 3)]

    asyncio.run(story())


def test_one_that_fails_is_not_the_others_failure() -> None:
    async def story() -> None:
        doubling = Doubling()
        together = Together(doubling.do)
        found = await asyncio.gather(
            *(together.of(n) for n in (4, 0, 5)), return_exceptions=True
        )
        assert found[0] == 8
        assert isinstance(found[1], ZeroDivisionError)
        assert found[2] == 10
        assert doubling.done == [(4, 0, 5), (4,), (0,), (5,)]
        assert await together.of(6) == 12

    asyncio.run(story())


def test_one_who_no_longer_waits_takes_nothing_from_the_others() -> None:
    async def story() -> None:
        together = Together(Doubling().do)
        first, second = (asyncio.create_task(together.of(n)) for n in (1, 2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 4
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(story())
