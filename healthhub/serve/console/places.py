"""Where in the raw bytes a finding points: a source path such as ``OBX[3]-5.1``, or a byte."""

from __future__ import annotations

import re

from healthhub.adapter_api import registry
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.errors import HubError
from healthhub.model.finding import Finding
from healthhub.settings import Source

_PATH = re.compile(
    r"\b([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d{1,3})(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?"
)
_BYTE = re.compile(r"\bbyte (\d{1,9})\b")


def place_of(finding: Finding) -> str:
    """The place that a finding names, in ``where`` or in its sentence; empty if none."""
    for text in (finding.where, finding.detail):
        found = _BYTE.search(text) or _PATH.search(text)
        if found:
            return found[0]
    return ""


def spans(raw: bytes, source: Source | None, place: str) -> list[Span]:
    """The bytes of a place; none where the message cannot be read or lacks it."""
    if byte := _BYTE.fullmatch(place):
        at = int(byte[1])
        return [(at - 1, at)] if 0 < at <= len(raw) else []
    path = _PATH.fullmatch(place)
    if path is None or source is None:
        return []
    try:
        adapter = registry.find(source.adapter)
        found = _place(adapter.read(raw, source), path)
        return [] if found is None else [_visible(adapter.locate(raw, source, found))]
    except HubError:
        return []


def _visible(span: Span) -> Span:
    """Of an empty field the separators around it."""
    start, end = span
    return span if start < end else (max(0, start - 1), end + 1)


def _place(record: Record, path: re.Match[str]) -> Place | None:
    name, number, field, repetition, component, subcomponent = path.groups()
    named = [n for n, segment in enumerate(record.segments) if segment.name == name]
    wanted = int(number or 1) - 1
    if not 0 <= wanted < len(named):
        return None
    return Place(
        named[wanted],
        int(field),
        int(repetition) - 1 if repetition else 0 if component else -1,
        int(component or 0),
        int(subcomponent or 0),
    )


def charset(raw: bytes, source: Source | None) -> str:
    """The charset that the adapter reads the bytes in; the source's default for what is no
    message."""
    if source is None:
        return "utf-8"
    try:
        return registry.find(source.adapter).read(raw, source).charset
    except HubError:
        return source.charset
