"""JSON as a tree that knows its bytes: bounded while it is read, every value as it was written.

An object's members are elements of their names, an array's items are elements of the array's name
one after the other. An array of many numbers (the samples of a curve) is one value, its numbers
with blanks between them. ``null`` says nothing. In a name, what no path can spell (blanks, signs)
stands as ``_``.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

from adapters.hl7v3.node import Node
from adapters.tree import Piece, Tree
from healthhub.adapter_api import BadMessage

MOST_BYTES = 8 * 2**20
MOST_DEPTH = 24
MOST_VALUES = 50_000
CURVE = 12
"""From so many numbers on an array is one value."""
_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(true|false|null)\b|([\[\]{},:]))"
)
_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?"
_NUMBERS = re.compile(rf"\[\s*(?:{_NUMBER}\s*,\s*){{{CURVE - 1},}}{_NUMBER}\s*\]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_UNSPELLABLE = re.compile(r"[^\w:-]+")
_LONGEST_NUMBER = 40


class Text:
    """A body's text, and where its characters stand among its bytes."""

    def __init__(self, raw: bytes, charset: str) -> None:
        self.codec = "utf-8"
        raw_text = raw.removeprefix(b"\xef\xbb\xbf")
        self._before = len(raw) - len(raw_text)
        try:
            self.text = raw_text.decode("utf-8")
        except UnicodeDecodeError as error:
            self.text = _in_charset(raw_text, charset, error.start + self._before)
            self.codec = charset
        self._plain = self.text.isascii()
        self._marks = [(0, self._before)]

    def byte(self, at: int) -> int:
        """The byte at which a character begins. Asked in order, each piece is measured once."""
        if self._plain:
            return at + self._before
        index = bisect_right(self._marks, (at, 1 << 62)) - 1
        start, byte = self._marks[index]
        if start == at:
            return byte
        byte += len(self.text[start:at].encode(self.codec))
        if index == len(self._marks) - 1:
            self._marks.append((at, byte))
        return byte


def _in_charset(raw: bytes, charset: str, failed: int) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError:
        raise BadMessage(
            f"the JSON is neither UTF-8 nor {charset}; send UTF-8, or set the source's charset",
            condition="102",
            place=f"byte {failed + 1}",
        ) from None


def messages(raw: bytes, charset: str) -> Iterator[bytes]:
    """The readings of a body: items of an array, lines or values one after the other (NDJSON), or
    the body whole. What cannot be read comes as it is, to be refused with its place."""
    try:
        source = Text(raw, charset)
    except BadMessage:
        yield raw
        return
    text, decoder = source.text, json.JSONDecoder()
    at = _blank(text, 0)
    within = text[at : at + 1] == "["
    at = _blank(text, at + 1) if within else at
    found = False
    while at < len(text):
        if within and text[at] == "]":
            break
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            line = text.find("\n", at)
            end = len(text) if within or line < 0 else line
        found = True
        yield raw[source.byte(at) : source.byte(end)]
        at = _blank(text, end)
        if within and text[at : at + 1] == ",":
            at = _blank(text, at + 1)
    if not found:
        yield raw


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def read(raw: bytes, charset: str) -> Tree:
    """The tree of one JSON object; raises BadMessage with the byte."""
    if len(raw) > MOST_BYTES:
        raise BadMessage(
            f"the reading is over {MOST_BYTES} bytes; send its readings one by one",
            condition="102",
            place=f"byte {MOST_BYTES + 1}",
        )
    return _Scanner(Text(raw, charset), len(raw)).tree()


class _Scanner:
    """One text being read."""

    def __init__(self, source: Text, size: int) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._count = 0
        self._tree = Tree("reading", 0, size)

    def tree(self) -> Tree:
        """The tree of the whole."""
        kind, _, _ = self._next()
        if kind != "{":
            raise self._wrong("a reading is a JSON object, with its names in quotes")
        self._members(self._tree.root, 1)
        if self._text[self._at :].strip():
            raise self._wrong("something stands behind the reading")
        return self._tree.finish()

    def _next(self) -> tuple[str, str, int]:
        """Kind, text and place of the next token; of a sign the kind is the sign itself."""
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise self._wrong("this is no JSON")
        self._at = match.end()
        for number, kind in ((1, "text"), (2, "number"), (3, "word")):
            if match[number] is not None:
                return kind, match[number], match.start(number)
        return match[4], match[4], match.start(4)

    def _members(self, parent: Node, depth: int) -> None:
        """The members of an object whose brace has been read."""
        first = True
        while True:
            kind, text, at = self._next()
            if kind == "}" and first:
                return
            if kind != "text":
                raise self._wrong("a name in quotes is missing", at)
            if self._next()[0] != ":":
                raise self._wrong("a colon is missing")
            name = _UNSPELLABLE.sub("_", json.loads(text)).strip("_")[:80] or "_"
            self._value(parent, name, depth)
            kind, _, at = self._next()
            first = False
            if kind == "}":
                return
            if kind != ",":
                raise self._wrong("a comma or a closing brace is missing", at)

    def _value(self, parent: Node, name: str, depth: int) -> None:
        curve = (
            _NUMBERS.match(self._text, self._text.find("[", self._at))
            if self._array()
            else None
        )
        if curve is not None:
            self._at = curve.end()
            data = " ".join(part.strip() for part in curve[0][1:-1].split(","))
            self._leaf(parent, name, data, curve.start(), curve.end())
            return
        kind, text, at = self._next()
        if kind == "{":
            self._deep(depth)
            branch = self._tree.branch(parent, name, self._source.byte(at))
            self._members(branch, depth + 1)
            branch.end = self._source.byte(self._at)
        elif kind == "[":
            self._deep(depth)
            self._items(parent, name, depth + 1)
        elif kind == "text":
            self._leaf(parent, name, json.loads(text), at + 1, self._at - 1)
        elif kind == "number" and len(text) <= _LONGEST_NUMBER:
            self._leaf(parent, name, text, at, self._at)
        elif kind == "word":
            self._leaf(parent, name, "" if text == "null" else text, at, self._at)
        else:
            raise self._wrong("a value is missing, or is no value", at)

    def _array(self) -> bool:
        at = _blank(self._text, self._at)
        return self._text[at : at + 1] == "["

    def _items(self, parent: Node, name: str, depth: int) -> None:
        """The items of an array whose bracket has been read."""
        at = _blank(self._text, self._at)
        if self._text[at : at + 1] == "]":
            self._at = at + 1
            return
        while True:
            self._value(parent, name, depth)
            kind, _, at = self._next()
            if kind == "]":
                return
            if kind != ",":
                raise self._wrong("a comma or a closing bracket is missing", at)

    def _leaf(self, parent: Node, name: str, text: str, start: int, end: int) -> None:
        self._counted()
        if _NO_TEXT.search(text):
            raise self._wrong("a text holds a control character, or half a character", start)
        piece = Piece(text.strip(), self._source.byte(start), self._source.byte(end))
        self._tree.leaf(parent, name, piece)

    def _deep(self, depth: int) -> None:
        self._counted()
        if depth >= MOST_DEPTH:
            raise self._wrong(f"values lie {MOST_DEPTH} deep")

    def _counted(self) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            raise self._wrong(f"there are more than {MOST_VALUES} values; send fewer at a time")

    def _wrong(self, what: str, at: int | None = None) -> BadMessage:
        place = self._at if at is None else at
        return BadMessage(
            f"{what}; correct what builds the reading",
            condition="102",
            place=f"byte {self._source.byte(min(place, len(self._text))) + 1}",
        )
