"""Chance that can be repeated: the same key gives the same throws on every machine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """A choice whose outcomes are not equally likely."""

    __slots__ = ("_ends", "_items", "_total")

    def __init__(self, pairs: Sequence[tuple[T, float]]) -> None:
        self._items = [item for item, _ in pairs]
        self._ends = list(accumulate(weight for _, weight in pairs))
        self._total = self._ends[-1]

    def at(self, chance: float) -> T:
        """The item that a throw in [0, 1) falls on."""
        return self._items[bisect_right(self._ends, chance * self._total)]


class Dice:
    """Throws that follow from a key.

    Only ``Random.random`` is used: Python promises that its sequence never changes.
    """

    __slots__ = ("random",)

    def __init__(self, *key: object) -> None:
        self.random = Random(":".join(map(str, key))).random

    def chance(self, share: float) -> bool:
        """True in the given share of throws."""
        return self.random() < share

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each equally likely."""
        return items[int(self.random() * len(items))]

    def weighed(self, choice: Weighted[T]) -> T:
        """One outcome by its weight."""
        return choice.at(self.random())

    def near(self, mean: float, spread: float) -> float:
        """A number about the mean: bell-shaped, and never further off than three spreads."""
        random = self.random
        return mean + (random() + random() + random() - 1.5) * 2 * spread
