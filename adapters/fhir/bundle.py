"""FHIR JSON read exactly: numbers keep their digits, each resource of a Bundle knows its bytes.

Refused, each by byte: what is no JSON, a name given twice (which of the two is meant?), numbers
without measure, and what is not a resource. http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from adapters.device.scan import Text
from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.record import Given

MOST_BYTES = 16 * 2**20
MOST_ENTRIES = 20_000
MOST_DIGITS = 40
_BLANK = re.compile(r"[ \t\r\n]*")
_REFERENCE = re.compile(r"(?:.*/)?Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?")
_URN = "urn:uuid:"
_CONDITIONS = ("ifNoneExist", "ifMatch", "ifNoneMatch")


@dataclass(frozen=True, slots=True)
class Read:
    """A Bundle or resource: its kind (``transaction``, ``Patient``), number, time, resources."""

    kind: str
    control: str
    at: str
    given: tuple[Given, ...]


def read(raw: bytes, charset: str) -> Read:
    """The resources of a message; raises BadMessage with the byte."""
    if len(raw) > MOST_BYTES:
        raise _bad(
            f"a message is over {MOST_BYTES} bytes; send fewer resources in one", MOST_BYTES
        )
    return _Reader(Text(raw, charset), len(raw)).read()


def patient(given: Given) -> str:
    """The partner's number of the patient that a resource is, or speaks of; empty: none."""
    body = given.resource
    if body.get("resourceType") == "Patient":
        return plain(body.get("id") or given.address.removeprefix(_URN))
    for name in ("subject", "patient", "beneficiary"):
        reference = body.get(name)
        said = (
            cast(dict[str, Any], reference).get("reference")
            if isinstance(reference, dict)
            else ""
        )
        found = _REFERENCE.fullmatch(said) if isinstance(said, str) else None
        if found:
            return found[1]
    return ""


