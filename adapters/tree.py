"""Records whose elements an adapter makes itself, of a recording or of JSON: read by the paths of
XML, and each value knows the bytes that it stands on.

A leaf has pieces, each with a name for people; to rules they are the parts of one value, counted
from 1. An element that holds others has none, unless it is given some.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

from adapters.hl7v3.element import Element
from adapters.hl7v3.node import Node, Whole, numbered
from adapters.hl7v3.ways import Found, found
from healthhub.adapter_api import paths
from healthhub.adapter_api.record import Place, Span
from healthhub.adapter_api.text import escape


class Piece(NamedTuple):
    """A part of a value: its text, the bytes it stands on, and its name. ``parts`` are those of
    a coded one (code, display, system, as functions on codes take them)."""

    text: str
    start: int = 0
    end: int = 0
    name: str = ""
    parts: tuple[str, ...] = ()


class Item(Node):
    """An element, with its pieces."""

    __slots__ = ("pieces",)
    pieces: tuple[Piece, ...]


class Tree:
    """A record being made. ``finish`` numbers its elements in order."""

    def __init__(self, name: str, start: int, end: int) -> None:
        self._whole = Whole()
        self.root = self._item(name, None, start, end)
        self.items: list[Item] = []
        self.amiss: list[tuple[str, str]] = []
        """What was amiss and was mended: code and sentence."""

    def _item(self, name: str, parent: Node | None, start: int, end: int) -> Item:
        item = Item(name, parent, start, 0, self._whole)
        item.end = end
        item.pieces = ()
        if parent is not None:
            parent.take(item)
        return item

    def branch(self, parent: Node, name: str, start: int = 0, end: int = 0) -> Item:
        """An element that holds others."""
        return self._item(name, parent, start, end)

    def leaf(self, parent: Node, name: str, *pieces: Piece) -> Item | None:
        """An element of pieces; none is made if the first says nothing."""
        if not pieces or not pieces[0].text:
            return None
        stood = [piece for piece in pieces if piece.end > piece.start]
        start = min((piece.start for piece in stood), default=0)
        item = self._item(name, parent, start, max((p.end for p in stood), default=0))
        item.pieces = pieces
        item.texts = [(pieces[0].start, pieces[0].text)]
        return item

    def finish(self) -> Tree:
        """Number the elements as they stand in the document's order; nothing is added then."""
        self.items = cast(list[Item], numbered(self.root))
        return self

    def span(self, place: Place) -> Span:
        """The bytes that a place stands on."""
        item, piece = self._target(place)
        return (piece.start, piece.end) if piece and piece.end else (item.start, item.end)

    def written(self, place: Place) -> str:
        """``/ecg/lead[2]/@data``: how people write a place."""
        item, piece = self._target(place)
        names: list[str] = []
        at: Node | None = item
        while at is not None:
            alike = [c for c in at.parent.children if c.name == at.name] if at.parent else [at]
            number = next(i for i, c in enumerate(alike, 1) if c is at)
            names.append(at.name if len(alike) == 1 else f"{at.name}[{number}]")
            at = at.parent
        tail = f"/@{piece.name}" if piece and piece.name else ""
        return "/" + "/".join(reversed(names)) + tail

    def _target(self, place: Place) -> tuple[Item, Piece | None]:
        item = self.items[place.segment]
        if place.field:
            reached = [f for f in found(item, place.field) if _item_of(f).pieces]
            if not reached:
                return item, None
            item = _item_of(reached[max(place.repetition, 0)])
        if not place.component or place.component > len(item.pieces):
            return item, item.pieces[0] if len(item.pieces) == 1 else None
        return item, item.pieces[place.component - 1]

    def valued(self) -> Iterator[str]:
        """The places that hold something, without numbers."""
        above: dict[int, str] = {}
        for item in self.items:
            parent = above[item.parent.index] if item.parent is not None else ""
            path = above[item.index] = f"{parent}/{item.name}"
            if len(item.pieces) == 1:
                yield path
            else:
                yield from (f"{path}/@{piece.name}" for piece in item.pieces if piece.text)

    def first(self, path: str) -> str:
        """The first piece of the first element that a path from the root leads to."""
        for reached in found(self.root, paths.number(path)):
            if pieces := _item_of(reached).pieces:
                return pieces[0].text
        return ""


def _item_of(reached: Found) -> Item:
    return cast(Item, reached[0])  # a tree is made of nothing else


def _value(item: Node, attribute: str) -> str:
    """The canonical text of an element: its pieces as parts."""
    texts = [
        "&".join(map(escape, piece.parts)) if piece.parts else escape(piece.text)
        for piece in cast(Item, item).pieces
    ]
    while texts and not texts[-1]:
        texts.pop()
    return "^".join(texts)


class Grown(Element):
    """An element that rules read."""

    __slots__ = ()

    def __init__(self, item: Node) -> None:
        super().__init__(item, _value)
