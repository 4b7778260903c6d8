"""One analyte over time: a chart for each unit, and a table of all its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.serve.record.drawing import Drawing, chart
from healthhub.serve.record.observations import Reading, State
from healthhub.serve.record.reading import Concept
from healthhub.serve.record.results import limits_of, newest_first, points

SYMBOLS = ("circle", "square", "triangle", "diamond")
"""One for each laboratory, in order of its latest result; a fifth shares the last."""


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A laboratory on the chart and the symbol of its results."""

    institution: str
    title: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The results in one unit; results in different units are never drawn together."""

    unit: str
    drawing: Drawing | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """All results of one analyte, the latest first."""

    name: Concept
    units: tuple[Unit, ...]
    laboratories: tuple[Laboratory, ...]

    def symbol(self, institution: str) -> str:
        """The symbol of a laboratory."""
        return next(
            (item.symbol for item in self.laboratories if item.institution == institution),
            SYMBOLS[-1],
        )


def trend(readings: Sequence[Reading]) -> Trend | None:
    """The trend of readings of one analyte; None when there are none."""
    ordered = newest_first(readings)
    if not ordered:
        return None
    by_unit: dict[str, list[Reading]] = {}
    for item in ordered:
        by_unit.setdefault(item.value.unit_key, []).append(item)
    titles = {item.origin.institution: item.origin.short for item in ordered}
    return Trend(
        ordered[0].name,
        tuple(_unit(items) for items in by_unit.values()),
        tuple(
            Laboratory(code, title, SYMBOLS[min(number, len(SYMBOLS) - 1)])
            for number, (code, title) in enumerate(titles.items())
        ),
    )


def _unit(items: Sequence[Reading]) -> Unit:
    standing = next((item for item in items if item.state is not State.WITHDRAWN), items[0])
    return Unit(standing.value.unit, chart(points(items), *limits_of(standing)), tuple(items))
