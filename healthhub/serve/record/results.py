"""Laboratory values and vital signs: the latest of each analyte, grouped by panel."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from healthhub.serve.record.drawing import Drawing, Point, sparkline
from healthhub.serve.record.observations import Reading, State
from healthhub.serve.record.reading import NOTHING, Concept

LONG_TEXT = 40
"""A textual result longer than this is read in its report, not in the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One analyte in one unit: its latest reading, how many there are, how it went."""

    latest: Reading
    count: int
    spark: Drawing | None
    withdrawn: tuple[Reading, ...] = ()
    """Results withdrawn after or together with the latest that stands."""
    several: bool = False
    """The series comes from more than one laboratory."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows that belong together. ``key`` names a panel of ours; else ``name`` is a report's."""

    key: str
    name: Concept
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Where each LOINC code stands."""

    panel: Mapping[str, tuple[str, int, int]]
    reports: Mapping[str, tuple[str, int, int]]
    """Names of reports whose values without a LOINC code stand at the end of a panel."""
    vital: Mapping[str, int]


@lru_cache(maxsize=1)
def order() -> Order:
    """The panels of panels.toml."""
    data = tomllib.loads(Path(__file__).with_name("panels.toml").read_text(encoding="utf-8"))
    panel = {
        code: (item["key"], place, position)
        for place, item in enumerate(data["panel"])
        for position, code in enumerate(item["loinc"])
    }
    reports = {
        name: (item["key"], place, len(item["loinc"]))
        for place, item in enumerate(data["panel"])
        for name in item["reports"]
    }
    vital = {code: place for place, code in enumerate(data["vital_signs"]["loinc"])}
    return Order(panel, reports, vital)


def rows(readings: Iterable[Reading]) -> dict[tuple[str, str], Row]:
    """One row for each analyte and unit, the readings in any order."""
    grouped: dict[tuple[str, str], list[Reading]] = {}
    for item in readings:
        grouped.setdefault(item.row, []).append(item)
    return {key: _row(items) for key, items in grouped.items()}


def newest_first(readings: Iterable[Reading]) -> list[Reading]:
    """Readings by time; those without a time come last."""
    return sorted(
        readings,
        key=lambda item: (item.at is not None, item.at.at if item.at else 0, item.id),
        reverse=True,
    )


def _row(items: Sequence[Reading]) -> Row:
    ordered = newest_first(items)
    standing = [item for item in ordered if item.state is not State.WITHDRAWN]
    latest = standing[0] if standing else ordered[0]
    newer = tuple(
        item for item in ordered[: ordered.index(latest)] if item.state is State.WITHDRAWN
    )
    laboratories = {item.origin.institution for item in standing}
    return Row(latest, len(standing), spark(standing), newer, len(laboratories) > 1)


def spark(readings: Sequence[Reading]) -> Drawing | None:
    """The sparkline of readings in one unit; a blood pressure gives two lines."""
    latest = readings[0] if readings else None
    if latest is None or not latest.value.numbers:
        return None
    return sparkline(points(readings), *limits_of(latest))


def limits_of(item: Reading) -> tuple[float | None, float | None]:
    """The ends of a reading's reference range, as far as they are numbers."""
    if item.limits is None:
        return None, None
    low, high = item.limits.low, item.limits.high
    return (None if low is None else float(low)), (None if high is None else float(high))


def points(readings: Sequence[Reading]) -> list[Point]:
    """What can be drawn of readings; exact numbers only, no "<0.01"."""
    return [
        Point(item.at.at, number, f"{item.series}|{part}")
        for item in readings
        if item.at is not None and item.state is not State.WITHDRAWN
        for part, number in enumerate(item.value.numbers)
        if item.value.text[:1] not in "<>"
    ]


def panels(readings: Iterable[Reading], reports: Mapping[str, Concept]) -> tuple[Panel, ...]:
    """The laboratory table. ``reports`` names the report of each Observation id."""
    places, titles = order().panel, order().reports
    known: dict[tuple[int, str], list[tuple[int, Row]]] = {}
    other: dict[str, list[Row]] = {}
    names: dict[str, Concept] = {}
    for row in rows(readings).values():
        name = reports.get(row.latest.id, NOTHING)
        place = places.get(row.latest.analyte)
        if place is None and len(row.latest.value.text) > LONG_TEXT:
            continue
        place = place or titles.get(name.text)
        if place is not None:
            known.setdefault((place[1], place[0]), []).append((place[2], row))
        else:
            names.setdefault(name.text, name)
            other.setdefault(name.text, []).append(row)
    ours = [
        Panel(key, NOTHING, tuple(row for _, row in sorted(items, key=_position)))
        for (_, key), items in sorted(known.items())
    ]
    theirs = [
        Panel("", names[text], tuple(items))
        for text, items in sorted(other.items(), key=_latest_of, reverse=True)
    ]
    return (*ours, *theirs)


def _position(placed: tuple[int, Row]) -> tuple[int, str, str]:
    latest = placed[1].latest
    return placed[0], latest.name.text, latest.value.unit_key


def _latest_of(named: tuple[str, list[Row]]) -> tuple[bool, float]:
    times = [row.latest.at.at.timestamp() for row in named[1] if row.latest.at]
    return bool(named[0]), max(times, default=0.0)


def vital_signs(readings: Iterable[Reading]) -> tuple[Row, ...]:
    """Vital signs in their fixed order, unknown ones behind."""
    places = order().vital
    return tuple(
        sorted(
            rows(readings).values(),
            key=lambda row: (places.get(row.latest.analyte, len(places)), row.latest.analyte),
        )
    )
