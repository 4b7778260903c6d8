"""The city on disk: a feed file for each source, and the truth beside them.

A feed file holds MLLP frames (0x0B message 0x1C 0x0D) in order of time, as ``healthhub feed``
reads them. ``people.ndjson`` says which patient numbers stand for which resident,
``errors.ndjson`` which errors were planted where, ``counts.json`` what the feeds tell of.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import orjson

from healthhub.city import moments
from healthhub.city.journal import PersonTruth
from healthhub.city.sent import Sent
from healthhub.city.settings import SOURCES, as_toml, settings
from healthhub.city.story import Story

_HOUSES = {"a": "hospital-a", "b": "hospital-b", "c": "maternity"}


def write(story: Story, folder: Path) -> Mapping[str, int]:
    """Write everything; gives the counts."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def opened(name: str) -> BinaryIO:
            return stack.enter_context((folder / name).open("wb"))

        feeds = {source: opened(f"{source}.mllp") for source in SOURCES}
        people, errors = opened("people.ndjson"), opened("errors.ndjson")

        def met(truth: PersonTruth) -> None:
            people.write(orjson.dumps(person_line(truth)) + b"\n")

        for sent in story.messages(met):
            feeds[sent.source].write(b"\x0b" + sent.raw + b"\x1c\r")
            if sent.planted:
                errors.write(orjson.dumps(error_line(sent)) + b"\n")
    counts = dict(sorted(story.tally.items()))
    (folder / "counts.json").write_bytes(orjson.dumps(counts, option=orjson.OPT_INDENT_2))
    (folder / "sources.toml").write_text(as_toml(settings()), encoding="utf-8")
    return counts


def person_line(truth: PersonTruth) -> dict[str, object]:
    """A resident as ``people.ndjson`` tells it."""
    resident = truth.resident
    return {
        "person": resident.person,
        "name": resident.name,
        "sex": resident.sex,
        "birth": resident.birth.isoformat(),
        "resident_id": resident.number,
        "family": resident.ordinal // 8,
        "twin_of": resident.twin or None,
        "mother": resident.mother or None,
        "patients": [
            {"institution": _HOUSES[house], "number": number, "planted": planted or None}
            for house, number, planted in truth.numbers
        ],
    }


def error_line(sent: Sent) -> dict[str, object]:
    """A planted error as ``errors.ndjson`` tells it."""
    return {
        "error": sent.planted,
        "source": sent.source,
        "kind": sent.kind,
        "control": sent.control,
        "at": moments.aware(sent.at).isoformat(),
        "person": sent.person or None,
        "where": sent.detail or None,
        "accepted": sent.accepted,
    }
