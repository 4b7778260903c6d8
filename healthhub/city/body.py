"""A resident's body as the laboratory sees it: a usual level of each test, moved by illness."""

from __future__ import annotations

from copy import copy

from healthhub.city.catalogue import Item, Panel
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, Moment
from healthhub.city.people import Resident
from healthhub.city.visits import Result

YEAR = 365.25 * DAY
_STRIP = ("阴性", "±", "+", "++", "+++")
_DETECTION = {"crp": 0.5, "pct": 0.02, "tni": 0.01, "dd": 0.1, "afp": 0.9}
"""Below it the analyser prints ``<`` and the limit."""
_CRITICAL = {
    "k": (2.8, 6.2),
    "glu": (2.8, 22.2),
    "hgb": (60, 999),
    "plt": (30, 999),
    "na": (120, 160),
}


class Body:
    """Usual levels and lasting illnesses of one resident."""

    def __init__(self, dice: Dice, resident: Resident) -> None:
        self._dice = dice
        self._side = resident.sex == "F"
        self._usual: dict[str, float] = {}
        self.since: dict[str, Moment] = {}
        """When each lasting illness was found."""
        self.treated: dict[str, Moment] = {}
        """From when it has been treated."""
        self.severity = dice.random()
        self.immune = dice.chance(0.55)
        self.child = False

    def measured_with(self, dice: Dice) -> Body:
        """The same body before another laboratory, whose throws change nothing of this one's."""
        other = copy(self)
        other._dice = dice
        other._usual = dict(self._usual)
        return other

    def lasting(self, key: str, at: Moment) -> float:
        """Years since a lasting illness was found; -1 when there is none yet."""
        found = self.since.get(key)
        return -1.0 if found is None or found > at else (at - found) / YEAR

    def _untreated(self, key: str, at: Moment, half_years: float) -> float:
        """The share of an illness's effect that treatment has left."""
        begun = self.treated.get(key)
        if begun is None or begun > at:
            return 1.0
        return 0.25 + 0.75 * 0.5 ** ((at - begun) / YEAR / half_years)

    def shifts(self, at: Moment) -> dict[str, float]:
        """How far lasting illnesses move each test at a moment."""
        moved: dict[str, float] = {}
        for key in self.since:
            years = self.lasting(key, at)
            if years >= 0:
                for item, size in self._effect(key, years, at):
                    moved[item] = moved.get(item, 0.0) + size
        return moved

    def _effect(self, key: str, years: float, at: Moment) -> tuple[tuple[str, float], ...]:
        hard = 0.6 + 0.8 * self.severity
        if key == "diabetes":
            excess = 4.1 * hard * self._untreated(key, at, 0.35) + 0.12 * years
            return (
                ("a1c", excess),
                ("glu", excess * 1.5),
                ("glu2h", excess * 2.4),
                ("tg", 0.5),
                ("uglu", 2.0 if excess > 3 else 0.0),
            )
        if key == "lipids":
            excess = hard * self._untreated(key, at, 0.12)
            return (("ldl", 1.7 * excess), ("tc", 2.1 * excess), ("tg", 1.2 * excess))
        if key == "kidney":
            grown = (28 + 26 * years) * hard
            return (
                ("crea", grown),
                ("urea", grown / 18),
                ("cysc", grown / 110),
                ("k", grown / 400),
                ("hgb", -grown / 7),
                ("ua", grown / 2),
                ("phos", grown / 700),
                ("upro", min(3.0, 1 + years * 0.5)),
            )
        if key == "hepatitis_b":
            left = self._untreated(key, at, 0.3)
            return (
                ("hbsag", 1.0),
                ("hbeab", 1.0),
                ("hbcab", 1.0),
                ("alt", 70 * hard * left),
                ("ast", 45 * hard * left),
            )
        if key == "gout":
            return (("ua", 190 * hard * self._untreated(key, at, 0.2)),)
        if key == "anaemia":
            left = self._untreated(key, at, 0.15)
            return (
                ("hgb", -42 * hard * left),
                ("mcv", -14 * left),
                ("hct", -9 * hard * left),
                ("rbc", -0.6 * left),
            )
        if key == "fatty_liver":
            return (("alt", 28 * hard), ("ggt", 34 * hard), ("tg", 0.6))
        if key == "cancer":
            left = self._untreated(key, at, 0.2) + 0.15 * years
            return (("cea", 26 * hard * left), ("ca199", 40 * hard * left), ("hgb", -14 * hard))
        if key == "pregnancy":
            return (("hgb", -14.0), ("hcg", 42000.0 * hard), ("alb", -5.0), ("fib", 1.1))
        return ()

    def panel(self, panel: Panel, moved: dict[str, float]) -> tuple[Result, ...]:
        """Measure a panel with the tests moved so far."""
        return tuple([self._measure(item, moved.get(item.key, 0.0)) for item in panel.items])

    def _measure(self, item: Item, shift: float) -> Result:
        if item.digits < 0:
            return self._observed(item, shift)
        side = self._side
        dice = self._dice
        usual = self._usual.get(item.key)
        if usual is None:
            usual = self._usual[item.key] = dice.near(item.mean[side], item.spread * 0.7)
        if shift:
            shift *= 0.85 + 0.3 * dice.random()
        value = dice.near(usual, item.spread * 0.4) + shift
        limit = _DETECTION.get(item.key)
        if limit is not None and value < limit:
            return Result(item, f"<{limit}", "")
        floor = item.mean[side] * 0.12
        text = f"{value if value > floor else floor:.{item.digits}f}"
        return Result(item, text, self._mark(item, float(text)))

    def _mark(self, item: Item, value: float) -> str:
        side = self._side
        mark = "H" if value > item.high[side] else "L" if value < item.low[side] else ""
        if mark and item.key in _CRITICAL:
            low, high = _CRITICAL[item.key]
            if value < low or value > high:
                return mark * 2
        return mark

    def _observed(self, item: Item, shift: float) -> Result:
        """A textual result: strip grades in urine, 阴性 or 阳性 in serology."""
        if item.key == "hbsab":
            positive = self.immune and "hepatitis_b" not in self.since
        elif item.key[0] == "u":
            grade = min(4, max(0, round(shift + self._dice.random() * 0.53)))
            return Result(item, _STRIP[grade], "P" if grade > 1 else "")
        else:
            positive = shift > 0
        return Result(
            item, "阳性" if positive else "阴性", "P" if positive and item.expected else ""
        )
