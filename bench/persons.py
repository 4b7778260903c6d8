"""How well a parting of patients into persons agrees with the truth, counted in pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs joined, pairs that truly are one person, and pairs that are both."""

    joined: int
    true: int
    both: int

    @property
    def precision(self) -> float:
        """Of the pairs joined, the share that is right."""
        return self.both / self.joined if self.joined else 1.0

    @property
    def recall(self) -> float:
        """Of the true pairs, the share that is joined."""
        return self.both / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return 2 * self.both / (self.joined + self.true) if self.joined + self.true else 1.0


def agreement(persons: Iterable[Sequence[str]], truth: Mapping[str, str]) -> Agreement:
    """Compare persons (keys of patients) with the truth (key to person). Keys that the truth
    does not name count for nothing."""
    joined = both = 0
    for members in persons:
        known = [truth[key] for key in members if key in truth]
        joined += _pairs(len(known))
        both += sum(map(_pairs, Counter(known).values()))
    return Agreement(joined, sum(map(_pairs, Counter(truth.values()).values())), both)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
