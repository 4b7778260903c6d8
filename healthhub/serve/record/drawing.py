"""Geometry of sparklines and trend charts: numbers in, coordinates for the templates out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Point:
    """A value to draw; only points of one ``series`` are joined by a line."""

    at: datetime
    value: float
    series: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A value's place on the drawing."""

    x: float
    y: float
    series: str


@dataclass(frozen=True, slots=True)
class Band:
    """The reference range's place on the drawing."""

    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a template needs: ``lines`` are values of ``polyline points``."""

    width: int
    height: int
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    band: Band | None
    across: tuple[Tick, ...] = ()
    up: tuple[Tick, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """Margins around the plot, in the drawing's units."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int


SPARK = Box(92, 20, 3, 4, 3, 3)
CHART = Box(880, 300, 56, 16, 14, 28)
SPARK_POINTS = 24
"""A sparkline shows the latest of these many; more would be a smear."""


def sparkline(
    points: Sequence[Point], low: float | None = None, high: float | None = None
) -> Drawing | None:
    """A small drawing of at least two values; the range is shown as far as it is near them."""
    shown = sorted(points, key=lambda point: point.at)[-SPARK_POINTS:]
    if len(shown) < 2:
        return None
    values = [point.value for point in shown]
    bottom, top = _padded(min(values), max(values), 0.12)
    limits = [limit for limit in (low, high) if limit is not None]
    spread = top - bottom
    near = [v for v in limits if bottom - spread <= v <= top + spread]
    bottom, top = min([bottom, *near]), max([top, *near])
    return _draw(SPARK, shown, bottom, top, low, high)


def chart(
    points: Sequence[Point], low: float | None = None, high: float | None = None
) -> Drawing | None:
    """A chart with axes; the whole reference range is in view."""
    if not points:
        return None
    shown = sorted(points, key=lambda point: point.at)
    values = [p.value for p in shown] + [limit for limit in (low, high) if limit is not None]
    ticks = _value_ticks(*_padded(min(values), max(values), 0.08))
    plain = _draw(CHART, shown, ticks[0], ticks[-1], low, high)
    plot = CHART.height - CHART.top - CHART.bottom
    step = plot / (len(ticks) - 1)
    up = tuple(
        Tick(round(CHART.height - CHART.bottom - index * step, 1), _number(value))
        for index, value in enumerate(ticks)
    )
    across = _time_ticks(shown[0].at, shown[-1].at)
    return Drawing(plain.width, plain.height, plain.lines, plain.dots, plain.band, across, up)


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    margin = (high - low) * share or abs(high) * share or 1.0
    return low - margin, high + margin


def _draw(
    box: Box,
    points: Sequence[Point],
    bottom: float,
    top: float,
    low: float | None,
    high: float | None,
) -> Drawing:
    plot = box.height - box.top - box.bottom

    def y(value: float) -> float:
        inside = min(max(value, bottom), top)
        return round(box.top + (top - inside) / (top - bottom) * plot, 1)

    dots = tuple(
        Dot(x, y(p.value), p.series) for p, x in zip(points, _places(box, points), strict=True)
    )
    band = None
    if low is not None or high is not None:
        upper = y(top if high is None else high)
        lower = y(bottom if low is None else low)
        if lower > upper:
            band = Band(upper, round(lower - upper, 1))
    return Drawing(box.width, box.height, _lines(dots), dots, band)


def _places(box: Box, points: Sequence[Point]) -> list[float]:
    first, last = points[0].at, points[-1].at
    span = (last - first).total_seconds()
    room = box.width - box.left - box.right
    if span <= 0:
        return [round(box.left + room / 2, 1)] * len(points)
    return [round(box.left + (p.at - first).total_seconds() / span * room, 1) for p in points]


def _lines(dots: Sequence[Dot]) -> tuple[str, ...]:
    series: dict[str, list[Dot]] = {}
    for dot in dots:
        series.setdefault(dot.series, []).append(dot)
    return tuple(
        " ".join(f"{dot.x:g},{dot.y:g}" for dot in line)
        for line in series.values()
        if len(line) > 1
    )


def _value_ticks(low: float, high: float) -> list[float]:
    """Four to eight round values that hold both ends between them."""
    raw = (high - low) / 5
    magnitude = 10.0
    while magnitude > raw:
        magnitude /= 10
    while magnitude * 10 <= raw:
        magnitude *= 10
    step = next(f * magnitude for f in (1, 2, 2.5, 5, 10) if f * magnitude >= raw)
    first = int(low // step)
    last = -int(-high // step)
    return [index * step for index in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.10g}" if abs(value) >= 1e-9 else "0"


def _time_ticks(first: datetime, last: datetime) -> tuple[Tick, ...]:
    """Years, months or days, whichever gives a readable handful."""
    span = (last - first).total_seconds()
    room = CHART.width - CHART.left - CHART.right
    if span <= 0:
        return (Tick(round(CHART.left + room / 2, 1), first.strftime("%Y-%m-%d")),)
    count = 5
    form = "%Y-%m" if span > 200 * 86400 else "%m-%d" if span > 3 * 86400 else "%m-%d %H:%M"
    if span > 20 * 86400 and form == "%m-%d" and first.year != last.year:
        form = "%Y-%m-%d"
    zone = first.tzinfo or UTC
    ticks = []
    for index in range(count + 1):
        seconds = first.timestamp() + span * index / count
        text = datetime.fromtimestamp(seconds, zone).strftime(form)
        ticks.append(Tick(round(CHART.left + room * index / count, 1), text))
    return tuple(ticks)
