"""What goes to a process of a load at once, and what it says became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from healthhub.convert.sheets import Cut, Refused
from healthhub.keep.history import Arrival

SHOWN = 100
"""Refusals that are told one by one."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row, or what was no row, with the id reserved for its message."""

    id: int
    cut: Cut | Refused


@dataclass(slots=True)
class Portion:
    """Messages, or rows. ``wary``: a process died over it, so it is only kept, and left to
    the hub's workers, who find the message at fault."""

    first: int
    items: list[Arrival | Numbered] = field(default_factory=list[Arrival | Numbered])
    size: int = 0
    share: float = 0.0
    wary: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of what was read. ``waiting``: kept, and left to the hub's workers;
    ``skipped``: files that earlier loads took whole."""

    done: int = 0
    parked: int = 0
    waiting: int = 0
    known: int = 0
    rejected: int = 0
    resources: int = 0
    skipped: int = 0
    share: float = 0.0
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def read(self) -> int:
        """Messages and rows, whatever became of them."""
        return self.done + self.parked + self.waiting + self.known + self.rejected

    def add(self, other: Outcome) -> None:
        """Count another's too."""
        self.done += other.done
        self.parked += other.parked
        self.waiting += other.waiting
        self.known += other.known
        self.rejected += other.rejected
        self.resources += other.resources
        self.skipped += other.skipped
        self.share += other.share
        self.refused += other.refused[: SHOWN - len(self.refused)]
