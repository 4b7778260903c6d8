"""The bytes that a place of a document stands on, and how people write that place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from adapters.hl7v3.document import Document, read
from adapters.hl7v3.node import Node
from adapters.hl7v3.values import parts, value
from adapters.hl7v3.ways import Found, found
from healthhub.adapter_api import Feed
from healthhub.adapter_api.record import Place, Span

_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")

STRUCTURE = frozenset(
    (
        "classCode",
        "moodCode",
        "typeCode",
        "determinerCode",
        "contextControlCode",
        "inversionInd",
        "codeSystem",
        "codeSystemName",
        "codeSystemVersion",
        "root",
        "xsi:type",
        "ITSVersion",
    )
)
"""Attributes that say how a document is built: that no rule reads them is no gap."""


def locate(raw: bytes, feed: Feed, place: Place) -> Span:
    """Start and end byte in ``raw``."""
    document = _read(raw, feed.charset)
    node, attribute = _target(document.nodes[place.segment], place)
    return document.outer(*span(document.data, node, attribute, whole=not place.component))


@lru_cache(maxsize=1)
def _read(raw: bytes, charset: str) -> Document:
    """An explanation asks for hundreds of places of one message."""
    return read(raw, charset)


def _target(node: Node, place: Place) -> Found:
    """The element and attribute of a place; the element itself if it has no such part."""
    if not place.field:
        return node, ""
    reached = [f for f in found(node, place.field) if value(*f)]
    if not reached:
        return node, ""
    target, attribute = reached[max(place.repetition, 0)]
    if attribute or not place.component:
        return target, attribute
    pieces = parts(target)
    if place.component > len(pieces):
        return target, ""
    _, holder, name = pieces[place.component - 1]
    return holder, name


def span(data: bytes, node: Node, attribute: str, *, whole: bool) -> Span:
    """Bytes of an attribute's value, of a text, or of an element from tag to tag."""
    if attribute:
        wanted = attribute.encode("utf-8")
        for match in _ATTRIBUTE.finditer(data, node.start):
            if match[1] == wanted:
                return match.start(2) + 1, match.end(2) - 1
    if node.texts and not (whole and node.children):
        return _text(data, node)
    close = data.find(b">", node.end) + 1
    return node.start, max(close, node.start + 1)


def _text(data: bytes, node: Node) -> Span:
    first_at, first = node.texts[0]
    last_at, last = node.texts[-1]
    start = first_at + len(first.encode()) - len(first.lstrip().encode())
    if data[last_at : last_at + 1] == b"&" and len(last) == 1:
        return start, data.find(b";", last_at) + 1
    return start, max(last_at + len(last.rstrip().encode()), start)


def written(document: Document, place: Place) -> str:
    """``/ClinicalDocument/recordTarget/patientRole/id[2]/@extension``."""
    node, attribute = _target(document.nodes[place.segment], place)
    names: list[str] = []
    at: Node | None = node
    while at is not None:
        alike = [c for c in at.parent.children if c.name == at.name] if at.parent else [at]
        number = next(i for i, c in enumerate(alike, 1) if c is at)
        names.append(at.name if len(alike) == 1 else f"{at.name}[{number}]")
        at = at.parent
    return "/" + "/".join(reversed(names)) + (f"/@{attribute}" if attribute else "")


def valued(document: Document) -> Iterator[str]:
    """The places that hold a text or an attribute, without numbers: ``/a/b/@c``."""
    paths_of: dict[int, str] = {}
    for node in document.nodes:
        above = paths_of[node.parent.index] if node.parent is not None else ""
        path = paths_of[node.index] = f"{above}/{node.name}"
        if node.text.strip():
            yield path
        for name, text in node.attributes.items():
            if text.strip() and name not in STRUCTURE and not name.startswith("xmlns"):
                yield f"{path}/@{name}"
