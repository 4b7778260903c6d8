"""Electrocardiograms: an Observation with the samples of leads, its measurements, its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from healthhub.model.resource import Body
from healthhub.serve.record.curves import Paper, Samples, paper
from healthhub.serve.record.observations import STATES, State
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import (
    LOINC,
    Concept,
    Moment,
    concept,
    decimal,
    first_moment,
    quantity,
    reference_id,
)

MDC = "urn:iso:std:iso:11073:10101"
NAMES = {
    131329: "I",
    131330: "II",
    131389: "III",
    131390: "aVR",
    131391: "aVL",
    131392: "aVF",
    **{131330 + number: f"V{number}" for number in range(1, 8)},
    131394: "V8",
    131395: "V9",
    **{131336 + number: f"V{number}R" for number in range(2, 8)},
    131396: "V8R",
    131397: "V9R",
}
"""Leads by their codes of ISO/IEEE 11073-10102."""
_MILLIVOLTS = {"mV": 1.0, "uV": 0.001, "nV": 0.000001, "V": 1000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement of the whole: PR, QRS, axis. ``key`` is its LOINC code, if it has one."""

    key: str
    name: Concept
    value: str
    unit: str


@dataclass(frozen=True)
class Ecg:
    """One electrocardiogram."""

    id: str
    name: Concept
    at: Moment | None
    state: State
    origin: Origin
    measured: tuple[Measured, ...]
    conclusion: str
    report: str
    notes: tuple[str, ...]
    unnamed: tuple[str, ...]
    """Leads without a code that the hub knows, or without a unit: kept, and not drawn."""
    components: tuple[Body, ...]

    @cached_property
    def paper(self) -> Paper | None:
        """The drawing, made when first looked at."""
        found = (_samples(part) for part in self.components)
        return paper({lead.name: lead for lead in found if lead is not None})


def is_ecg(body: Body) -> bool:
    """Whether an Observation holds samples of an electrocardiogram's leads."""
    return any("valueSampledData" in part and _code(part) for part in body.get("component", ()))


def ecgs(bodies: Sequence[Body], reports: Sequence[Body], sources: Sources) -> tuple[Ecg, ...]:
    """The electrocardiograms of a record, the latest first."""
    told = {
        target.partition("/")[2]: report
        for report in reports
        for target in map(reference_id, report.get("result", ()))
        if target.startswith("Observation/")
    }
    found = [_ecg(body, told.get(body["id"]), sources) for body in bodies if is_ecg(body)]
    return tuple(
        sorted(found, key=lambda e: e.at.at.timestamp() if e.at else 0.0, reverse=True)
    )


def _ecg(body: Body, report: Body | None, sources: Sources) -> Ecg:
    parts = body.get("component", ())
    sampled = [part for part in parts if "valueSampledData" in part]
    return Ecg(
        id=body["id"],
        name=concept(body.get("code")),
        at=first_moment(body, "effectiveDateTime", "effectivePeriod", "issued"),
        state=STATES.get(body.get("status", ""), State.VALID),
        origin=sources.of(body),
        measured=tuple(_measured(part) for part in parts if "valueQuantity" in part),
        conclusion=(report or {}).get("conclusion", "") or body.get("valueString", ""),
        report=(report or {}).get("id", ""),
        notes=tuple(note["text"] for note in body.get("note", ()) if note.get("text")),
        unnamed=tuple(
            concept(part.get("code")).label("zh") for part in sampled if not _drawable(part)
        ),
        components=tuple(sampled),
    )


def _measured(part: Body) -> Measured:
    name = concept(part.get("code"))
    found = quantity(part["valueQuantity"])
    value = found.text if found else ""
    return Measured(name.code(LOINC), name, value, found.unit if found else "")


def _code(part: Body) -> str:
    for coding in part.get("code", {}).get("coding", ()):
        if coding.get("system") == MDC and str(coding.get("code", "")).isdigit():
            name = NAMES.get(int(coding["code"]))
            if name:
                return name
    return ""


def _drawable(part: Body) -> bool:
    origin = part["valueSampledData"].get("origin", {})
    return bool(_code(part)) and origin.get("code", origin.get("unit")) in _MILLIVOLTS


def _samples(part: Body) -> Samples | None:
    """A lead in millivolts (FHIR R4: origin + sample * factor, E for none, U and L beyond)."""
    if not _drawable(part):
        return None
    sampled = part["valueSampledData"]
    origin = sampled["origin"]
    scale = _MILLIVOLTS[origin.get("code", origin.get("unit"))]
    base = _number(origin.get("value"), 0.0) * scale
    factor = _number(sampled.get("factor"), 1.0) * scale
    step = _number(sampled.get("period"), 0.0) / 1000
    if step <= 0:
        return None
    texts = str(sampled.get("data", "")).split()
    return Samples(_code(part), [_sample(text, base, factor) for text in texts], step)


def _sample(text: str, base: float, factor: float) -> float | None:
    try:
        return base + float(text) * factor
    except ValueError:
        return None


def _number(value: Any, default: float) -> float:
    found: Decimal | None = decimal(value)
    return float(found) if found is not None else default
