"""Objects in the DICOM JSON model (PS3.18 annex F): metadata without pixel data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapters.dicom import part10
from adapters.dicom.tree import MOST_TEXT, MOST_VALUES, Tree, as_code, join_moments
from adapters.hl7v3.node import Node
from healthhub.adapter_api import BadMessage

MOST_DEPTH = part10.MOST_DEPTH * 3
_BLANK = re.compile(r"[ \t\r\n]*")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_PLACELESS = (0, 0)


@dataclass(slots=True)
class Value:
    """A JSON value with the characters that it stands on. Of an object ``members``, of an array
    ``entries`` hold what is inside."""

    start: int
    end: int
    plain: Any = None
    members: dict[str, Value] = field(default_factory=dict[str, "Value"])
    entries: list[Value] = field(default_factory=list["Value"])


class _Scanner:
    """Reads JSON and remembers where each value stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = json.JSONDecoder().raw_decode
        self._count = 0

    def value(self, at: int, depth: int = 0) -> Value:
        """The value that begins at a character, blanks passed over."""
        at = self.blank(at)
        self._count += 1
        if depth > MOST_DEPTH or self._count > part10.MOST_ELEMENTS:
            raise self._wrong(at, "is nested or filled beyond all use")
        opening = self.text[at : at + 1]
        if opening == "{":
            return self._object(at, depth)
        if opening == "[":
            return self._array(at, depth)
        try:
            plain, end = self._plain(self.text, at)
        except (json.JSONDecodeError, RecursionError, ValueError):
            raise self._wrong(at, "is no JSON") from None
        return Value(at, end, plain)

    def blank(self, at: int) -> int:
        """Past blanks."""
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def _object(self, at: int, depth: int) -> Value:
        found = Value(at, at)
        at = self.blank(at + 1)
        while self.text[at : at + 1] != "}":
            key = self.value(at, depth + 1)
            at = self.blank(key.end)
            if not isinstance(key.plain, str) or self.text[at : at + 1] != ":":
                raise self._wrong(at, "is no member of an object")
            inner = self.value(at + 1, depth + 1)
            found.members[key.plain] = inner
            at = self._next(inner.end, "}")
        found.end = at + 1
        return found

    def _array(self, at: int, depth: int) -> Value:
        found = Value(at, at)
        at = self.blank(at + 1)
        while self.text[at : at + 1] != "]":
            inner = self.value(at, depth + 1)
            found.entries.append(inner)
            at = self._next(inner.end, "]")
        found.end = at + 1
        return found

    def _next(self, at: int, closing: str) -> int:
        at = self.blank(at)
        if self.text[at : at + 1] == ",":
            return self.blank(at + 1)
        if self.text[at : at + 1] != closing:
            raise self._wrong(at, f"has neither a comma nor {closing}")
        return at

    def _wrong(self, at: int, what: str) -> BadMessage:
        byte = len(self.text[:at].encode("utf-8", "surrogatepass")) + 1
        return BadMessage(
            f"the DICOM JSON {what} at byte {byte}; send it as PS3.18 annex F has it",
            condition="102",
            place=f"byte {byte}",
        )


def looks_like(raw: bytes) -> bool:
    """Whether bytes are JSON rather than a file."""
    return raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def split(body: bytes) -> Iterator[bytes]:
    """The objects of an array, byte for byte; what is no array comes back whole."""
    try:
        text = body.decode("utf-8-sig")
        scanner = _Scanner(text)
        whole = scanner.value(0)
    except (UnicodeDecodeError, BadMessage):
        yield body
        return
    if not whole.entries or scanner.blank(whole.end) != len(text):
        yield body
        return
    for entry in whole.entries:
        yield text[entry.start : entry.end].encode("utf-8", "surrogatepass")


def read(raw: bytes) -> Tree:
    """The tree of one object; spans count in its bytes."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMessage(
            "the DICOM JSON is not UTF-8 (PS3.18 section 8.7.3.2); send it so",
            condition="102",
            place=f"byte {error.start + 1}",
        ) from None
    scanner = _Scanner(text)
    whole = scanner.value(0)
    if scanner.blank(whole.end) != len(text) or len(whole.entries) > 1:
        raise BadMessage(
            "more than one object stands in the message; send each alone",
            condition="102",
            place="byte 1",
        )
    whole = whole.entries[0] if whole.entries else whole
    if not whole.members:
        raise BadMessage(
            "the DICOM JSON holds no object; send one as PS3.18 annex F has it",
            condition="101",
            place="byte 1",
        )
    tree = Tree()
    tree.root.end = len(raw)
    _grow(tree, whole, tree.root, _Bytes(text, len(raw) - len(text.encode())))
    join_moments(tree)
    return tree


class _Bytes:
    """Characters to bytes, in one pass as the places come in order."""

    def __init__(self, text: str, lead: int) -> None:
        self._text, self._at, self._byte = text, 0, lead
        self._ascii = text.isascii()
        self._lead = lead

    def span(self, value: Value) -> tuple[int, int]:
        """The bytes of a value."""
        start = self.byte(value.start)
        return start, start + len(self._text[value.start : value.end].encode())

    def byte(self, at: int) -> int:
        """The byte at which a character begins."""
        if self._ascii:
            return at + self._lead
        if at < self._at:
            self._at, self._byte = 0, self._lead
        self._byte += len(self._text[self._at : at].encode("utf-8", "surrogatepass"))
        self._at = at
        return self._byte


def _grow(tree: Tree, dataset: Value, parent: Node, places: _Bytes) -> None:
    for key, attribute in dataset.members.items():
        values = attribute.members.get("Value")
        if not _TAG.fullmatch(key) or values is None:
            continue
        name = part10.name_of(int(key, 16))
        if int(key, 16) == part10.PER_FRAME:
            continue
        vr = attribute.members.get("vr")
        kind = vr.plain if vr is not None and isinstance(vr.plain, str) else ""
        for entry in values.entries[:MOST_VALUES]:
            span = places.span(entry)
            if kind == "SQ":
                item = tree.add(name, parent, span)
                _grow(tree, entry, item, places)
                as_code(item)
            elif entry.members:
                groups = [
                    _text(entry.members.get(g))
                    for g in ("Alphabetic", "Ideographic", "Phonetic")
                ]
                tree.person(name, parent, span, groups)
            elif text := _text(entry):
                tree.add(name, parent, span, text)


def _text(value: Value | None) -> str:
    """A scalar as a file would write it."""
    if value is None or value.plain is None or isinstance(value.plain, bool):
        return ""
    plain = value.plain
    text = f"{plain:.10g}" if isinstance(plain, float) else str(plain)
    if len(text) > MOST_TEXT:
        return ""
    whole = text.encode("utf-8", "replace").decode()  # half a character (\\ud800) is none
    return whole.replace("\0", "").strip()
