"""Field access against hl7apy, an independent parser, on every message of the corpora."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import InvalidName
from hl7apy.parser import parse_segment
from hl7v2_feeds import Feed, corpus

from adapters.hl7v2 import ADAPTER
from healthhub.adapter_api.record import Segment
from healthhub.adapter_api.text import part

KNOWN = (
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.8",
    "2.8.1",
    "2.8.2",
)
OTHERS = ("2.6", "2.8.2")
"""hl7apy closes the gaps before components that a version lacks, and from 2.7 on takes # for a
delimiter; where it does, another version is asked."""


def _differences(segment: Segment, version: str) -> list[str]:
    """What hl7apy reads otherwise. It numbers the fields and components that its version of
    the standard has, and keeps those beyond without a number, in order."""
    level = VALIDATION_LEVEL.TOLERANT
    try:
        theirs = parse_segment(segment.text, version=version, validation_level=level)
    except InvalidName:
        return [f"{version} has no {segment.name}"]
    numbered: dict[int, list[Any]] = {}
    beyond: list[str] = []
    for field in theirs.children:
        match = re.fullmatch(r"[A-Z0-9]{3}_(\d+)", field.name or "")
        if match:
            numbered.setdefault(int(match[1]), []).append(field)
        else:
            beyond.append(field.to_er7())
    first = 3 if segment.name == "MSH" else 1
    found: list[str] = []
    rest: list[str] = []
    for number in range(first, len(segment.fields)):
        ours = segment.fields[number]
        fields = numbered.get(number)
        if fields is None:
            rest += [repetition for repetition in ours.split("~") if repetition]
            continue
        if [_bare(f.to_er7()) for f in fields] != [_bare(r) for r in ours.split("~")]:
            found.append(f"{segment.name}-{number}")
        for index, field in enumerate(fields):
            found += [
                f"{segment.name}-{number}.{component}"
                for component, text in _components(field)
                if _bare(part(ours, index, component)) != _bare(text)
            ]
    if [_bare(text) for text in beyond if _bare(text)] != [_bare(r) for r in rest if _bare(r)]:
        found.append(f"{segment.name} beyond the standard")
    return found


def _components(field: Any) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for component in field.children:
        match = re.fullmatch(r"[A-Z]+_(\d+)", component.name or "")
        if match and component.to_er7():
            found.append((int(match[1]), component.to_er7()))
    return found


def _bare(text: str) -> str:
    return text.strip().rstrip("^&~").strip()


@pytest.mark.skipif(not corpus(), reason="the corpora are not beside the repository")
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_fields_are_those_that_an_independent_parser_reads(path: Path) -> None:
    feed = Feed("gb18030" if "gb18030" in path.name else "utf-8")
    record = ADAPTER.read(path.read_bytes(), feed)
    stated = part(record.segments[0].field(12), 0, 1)
    versions = [stated if stated in KNOWN else "2.5.1", *OTHERS]
    problems = {
        f"{segment.name}[{segment.index}]": found
        for segment in record.segments
        if all(found := _differences(segment, version) for version in versions)
    }
    assert problems == {}
