"""An invented electrocardiogram: twelve leads of Gaussian waves, as one Observation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

MDC = "urn:iso:std:iso:11073:10101"
CODES = {
    "I": 131329,
    "II": 131330,
    "III": 131389,
    "aVR": 131390,
    "aVL": 131391,
    "aVF": 131392,
    **{f"V{number}": 131330 + number for number in range(1, 7)},
}
WAVES = {
    "P": (-0.16, 0.022),
    "Q": (-0.03, 0.008),
    "R": (0.0, 0.010),
    "S": (0.03, 0.009),
    "T": (0.26, 0.045),
}
HEIGHTS = {
    "I": (0.08, -0.05, 0.6, -0.08, 0.18),
    "II": (0.15, -0.08, 1.1, -0.15, 0.28),
    "V1": (0.05, 0.0, 0.25, -0.9, -0.1),
    "V2": (0.08, 0.0, 0.5, -1.4, 0.4),
    "V3": (0.08, -0.02, 0.8, -0.9, 0.45),
    "V4": (0.09, -0.06, 1.4, -0.5, 0.42),
    "V5": (0.09, -0.08, 1.3, -0.25, 0.33),
    "V6": (0.08, -0.07, 1.0, -0.1, 0.25),
}


def lead(name: str, rate: int, seconds: float) -> list[int]:
    """Samples in microvolts at 75 beats a minute."""
    if name in HEIGHTS:
        return [round(1000 * _at(HEIGHTS[name], n / rate)) for n in range(int(rate * seconds))]
    one, two = lead("I", rate, seconds), lead("II", rate, seconds)
    parts = {"III": (-1, 1), "aVR": (-0.5, -0.5), "aVL": (1, -0.5), "aVF": (-0.5, 1)}[name]
    return [round(parts[0] * i + parts[1] * ii) for i, ii in zip(one, two, strict=True)]


def _at(heights: Sequence[float], time: float) -> float:
    beat = time % 0.8 - 0.3
    waves = zip(heights, WAVES.values(), strict=True)
    return sum(
        h * math.exp(-(((beat - middle) / width) ** 2) / 2) for h, (middle, width) in waves
    )


def component(
    name: str, samples: Sequence[int | str], *, period: float = 2, unit: str = "uV"
) -> dict[str, Any]:
    """A lead as a component."""
    return {
        "code": {"coding": [{"system": MDC, "code": str(CODES.get(name, name))}], "text": name},
        "valueSampledData": {
            "origin": {
                "value": 0,
                "unit": unit,
                "system": "http://unitsofmeasure.org",
                "code": unit,
            },
            "period": period,
            "factor": 1,
            "dimensions": 1,
            "data": " ".join(map(str, samples)),
        },
    }


def measured(code: str, name: str, value: int, unit: str) -> dict[str, Any]:
    """A measurement as a component."""
    return {
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": name},
        "valueQuantity": {"value": value, "unit": unit},
    }


def observation(
    leads: Sequence[str] = tuple(CODES), rate: int = 500, seconds: float = 10
) -> dict[str, Any]:
    """The whole, without what a chart adds."""
    return {
        "status": "preliminary",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "11524-6"}],
            "text": "心电图",
        },
        "effectiveDateTime": "2026-11-20T08:15:30+08:00",
        "component": [
            *(component(name, lead(name, rate, seconds), period=1000 / rate) for name in leads),
            measured("8867-4", "Ventricular Rate", 75, "/min"),
            measured("8625-6", "PR Interval", 160, "ms"),
            measured("8633-0", "QRS Duration", 92, "ms"),
            measured("8632-2", "QRS Axis", 52, "°"),
        ],
    }
