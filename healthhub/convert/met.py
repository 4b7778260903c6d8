"""What a message says of a code that its mapping lacks: its name, unit, value and range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from healthhub.model.code_maps import Sighting
from healthhub.model.resource import Body, Draft

LOCAL = "urn:healthhub:codes:"
_SHARED = (
    "http://loinc.org",
    "http://snomed.info/",
    "http://hl7.org/",
    "http://terminology.hl7",
)


@dataclass(frozen=True, slots=True)
class Met:
    """A code where a resource has it. ``value`` is the result as text, or the number alone with
    its ``unit``; ``low`` and ``high`` are the sender's range. All may be empty."""

    type: str
    display: str = ""
    value: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""
    range: str = ""


def met(drafts: Iterable[Draft], code: str) -> Iterator[Met]:
    """Each resource that has the code as the sender's own."""
    for draft in drafts:
        found = _named(draft.body, code, _own)
        if found is None:
            found = _named(draft.body, code, _foreign)
        if found is not None:
            yield replace(_measured(draft.body), display=found)


def described(sightings: Iterable[Sighting], drafts: Sequence[Draft]) -> tuple[Sighting, ...]:
    """The sightings, each with the name and unit that the message gives its code."""
    found = []
    for sighting in sightings:
        if sighting.version == 0:
            seen = next(met(drafts, sighting.code), None)
            if seen is not None:
                shown = sighting.display or seen.display
                sighting = replace(sighting, display=shown, unit=seen.unit)
        found.append(sighting)
    return tuple(found)


def _own(system: str) -> bool:
    return system.startswith(LOCAL)


def _foreign(system: str) -> bool:
    """A partner's own system, whose resources keep its name."""
    return not system.startswith(_SHARED)


def _named(value: Any, code: str, whose: Callable[[str], bool]) -> str | None:
    """The display of the sender's own coding of this code, wherever it stands; None: nowhere."""
    if isinstance(value, dict):
        held: dict[str, Any] = value
        for coding in held.get("coding") or () if isinstance(held.get("coding"), list) else ():
            if coding.get("code") == code and whose(str(coding.get("system", ""))):
                return str(coding.get("display") or held.get("text") or "")
        parts: Iterable[Any] = held.values()
    elif isinstance(value, list):
        parts = value
    else:
        return None
    return next((n for part in parts if (n := _named(part, code, whose)) is not None), None)


def _measured(body: Body) -> Met:
    kind = str(body.get("resourceType", ""))
    quantity = body.get("valueQuantity")
    value, unit = str(body.get("valueString", "")), ""
    if isinstance(quantity, dict):
        value = f"{quantity.get('comparator', '')}{quantity.get('value', '')}"
        unit = str(quantity.get("unit") or quantity.get("code") or "")
    ranges = body.get("referenceRange") or [{}]
    low, high = (str(ranges[0].get(end, {}).get("value", "")) for end in ("low", "high"))
    return Met(kind, "", value, unit, low, high, str(ranges[0].get("text", "")))
