"""One Observation as a reading: its value, mark, range, state and origin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from healthhub.model.resource import Body
from healthhub.serve.record.marks import UNMARKED, Marked, Range, mark, reference_range
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import (
    LOINC,
    Concept,
    Moment,
    Quantity,
    concept,
    first_moment,
    quantity,
    unit_key,
)

BLOOD_PRESSURE = "85354-9"
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"


_LOINC_CODE = re.compile(r"\d{1,8}-\d")


class State(StrEnum):
    """How far a result can be relied on."""

    VALID = "valid"
    PRELIMINARY = "preliminary"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


STATES = {
    "registered": State.PRELIMINARY,
    "preliminary": State.PRELIMINARY,
    "final": State.VALID,
    "amended": State.CORRECTED,
    "corrected": State.CORRECTED,
    "cancelled": State.WITHDRAWN,
    "entered-in-error": State.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value to show and, where it is a number, to draw (two for a blood pressure). ``coded``
    is what a code says, which has a name in each language."""

    text: str
    unit: str = ""
    unit_key: str = ""
    numbers: tuple[float, ...] = ()
    coded: Concept | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One result. ``analyte`` is the same for results that mean the same quantity."""

    id: str
    analyte: str
    name: Concept
    at: Moment | None
    value: Value
    marked: Marked
    limits: Range | None
    state: State
    origin: Origin
    method: str
    replaced: tuple[str, ...] = ()
    """Earlier values that a correction replaced, latest first."""

    @property
    def series(self) -> str:
        """Readings of one series may be joined by a line: one laboratory, method and unit."""
        return f"{self.origin.institution}|{self.method}|{self.value.unit_key}"

    @property
    def row(self) -> tuple[str, str]:
        """What shares a row of the table: the analyte in one unit."""
        return self.analyte, self.value.unit_key


def reading(observation: Body, sources: Sources, older: Sequence[Body] = ()) -> Reading:
    """Read an Observation; ``older`` are its earlier versions, latest first."""
    name = concept(observation.get("code"))
    origin = sources.of(observation)
    number = quantity(observation.get("valueQuantity"))
    value = value_of(observation) if number is None else measured(number)
    limits = reference_range(observation)
    state = STATES.get(observation.get("status", ""), State.PRELIMINARY)
    marked = UNMARKED if state is State.WITHDRAWN else mark(observation, number, limits)
    return Reading(
        id=observation["id"],
        analyte=analyte(name, origin.institution),
        name=name,
        at=first_moment(
            observation, "effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"
        ),
        value=value,
        marked=marked,
        limits=limits,
        state=state,
        origin=origin,
        method=concept(observation.get("method")).label("zh"),
        replaced=_replaced(value, older) if state is State.CORRECTED else (),
    )


def analyte(name: Concept, institution: str) -> str:
    """An opaque key for addresses: the LOINC code, else a digest of the local code.

    Local codes of two institutions are never taken for the same.
    """
    loinc = name.code(LOINC)
    if _LOINC_CODE.fullmatch(loinc):
        return loinc
    local = name.codings[0] if name.codings else None
    text = f"{local.system}|{local.code}" if local and local.code else name.text
    return blake2b(f"{institution}|{text}".encode(), digest_size=8).hexdigest()


def measured(number: Quantity) -> Value:
    """A measured value."""
    return Value(number.text, number.unit, number.unit_key, (float(number.number),))


def value_of(observation: Body) -> Value:
    """The value as people read it, whatever its type."""
    number = quantity(observation.get("valueQuantity"))
    if number is not None:
        return measured(number)
    for element in ("valueString", "valueInteger", "valueDateTime", "valueTime"):
        if element in observation:
            return Value(str(observation[element]))
    if "valueCodeableConcept" in observation:
        said = concept(observation["valueCodeableConcept"])
        return Value(said.label("zh"), coded=said)
    if "valueBoolean" in observation:
        return Value("+" if observation["valueBoolean"] else "−")
    if "valueRange" in observation or "valueRatio" in observation:
        return _pair(observation)
    if observation.get("component"):
        return _components(observation["component"])
    absent = concept(observation.get("dataAbsentReason"))
    return Value(absent.label("zh"), coded=absent or None)


def _pair(observation: Body) -> Value:
    ranged = observation.get("valueRange")
    pair = ranged or observation["valueRatio"]
    first, second = ("low", "high") if ranged else ("numerator", "denominator")
    parts = [quantity(pair.get(part)) for part in (first, second)]
    unit = next((part.unit for part in parts if part), "")
    joint = "–" if ranged else ":"
    return Value(joint.join(part.text if part else "" for part in parts), unit, unit_key(unit))


def _components(components: Sequence[Body]) -> Value:
    by_code = {concept(item.get("code")).code(LOINC): item for item in components}
    if SYSTOLIC in by_code and DIASTOLIC in by_code:
        pair = [quantity(by_code[code].get("valueQuantity")) for code in (SYSTOLIC, DIASTOLIC)]
        upper, lower = pair
        if upper and lower:
            return Value(
                f"{upper.text}/{lower.text}",
                upper.unit,
                upper.unit_key,
                (float(upper.number), float(lower.number)),
            )
    parts = []
    for item in components:
        value = value_of(item)
        text = f"{value.text} {value.unit}".strip()
        parts.append(f"{concept(item.get('code')).label('zh')} {text}".strip())
    return Value("；".join(parts))


def _replaced(value: Value, older: Sequence[Body]) -> tuple[str, ...]:
    """Values that had been final before; a preliminary value was never a statement."""
    texts: list[str] = []
    for body in older:
        if STATES.get(body.get("status", "")) in (State.VALID, State.CORRECTED):
            before = value_of(body)
            text = (
                before.text if before.unit_key == value.unit_key else before.text + before.unit
            )
            if text != value.text and text not in texts:
                texts.append(text)
    return tuple(texts)


Histories = Mapping[str, Sequence[Body]]
"""Earlier versions of corrected Observations by id, latest first."""
