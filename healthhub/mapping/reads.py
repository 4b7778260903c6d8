"""How compiled rules read fields. One letter of each name tells the shape:

``t`` gives one text, ``ts`` all texts, ``vs`` all values (canonical text with its parts), of
segments; ``rt`` and ``rv`` the same of the parts of a value. Components and subcomponents count
from 1, 0 for the whole; a text of a whole is its first part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from healthhub.adapter_api.record import Segment
from healthhub.adapter_api.text import NULL, clean, part
from healthhub.mapping.expressions import Filter

Segments = Sequence[Segment]


def t(segments: Segments, number: int) -> str | None:
    """First valued text of a field: of its first component and subcomponent."""
    for segment in segments:
        fields = segment.fields
        field = fields[number] if number < len(fields) else ""
        if field:
            if field.isalnum():
                return field
            found = _first(field) if _parted(field) else clean(field)
            if found is not None:
                return found
    return None


def _first(field: str) -> str | None:
    for repetition in field.split("~"):
        found = _head(repetition)
        if found is not None:
            return found
    return None


def _head(repetition: str) -> str | None:
    if "^" in repetition:
        repetition = repetition.split("^", 1)[0]
    if "&" in repetition:
        repetition = repetition.split("&", 1)[0]
    return clean(repetition) if repetition else None


def tc(segments: Segments, number: int, component: int, subcomponent: int = 0) -> str | None:
    """First valued text of a component or subcomponent."""
    for segment in segments:
        fields = segment.fields
        if number < len(fields) and fields[number]:
            for repetition in fields[number].split("~"):
                found = _component(repetition, component, subcomponent)
                if found is not None:
                    return found
    return None


def _component(repetition: str, component: int, subcomponent: int) -> str | None:
    parts = repetition.split("^")
    if component > len(parts):
        return None
    text = parts[component - 1]
    if not text:
        return None
    if subcomponent or "&" in text:
        pieces = text.split("&")
        number = subcomponent or 1
        if number > len(pieces):
            return None
        text = pieces[number - 1]
    return clean(text)


def ts(segments: Segments, number: int, component: int = 0, subcomponent: int = 0) -> list[str]:
    """All valued texts of a field or its part, in order."""
    found: list[str] = []
    for segment in segments:
        fields = segment.fields
        field = fields[number] if number < len(fields) else ""
        if not field:
            continue
        if component < 2 and subcomponent < 2 and (field.isalnum() or not _parted(field)):
            text = clean(field)
            if text is not None:
                found.append(text)
            continue
        for repetition in field.split("~"):
            text = _component(repetition, component or 1, subcomponent)
            if text is not None:
                found.append(text)
    return found


_parted = re.compile(r"[~^&]").search


def vs(segments: Segments, number: int, component: int = 0, subcomponent: int = 0) -> list[str]:
    """All values of a field or its part, with their own parts and escapes."""
    found: list[str] = []
    for segment in segments:
        fields = segment.fields
        if number < len(fields) and fields[number]:
            for repetition in fields[number].split("~"):
                value = (
                    part(repetition, 0, component, subcomponent) if component else repetition
                )
                if value and value != NULL:
                    found.append(value)
    return found


def v1(
    segments: Segments, number: int, component: int = 0, subcomponent: int = 0
) -> str | None:
    """The first value of a field or its part."""
    for segment in segments:
        fields = segment.fields
        if number < len(fields):
            field = fields[number]
            if field:
                if not component and "~" not in field:
                    return None if field == NULL else field
                for repetition in field.split("~"):
                    value = part(repetition, 0, component, subcomponent)
                    if value and value != NULL:
                        return value
    return None


def _chosen(
    segments: Segments, number: int, which: int, filters: Sequence[Filter]
) -> list[str]:
    found: list[str] = []
    for segment in segments:
        field = segment.field(number)
        if not field:
            continue
        repetitions = field.split("~")
        if which:
            found += repetitions[which - 1 : which]
        else:
            found += [r for r in repetitions if r and all(_passes(r, f) for f in filters)]
    return found


def _passes(repetition: str, wanted: Filter) -> bool:
    text = _component(repetition, wanted.component, wanted.subcomponent) or ""
    return (text in wanted.words) == wanted.equal


def tsf(
    segments: Segments,
    number: int,
    which: int,
    filters: Sequence[Filter],
    component: int = 0,
    subcomponent: int = 0,
) -> list[str]:
    """As ts, of the repetitions that pass a filter."""
    found = (
        _component(repetition, component or 1, subcomponent)
        for repetition in _chosen(segments, number, which, filters)
    )
    return [text for text in found if text is not None]


def vsf(
    segments: Segments,
    number: int,
    which: int,
    filters: Sequence[Filter],
    component: int = 0,
    subcomponent: int = 0,
) -> list[str]:
    """As vs, of the repetitions that pass a filter."""
    found = (
        part(repetition, 0, component, subcomponent)
        for repetition in _chosen(segments, number, which, filters)
    )
    return [value for value in found if value and value != NULL]


def tf(
    segments: Segments,
    number: int,
    which: int,
    filters: Sequence[Filter],
    component: int = 0,
    subcomponent: int = 0,
) -> str | None:
    """As t, of the repetitions that pass a filter."""
    for repetition in _chosen(segments, number, which, filters):
        text = _component(repetition, component or 1, subcomponent)
        if text is not None:
            return text
    return None


def cut(value: str, separator: str) -> list[str]:
    """The parts of a value."""
    return value.split(separator)


def rt(parts: Sequence[str], number: int) -> str | None:
    """Text of a component; of its first subcomponent if it has several."""
    if number > len(parts):
        return None
    text = parts[number - 1]
    if not text or text.isalnum():
        return text or None
    if "&" in text:
        text = text.split("&", 1)[0]
    return clean(text)


def rts(parts: Sequence[str], number: int, subcomponent: int) -> str | None:
    """Text of a component's subcomponent."""
    if number > len(parts):
        return None
    pieces = parts[number - 1].split("&")
    return clean(pieces[subcomponent - 1]) if subcomponent <= len(pieces) else None


def rv(parts: Sequence[str], number: int) -> str | None:
    """Value of a component."""
    if number > len(parts):
        return None
    value = parts[number - 1]
    return value if value and value != NULL and not value.isspace() else None


def rvs(parts: Sequence[str], number: int, subcomponent: int) -> str | None:
    """Value of a component's subcomponent."""
    value = part(rv(parts, number) or "", 0, 0, subcomponent)
    return value if value and value != NULL else None


def wt(value: str, separator: str) -> str | None:
    """Text of a whole value: of its first part."""
    return _head(value) if separator == "^" else clean(value.split(separator, 1)[0])
