"""What the parts of a resource say, as the summary needs it: names, codes, dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from healthhub import clock
from healthhub.model.resource import Body

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
OLDEST = datetime(1, 1, 2, tzinfo=UTC)
_DATES = (
    "effectiveDateTime effectivePeriod effectiveInstant occurrenceDateTime performedDateTime "
    "performedPeriod authoredOn onsetDateTime onsetPeriod recordedDate dateAsserted "
    "lastOccurrence recordedOn issued timingDateTime timingPeriod dateTime date created period"
).split()
"""Where a resource says its clinical time, the best first."""


def codings(concept: Any) -> Iterator[Body]:
    """The codings of a CodeableConcept, or of a list of them."""
    for one in concept if isinstance(concept, list) else [concept]:
        if isinstance(one, dict):
            yield from one.get("coding", ())


def code_in(concept: Any) -> set[str]:
    """The plain codes of a CodeableConcept, or of a list of them."""
    return {str(one.get("code")) for one in codings(concept)}


def words(concept: Any) -> str:
    """What a CodeableConcept is called: its text, a Chinese display, any display, a code."""
    if not isinstance(concept, dict):
        return ""
    if text := concept.get("text"):
        return str(text)
    shown = [str(one["display"]) for one in codings(concept) if one.get("display")]
    chinese = next((text for text in shown if _CHINESE.search(text)), "")
    code = next((str(one["code"]) for one in codings(concept) if one.get("code")), "")
    return chinese or (shown[0] if shown else code)


def keys(concept: Any) -> list[str]:
    """What makes two concepts the same thing: a common coding, or the same words."""
    found = [
        f"{one.get('system', '')}|{one['code']}" for one in codings(concept) if "code" in one
    ]
    text = re.sub(r"\s+", "", words(concept)).casefold()
    return [*found, f"text|{text}"] if text else found


def moment(text: str | None) -> datetime:
    """A FHIR date or dateTime as a moment to sort by: the first one it can mean."""
    if not text:
        return OLDEST
    match = _DATE.match(text)
    try:
        if match is not None and match.group() == text:
            return datetime.fromisoformat((text + "-01-01")[:10]).replace(tzinfo=clock.ZONE)
        found = datetime.fromisoformat(text)
    except ValueError:
        return OLDEST
    return found if found.tzinfo else found.replace(tzinfo=clock.ZONE)


def when(body: Body) -> str:
    """The clinical time of a resource as it is written there; empty without one."""
    for name in _DATES:
        value = body.get(name)
        if isinstance(value, dict):
            value = value.get("start") or value.get("end")
        if isinstance(value, str):
            return value
    return ""


def subject_code(body: Body) -> Any:
    """What a resource is about: its code, medicine, vaccine, device."""
    for name in ("code", "medicationCodeableConcept", "vaccineCode", "scope"):
        if name in body:
            return body[name]
    return body.get("category") if body["resourceType"] == "CarePlan" else None


def status_of(body: Body) -> str:
    """The word for where a thing stands: clinical status, status of verification, status."""
    for name in ("clinicalStatus", "verificationStatus"):
        if found := code_in(body.get(name)):
            return sorted(found)[0]
    status = body.get("status")
    return status if isinstance(status, str) else ""


def value_of(body: Body) -> str:
    """An Observation's value in words; of a panel or pressure its components'."""
    for name, value in body.items():
        if name.startswith("value"):
            return _value(value)
    parts = [
        f"{words(part.get('code'))} {value_of(part)}".strip()
        for part in body.get("component", ())
    ]
    if parts:
        return "; ".join(parts)
    return words(body.get("dataAbsentReason"))


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return (
            {True: "是 yes", False: "否 no"}[value] if isinstance(value, bool) else str(value)
        )
    if "value" in value:
        unit = value.get("unit") or value.get("code") or ""
        return f"{value.get('comparator', '')}{value['value']} {unit}".strip()
    if "numerator" in value:
        return f"{_value(value['numerator'])} / {_value(value.get('denominator', {}))}"
    if "low" in value or "high" in value:
        return f"{_value(value.get('low', {}))} - {_value(value.get('high', {}))}"
    if "start" in value or "end" in value:
        return f"{value.get('start', '')} - {value.get('end', '')}"
    return words(value)
