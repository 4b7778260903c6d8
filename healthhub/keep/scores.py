"""How good a source's data is within some time: five shares, each with its two counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.keep.figures import FLAWS, Figures

DIMENSIONS = ("timeliness", *FLAWS, "duplication")


@dataclass(frozen=True, slots=True)
class Score:
    """``wrong`` of ``all`` messages fall short in this dimension."""

    dimension: str
    wrong: int
    all: int

    @property
    def share(self) -> float | None:
        """What is right, 0 to 1; None where nothing could be judged."""
        return 1 - self.wrong / self.all if self.all else None


def scores(found: Figures, timely: str) -> tuple[Score, ...]:
    """The scores of a source in the order of DIMENSIONS. ``timely`` is the class of delay
    (figures.DELAYS) within which its messages should come after their event.

    Timeliness counts what says when its event was; duplication counts repeats among all that
    was sent; the others count messages with a finding of that kind among all messages.
    """
    return (
        Score("timeliness", found.late(timely), found.timed),
        *(Score(flaw, found.flaw.get(flaw, 0), found.received) for flaw in FLAWS),
        Score("duplication", found.repeated, found.received + found.repeated),
    )


def worst(found: Sequence[Score]) -> Score | None:
    """The score with the smallest share; None where nothing was judged."""
    judged = [(each.share, n) for n, each in enumerate(found) if each.share is not None]
    return found[min(judged)[1]] if judged else None
