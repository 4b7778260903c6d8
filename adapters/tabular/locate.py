"""The bytes of a message of rows that a cell stands on."""

from __future__ import annotations

import json

from healthhub.adapter_api.record import Place, Span

_STRING = json.JSONDecoder().raw_decode


def locate(raw: bytes, place: Place) -> Span:
    """The span of a cell's text, without its quotes. ``place.field`` is the cell's number in
    the row as kept; 0 stands for the whole row, as does a cell that is only implied."""
    lines = raw.split(b"\n")
    filled = [number for number, line in enumerate(lines) if number and line]
    number = filled[place.segment]
    start = sum(len(line) + 1 for line in lines[:number])
    spans = _cells(lines[number].decode("utf-8"))
    if not 0 < place.field <= len(spans):
        return start, start + len(lines[number])
    text = lines[number].decode("utf-8")
    first, last = (len(text[:edge].encode()) for edge in spans[place.field - 1])
    return start + first, start + last


def _cells(line: str) -> list[tuple[int, int]]:
    """Start and end of each cell's text, in characters, of ``["PAT",{"a":"x","b":null}]``."""
    spans: list[tuple[int, int]] = []
    at = line.index("{") + 1
    while line[at] != "}":
        _, at = _STRING(line, at)
        at += 1
        if line[at] == '"':
            start = at + 1
            _, at = _STRING(line, at)
            spans.append((start, at - 1))
        else:
            spans.append((at, at + len("null")))
            at += len("null")
        if line[at] == ",":
            at += 1
    return spans