class _Reader:
    """One text being read."""

    def __init__(self, source: Text, size: int) -> None:
        self._source, self._text, self._size = source, source.text, size
        self._decoder = json.JSONDecoder(
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
        self._spans: list[tuple[int, int]] = []

    def read(self) -> Read:
        start = self._blank(0)
        if self._text[start : start + 1] != "{":
            raise self._wrong("a message is a Bundle or another resource: a JSON object", start)
        members, end = self._members(start, {"entry": self._entries})
        end = self._blank(end)
        if end < len(self._text):
            raise self._wrong("something stands behind the resource", end)
        kind = members.get("resourceType")
        if not isinstance(kind, str) or not re.fullmatch("[A-Z][A-Za-z]{1,40}", kind):
            raise self._wrong("resourceType is missing", start)
        at = _time(members)
        if kind != "Bundle":
            if self._spans:
                raise self._wrong("entry stands in a Bundle only", start)
            given = Given(members, kind, (self._byte(start), self._size), at=at)
            return Read(kind, plain(members.get("id")), at, (given,))
        return self._bundle(members, at)

    def _bundle(self, members: dict[str, Any], at: str) -> Read:
        timestamp = members.get("timestamp")
        at = timestamp if isinstance(timestamp, str) else at
        identifier = members.get("identifier")
        control = identifier.get("value") if isinstance(identifier, dict) else members.get("id")
        kind = members.get("type")
        found = [
            self._given(number, entry, span, at)
            for number, (entry, span) in enumerate(
                zip(members.get("entry", ()), self._spans, strict=True)
            )
        ]
        named = (
            kind if isinstance(kind, str) and re.fullmatch("[a-z-]{1,30}", kind) else "Bundle"
        )
        return Read(named, plain(control), at, tuple(found))

    def _given(
        self, number: int, entry: dict[str, Any], span: tuple[int, int], at: str
    ) -> Given:
        place = f"Bundle.entry[{number}]"
        resource, request = entry.get("resource", {}), entry.get("request", {})
        response = entry.get("response", {})
        for name, part in (
            ("resource", resource),
            ("request", request),
            ("response", response),
        ):
            if not isinstance(part, dict):
                raise self._at_byte(f"{place}.{name} is no object", span[0])
        said = [
            part if isinstance(part, str) else ""
            for part in (
                entry.get("fullUrl"),
                request.get("method"),
                request.get("url"),
                response.get("lastModified"),
            )
        ]
        asked = [request.get(name, "") for name in _CONDITIONS]
        for name, condition in zip(_CONDITIONS, asked, strict=True):
            if not isinstance(condition, str):
                raise self._at_byte(f"{place}.request.{name} is no text", span[0])
        where = f"{place}.resource" if resource else place
        return Given(resource, where, span, said[0], said[1], said[2], said[3] or at, *asked)

    def _entries(self, at: int) -> tuple[list[dict[str, Any]], int]:
        """The entries of a Bundle, from the bracket on; the span of each resource is noted."""
        entries: list[dict[str, Any]] = []
        self._expect(at, "[")
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "]":
            return entries, at + 1
        while True:
            self._expect(at, "{")
            if len(entries) >= MOST_ENTRIES:
                raise self._wrong(f"there are more than {MOST_ENTRIES} entries", at)
            whole, inner = at, list[tuple[int, int]]()

            def resource(start: int, inner: list[tuple[int, int]] = inner) -> tuple[Any, int]:
                value, end = self._value(start)
                inner.append((start, end))
                return value, end

            entry, at = self._members(at, {"resource": resource})
            start, end = inner[0] if inner else (whole, at)
            self._spans.append((self._byte(start), self._byte(end)))
            entries.append(entry)
            at = self._blank(at)
            if self._text[at : at + 1] == "]":
                return entries, at + 1
            self._expect(at, ",")
            at = self._blank(at + 1)

    def _members(
        self, at: int, special: dict[str, Callable[[int], tuple[Any, int]]]
    ) -> tuple[dict[str, Any], int]:
        """The members of an object, from its brace on; some are read by a way of their own."""
        found: dict[str, Any] = {}
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "}":
            return found, at + 1
        while True:
            self._expect(at, '"')
            name, end = self._value(at)
            if name in found:
                raise self._wrong("a name stands twice in an object", at)
            at = self._blank(end)
            self._expect(at, ":")
            at = self._blank(at + 1)
            found[name], at = special.get(name, self._value)(at)
            at = self._blank(at)
            if self._text[at : at + 1] == "}":
                return found, at + 1
            self._expect(at, ",")
            at = self._blank(at + 1)

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise self._wrong("this is no JSON", error.pos) from None
        except _Refused as error:
            raise self._wrong(str(error), at) from None
        except RecursionError:
            raise self._wrong("values lie too deep", at) from None

    def _expect(self, at: int, sign: str) -> None:
        if self._text[at : at + 1] != sign:
            raise self._wrong(f"{sign} is missing", at)

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _byte(self, at: int) -> int:
        return self._source.byte(at)

    def _wrong(self, what: str, at: int) -> BadMessage:
        return self._at_byte(what, self._byte(min(at, len(self._text))))

    def _at_byte(self, what: str, byte: int) -> BadMessage:
        return _bad(f"{what}; correct what builds the JSON", byte)


class _Refused(Exception):
    """What JSON allows and no resource may hold."""


def _bad(what: str, byte: int) -> BadMessage:
    return BadMessage(what, condition="102", place=f"byte {byte + 1}")


def plain(text: Any) -> str:
    """A text that people may search by; what no text of theirs holds is left out."""
    return text if isinstance(text, str) and text.isprintable() else ""


def _time(members: dict[str, Any]) -> str:
    meta = members.get("meta")
    said = cast(dict[str, Any], meta).get("lastUpdated") if isinstance(meta, dict) else ""
    return said if isinstance(said, str) else ""


def _decimal(text: str) -> Decimal:
    exponent = text.lower().partition("e")[2]
    if len(text) > MOST_DIGITS or (exponent and abs(int(exponent)) > MOST_DIGITS):
        raise _Refused("a number is without measure")
    return Decimal(text)


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise _Refused("a number is without measure")
    return int(text)


def _constant(_text: str) -> Any:
    raise _Refused("this is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a name stands twice in an object")
    return found
