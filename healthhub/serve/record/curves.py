"""Geometry of electrocardiograms on millimetre paper: 25 mm for a second, 10 mm for a millivolt.

Coordinates are twentieths of a millimetre, whole numbers; a drawing's ``width`` and ``height``
are millimetres, so that print keeps them. Twelve leads stand as 3 rows of 4 with the rhythm
below; fewer leads have a row each.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FINE = 20
"""Units of a millimetre."""
SECOND, MILLIVOLT = 25 * FINE, 10 * FINE
MARGIN, ROW, TOP = 13, 28, 4
"""Millimetres: room for the calibration pulse, height of a row, room above the first."""
SECONDS = 10
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
TWELVE = tuple(lead for column in COLUMNS for lead in column)
RHYTHM = ("II", "V1", "I")
COARSE = 1.0
"""How far a line may pass from a sample, in units: a twentieth of a millimetre, a tenth of the
pen's width."""
MOST_ROWS = 24
LIMIT = 50 * FINE
"""How far from its line a deflection is drawn: 5 mV, the range of a recorder (IEC 60601-2-25)."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A lead in millivolts; None where nothing was recorded. ``step`` is in seconds."""

    name: str
    values: Sequence[float | None]
    step: float
    derived: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.values) * self.step


@dataclass(frozen=True, slots=True)
class Curve:
    """A lead's line (the ``d`` of an SVG path), where its name stands, and how far it reaches."""

    name: str
    line: str
    x: int
    y: int
    derived: bool
    highest: int
    lowest: int


@dataclass(frozen=True, slots=True)
class Paper:
    """A drawing: sizes in millimetres, the view in units, grid lines, pulses and curves."""

    width: int
    height: int
    view: str
    fine: str
    coarse: str
    pulses: str
    curves: tuple[Curve, ...]
    twelve: bool

    @property
    def derived(self) -> tuple[str, ...]:
        """Leads that were worked out from I and II."""
        return tuple(dict.fromkeys(curve.name for curve in self.curves if curve.derived))


def paper(leads: Mapping[str, Samples]) -> Paper | None:
    """The drawing of the leads; None if there are none to draw."""
    known = {**_derived(leads), **leads}
    if not known:
        return None
    twelve = all(name in known for name in TWELVE)
    curves = _twelve(known) if twelve else _rows(known)
    rows = 1 + max(curve.y for curve in curves) // (ROW * FINE)
    above = _coarse(-min(curve.highest for curve in curves))
    plain = TOP + rows * ROW + 2
    below = _coarse(max(curve.lowest for curve in curves) - plain * FINE)
    width, height = MARGIN + SECONDS * 25 + 3, above + plain + below
    return Paper(
        width,
        height,
        f"0 {-above * FINE} {width * FINE} {height * FINE}",
        _grid(width, -above, height, 1),
        _grid(width, -above, height, 5),
        "".join(_pulse(row) for row in range(rows)),
        curves,
        twelve,
    )


def _coarse(units: int) -> int:
    """Millimetres of paper added for what reaches so far beyond it: whole coarse squares."""
    return 5 * -(-max(units, 0) // (5 * FINE))


def _derived(leads: Mapping[str, Samples]) -> dict[str, Samples]:
    """What follows from I and II by Einthoven's and Goldberger's rules, where it was not sent."""
    one, two = leads.get("I"), leads.get("II")
    if one is None or two is None or (one.step, len(one.values)) != (two.step, len(two.values)):
        return {}
    parts = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
    pairs = list(zip(one.values, two.values, strict=True))
    return {
        name: Samples(
            name,
            [None if i is None or ii is None else a * i + b * ii for i, ii in pairs],
            one.step,
            derived=True,
        )
        for name, (a, b) in parts.items()
        if name not in leads
    }


def _twelve(leads: Mapping[str, Samples]) -> tuple[Curve, ...]:
    """Three rows of four, each a quarter of the ten seconds, and the rhythm below them."""
    quarter = SECONDS / len(COLUMNS)
    longest = max(lead.seconds for lead in leads.values())
    found: list[Curve] = []
    for column, names in enumerate(COLUMNS):
        begin = column * quarter if longest > SECONDS - quarter else 0.0
        for row, name in enumerate(names):
            found.append(_curve(leads[name], row, begin, quarter, column * quarter))
    rhythm = next(leads[name] for name in RHYTHM if name in leads)
    found.append(_curve(rhythm, len(COLUMNS[0]), 0.0, SECONDS, 0.0))
    return tuple(found)


def _rows(leads: Mapping[str, Samples]) -> tuple[Curve, ...]:
    """A row of ten seconds for each lead; a single one goes on in the rows below."""
    found: list[Curve] = []
    for lead in leads.values():
        begin = 0.0
        while len(found) < MOST_ROWS:
            found.append(_curve(lead, len(found), begin, SECONDS, 0.0))
            begin += SECONDS
            if len(leads) > 1 or begin >= lead.seconds:
                break
    return tuple(found)


def _curve(lead: Samples, row: int, begin: float, seconds: float, at: float) -> Curve:
    """A stretch of a lead, drawn ``at`` seconds from the left."""
    left = (MARGIN * FINE) + round(at * SECOND)
    middle = _middle(row)
    first = round(begin / lead.step)
    last = min(round((begin + seconds) / lead.step), len(lead.values))
    points: list[tuple[float, int]] = []
    pieces: list[str] = []
    highest = lowest = middle
    for index in range(first, last):
        value = lead.values[index]
        if value is None:
            pieces.append(_line(points))
            points = []
            continue
        x = left + (index - first) * lead.step * SECOND
        y = middle - max(-LIMIT, min(round(value * MILLIVOLT), LIMIT))
        highest, lowest = min(highest, y), max(lowest, y)
        points.append((x, y))
    pieces.append(_line(points))
    name = middle - 10 * FINE
    line = "".join(pieces)
    return Curve(lead.name, line, left + FINE, name, lead.derived, highest, lowest)


def _middle(row: int) -> int:
    return (TOP + row * ROW + ROW * 4 // 7) * FINE


def _line(points: Sequence[tuple[float, int]]) -> str:
    """A path through points, without those that a straight line passes near enough: from a kept
    point on, the slopes that pass all points since lie between two bounds, which close in."""
    if len(points) < 2:
        return ""
    kept = [points[0]]
    low, high = float("-inf"), float("inf")
    last = points[0]
    for x, y in points[1:]:
        run, rise = x - kept[-1][0], y - kept[-1][1]
        if not low <= rise / run <= high:
            kept.append(last)
            low, high = float("-inf"), float("inf")
            run, rise = x - last[0], y - last[1]
        low, high = max(low, (rise - COARSE) / run), min(high, (rise + COARSE) / run)
        last = (x, y)
    kept.append(last)
    places = [(round(x), y) for x, y in kept]
    steps = (f"{b[0] - a[0]} {b[1] - a[1]}" for a, b in itertools.pairwise(places))
    return f"M{places[0][0]} {places[0][1]}l" + " ".join(steps)


def _grid(width: int, top: int, height: int, each: int) -> str:
    """Lines of millimetre paper from ``top`` down, as one path."""
    down = "".join(
        f"M{x * FINE} {top * FINE}v{height * FINE}" for x in range(0, width + 1, each)
    )
    return down + "".join(
        f"M0 {y * FINE}h{width * FINE}" for y in range(top, top + height + 1, each)
    )


def _pulse(row: int) -> str:
    """One millivolt for a fifth of a second."""
    return f"M{3 * FINE} {_middle(row)}h{FINE}v-{MILLIVOLT}h{5 * FINE}v{MILLIVOLT}h{FINE}"
