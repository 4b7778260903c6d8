"""The city on disk: what each source sends, and the truth beside it.

A file SOURCE.mllp holds MLLP frames (0x0B message 0x1C 0x0D) in order of time, as ``healthhub
load`` reads them; feeds/SOURCE what the others send: files of tables, a database with views, or
messages as files. ``people.ndjson`` says which patient numbers stand for which resident,
``errors.ndjson`` which errors were planted where, ``counts.json`` what the feeds tell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import orjson

from healthhub.city import moments
from healthhub.city.channels import Http, Place
from healthhub.city.journal import PersonTruth
from healthhub.city.sent import Sent
from healthhub.city.settings import SOURCES, as_toml, settings
from healthhub.city.story import Story
from healthhub.city.system import System
from healthhub.city.systems import SYSTEMS
from healthhub.city.tables import writer

_HOUSES = {"a": "hospital-a", "b": "hospital-b", "c": "maternity"} | {
    system.house: system.about.institution for system in SYSTEMS
}


def write(story: Story, folder: Path) -> Mapping[str, int]:
    """Write everything; gives the counts."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def opened(name: str) -> BinaryIO:
            return stack.enter_context((folder / name).open("wb"))

        frames = {source: opened(f"{source}.mllp") for source in SOURCES}
        beside = {
            system.source: stack.enter_context(_Beside(system, folder)) for system in SYSTEMS
        }
        people, errors = opened("people.ndjson"), opened("errors.ndjson")

        def met(truth: PersonTruth) -> None:
            people.write(orjson.dumps(person_line(truth)) + b"\n")

        for sent in story.messages(met):
            if sent.source in frames:
                frames[sent.source].write(b"\x0b" + sent.raw + b"\x1c\r")
            else:
                beside[sent.source].put(sent)
            if sent.planted:
                errors.write(orjson.dumps(error_line(sent)) + b"\n")
        for line in silences(story):
            errors.write(orjson.dumps(line) + b"\n")
    counts = dict(sorted(story.tally.items()))
    (folder / "counts.json").write_bytes(orjson.dumps(counts, option=orjson.OPT_INDENT_2))
    (folder / "sources.toml").write_text(as_toml(settings()), encoding="utf-8")
    return counts


class _Beside:
    """What one of the other systems sends: files of its folder, its database, or a file for
    each message, in a folder for each month."""

    def __init__(self, system: System, folder: Path) -> None:
        place = Place(folder, {})
        self._folder = place.feed(system.source)
        self._writer = writer(system.channel, system.source, place)
        self._suffix = system.channel.suffix if isinstance(system.channel, Http) else ""

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.flush()
            self._writer.close()

    def put(self, sent: Sent) -> None:
        """A row or a message."""
        if self._writer is not None:
            self._writer.put(sent)
            return
        month = self._folder / moments.digits8(sent.at)[:6]
        month.mkdir(parents=True, exist_ok=True)
        suffix = f"-{sent.planted}" if sent.planted else ""
        (month / f"{sent.at}-{sent.control}{suffix}{self._suffix}").write_bytes(sent.raw)


def silences(story: Story) -> Iterator[dict[str, object]]:
    """The sources that have fallen silent, as ``errors.ndjson`` tells of them."""
    for system in story.systems:
        since = system.silent_since(story.until)
        if since is not None:
            at = moments.aware(since).isoformat()
            yield {"error": "silent", "source": system.source, "at": at}


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
