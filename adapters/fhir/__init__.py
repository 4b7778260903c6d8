"""The adapter for partners that speak FHIR R4: a Bundle, a single resource, or one on each line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from adapters.fhir import bundle
from healthhub.adapter_api import BadMessage, Feed, Outcome
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.model.message import Envelope

MOST = 16
MOST_REMEMBERED = 2**20
_LINE = re.compile(rb"[^\n]+")
_ISSUES = {
    "accept": ("information", "informational"),
    "error": ("error", "transient"),
    "reject": ("error", "structure"),
}


class Fhir:
    """healthhub.adapter_api.Adapter for FHIR itself."""

    name = "fhir"
    media_type = "application/fhir+json"
    most_bytes = 64 * 2**20

    def split(self, body: bytes) -> Iterator[bytes]:
        """The lines of NDJSON, or the body whole: the parts of a Bundle refer to one another."""
        begins = (_begins(line) for line in _lines(body))
        if next(begins, False) and next(begins, False) and all(begins):
            yield from _lines(body)
        else:
            yield body

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """What the Bundle or resource says of itself; its first patient keeps the order."""
        read = _read(raw, feed.charset)
        ids = [bundle.plain(given.resource.get("id")) for given in read.given]
        patient = next(filter(None, map(bundle.patient, read.given)), "")
        return Envelope(
            kind=f"FHIR^{read.kind}",
            control=read.control[:200],
            patient=patient[:200],
            at=_moment(read.at),
            numbers=tuple(dict.fromkeys(n for n in (patient, *ids) if 0 < len(n) <= 64))[:MOST],
        )

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The resources, each with its bytes; there is nothing for rules to read."""
        read = _read(raw, feed.charset)
        return Record(f"FHIR^{read.kind}", (), at=read.at, given=read.given)

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """The bytes of the resource with this number."""
        return _read(raw, feed.charset).given[place.segment].span

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """An OperationOutcome with one issue."""
        severity, code = _ISSUES[outcome]
        said = text or "kept; it is processed now"
        place = f"{error.place}: " if error and error.place else ""
        return _outcome([{"severity": severity, "code": code, "diagnostics": place + said}])

    def joined(self, acknowledgements: Sequence[bytes]) -> bytes:
        """One OperationOutcome with an issue for each message, in their order."""
        found = [orjson.loads(one)["issue"][0] for one in acknowledgements]
        return _outcome(found)


def _outcome(issues: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": issues})


def _lines(body: bytes) -> Iterator[bytes]:
    """The lines that hold something, one by one: millions may be empty."""
    return (line for found in _LINE.finditer(body) if (line := found[0].strip()))


def _begins(line: bytes) -> bool:
    return line.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _read(raw: bytes, charset: str) -> bundle.Read:
    """A message is read for its envelope and again for its resources; a large one is not held
    for that until the next comes."""
    return (_remembered if len(raw) <= MOST_REMEMBERED else bundle.read)(raw, charset)


@lru_cache(maxsize=1)
def _remembered(raw: bytes, charset: str) -> bundle.Read:
    return bundle.read(raw, charset)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


ADAPTER = Fhir()
