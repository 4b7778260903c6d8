"""Looks made together: each who asks gets its own answer, or the failure of the look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from healthhub.access.gather import Gather


class Looks:
    """Doubles numbers, knows none above 9, and fails at zero."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []

    async def look(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.asked.append(set(keys))
        await asyncio.sleep(0)
        if 0 in keys:
            raise ZeroDivisionError
        return {key: key * 2 for key in keys if key < 10}


def test_what_is_asked_in_one_turn_is_one_look() -> None:
    async def story() -> None:
        looks = Looks()
        gather = Gather(looks.look)
        found = await asyncio.gather(*(gather.of(key) for key in (1, 2, 2, 11)))
        assert found == [2, 4, 4, None]
        assert looks.asked == [{1, 2, 11}]
        assert await gather.of(3) == 6
        assert looks.asked[1:] == [{3}]

    asyncio.run(story())


def test_a_look_that_fails_fails_all_who_share_it_and_none_later() -> None:
    async def story() -> None:
        gather = Gather(Looks().look)
        found = await asyncio.gather(gather.of(0), gather.of(1), return_exceptions=True)
        assert [type(each) for each in found] == [ZeroDivisionError] * 2
        assert await gather.of(1) == 2

    asyncio.run(story())


def test_one_who_no_longer_waits_takes_nothing_from_the_others() -> None:
    async def story() -> None:
        gather = Gather(Looks().look)
        first = asyncio.create_task(gather.of(1))
        second = asyncio.create_task(gather.of(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 4
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(story())
