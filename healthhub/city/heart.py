"""Twelve-lead electrocardiograms of invented hearts: beats of Gaussian waves, ten seconds at 500 a second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from healthhub.city.dice import Dice

RATE, SECONDS = 500, 10
SAMPLES = RATE * SECONDS
MICROVOLTS = 5
"""What one step of a sample is worth."""
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_LONGEST = RATE * 4 // 5
"""Samples of a beat's waves."""
_CHEST = frozenset(("V1", "V2", "V4", "V5", "V6"))
"""Leads in which a large left ventricle shows."""
_R_AT = 0.22
"""Seconds from the beginning of a beat to its R wave."""
_WAVES = ((-0.16, 0.022), (-0.03, 0.008), (0.0, 0.010), (0.03, 0.009), (0.26, 0.045))
"""P, Q, R, S, T: seconds from the R wave at 75 beats a minute, and half widths."""
_HEIGHTS = {
    "I": (0.09, -0.05, 0.8, -0.1, 0.22),
    "II": (0.15, -0.08, 1.1, -0.15, 0.28),
    "V1": (0.05, 0.0, 0.25, -1.0, -0.1),
    "V2": (0.08, 0.0, 0.5, -1.4, 0.4),
    "V3": (0.08, -0.02, 0.8, -0.9, 0.45),
    "V4": (0.09, -0.06, 1.25, -0.5, 0.42),
    "V5": (0.09, -0.08, 1.3, -0.25, 0.33),
    "V6": (0.08, -0.07, 1.0, -0.1, 0.25),
}
"""Millivolts of each wave."""


@dataclass(frozen=True, slots=True)
class Heart:
    """A way to beat: the range of its rate, how much one beat differs from the next, whether the
    atria contract, how many percent the chest leads show, and what the machine says of it."""

    slowest: int
    fastest: int
    uneven: float
    atria: bool
    chest: int
    said: tuple[str, ...]


HEARTS = {
    "normal": Heart(62, 88, 0.03, True, 100, ("窦性心律", "正常心电图")),
    "slow": Heart(46, 56, 0.03, True, 100, ("窦性心动过缓",)),
    "enlarged": Heart(62, 86, 0.03, True, 150, ("窦性心律", "左室高电压")),
    "fibrillating": Heart(76, 104, 0.25, False, 100, ("心房颤动", "ST-T改变")),
}


@dataclass(frozen=True, slots=True)
class Tracing:
    """A recording: samples of each lead in steps of MICROVOLTS, measurements of the whole in
    milliseconds, beats a minute and degrees (0: not measured), and statements."""

    leads: dict[str, list[int]]
    rate: int
    rr: int
    pr: int
    qrs: int
    qt: int
    qtc: int
    axis: int
    said: tuple[str, ...]


def tracing(key: str, dice: Dice) -> Tracing:
    """Ten seconds of a heart of HEARTS."""
    heart = HEARTS[key]
    usual = round(60 * RATE / dice.whole(heart.slowest, heart.fastest))
    beats: list[int] = []
    while sum(beats) < SAMPLES:
        # in steps of ten milliseconds, so that many beats are alike and need be drawn once
        beats.append(5 * round(usual * (1 + heart.uneven * (2 * dice.random() - 1)) / 5))
    percent, shift = dice.pick((88, 100, 112)), dice.whole(0, SAMPLES - 1)
    own = {name: _strip(key, name, beats, percent, shift) for name in _HEIGHTS}
    one, two = own["I"], own["II"]
    pairs = list(zip(one, two, strict=True))
    own["III"] = [b - a for a, b in pairs]
    own["aVR"] = [-(a + b) // 2 for a, b in pairs]
    own["aVL"] = [a - b // 2 for a, b in pairs]
    own["aVF"] = [b - a // 2 for a, b in pairs]
    rr = round(sum(beats) / len(beats) * 1000 / RATE)
    qt = round(120 + 260 * math.sqrt(rr / 800))
    return Tracing(
        {name: own[name] for name in LEADS},
        round(60_000 / rr),
        rr,
        160 if heart.atria else 0,
        92 if heart.chest == 100 else 104,
        qt,
        round(qt / math.sqrt(rr / 1000)),
        dice.whole(38, 62),
        heart.said,
    )


def _strip(key: str, lead: str, beats: list[int], percent: int, shift: int) -> list[int]:
    """A lead from its beats, larger or smaller by the person, with the body's own noise."""
    plain, begun = [0] * (SAMPLES + _LONGEST), 0
    for length in beats:
        for n, value in enumerate(_beat(key, lead, length), begun):
            plain[n] += value
        begun += length
        if begun >= SAMPLES:
            break
    noise = _noise(lead)
    moved = noise[shift:] + noise[:shift]
    return [value * percent // 100 + stray for value, stray in zip(plain, moved, strict=False)]


@lru_cache(maxsize=8192)
def _beat(key: str, lead: str, length: int) -> tuple[int, ...]:
    """A beat after which the next one begins in so many samples; its T wave may reach into that
    one, and follows sooner on R where the heart is fast."""
    heart = HEARTS[key]
    slack = math.sqrt(length * 1000 / RATE / 800)
    scale = 1000 / MICROVOLTS * (heart.chest / 100 if lead in _CHEST else 1)
    waves = [
        (height * scale, _R_AT + (middle * slack if middle > 0.1 else middle), width)
        for height, (middle, width) in zip(_HEIGHTS[lead], _WAVES, strict=True)
    ]
    waves = waves if heart.atria else waves[1:]
    return tuple(
        round(
            sum(h * math.exp(-(((n / RATE - at) / width) ** 2) / 2) for h, at, width in waves)
        )
        for n in range(_LONGEST)
    )


@lru_cache(maxsize=16)
def _noise(lead: str) -> list[int]:
    """What else a lead shows: breathing, and the muscles' trembling."""
    dice = Dice("noise of a lead", lead)
    slow = [round(6 * math.sin(2 * math.pi * n / 2500)) for n in range(SAMPLES)]
    return [value + dice.whole(-1, 1) for value in slow]
