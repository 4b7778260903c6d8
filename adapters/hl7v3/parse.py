"""Reads XML into a small tree that knows its bytes: expat, without DTDs, within limits.

No document type is accepted, so there are no entities, bombs or foreign files (defusedxml refuses
by the same handlers). Depth, elements, attributes and the length of a text are bounded while the
parser runs, not after it has filled the memory. The same tree serves reading and locating.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any
from xml.parsers import expat

from healthhub.adapter_api import BadMessage

MOST_DEPTH = 128
MOST_ELEMENTS = 200_000
MOST_ATTRIBUTES = 600_000
MOST_TEXT = 64 * 2**20


class Node:
    """One element: local name, attributes, children, texts with the bytes they begin at.

    ``index`` is its place among all elements, ``last`` that of the last one below it, and
    ``named`` the elements of each name in order: so what lies below is found without a walk.
    """

    __slots__ = (
        "attributes",
        "children",
        "end",
        "index",
        "last",
        "name",
        "named",
        "parent",
        "start",
        "texts",
    )

    def __init__(
        self,
        name: str,
        parent: Node | None,
        start: int,
        index: int,
        named: dict[str, list[Node]],
    ) -> None:
        self.name = name
        self.parent = parent
        self.start = start
        self.end = start
        self.index = self.last = index
        self.named = named
        self.attributes: dict[str, str] = {}
        self.children: list[Node] = []
        self.texts: list[tuple[int, str]] = []

    def below(self, name: str) -> list[Node]:
        """All elements of a name at any depth below, in order."""
        found = self.named.get(name)
        if found is None:
            return []
        first = bisect_right(found, self.index, key=_index)
        return found[first : bisect_right(found, self.last, first, key=_index)]

    @property
    def text(self) -> str:
        """Its own text, as it stands."""
        return "".join(text for _, text in self.texts)

    def child(self, name: str) -> Node | None:
        """The first child of a name."""
        return next((child for child in self.children if child.name == name), None)


def _index(node: Node) -> int:
    return node.index


def renumbered(root: Node) -> list[Node]:
    """An element made the root of a tree of its own; its elements in order."""
    nodes: list[Node] = []
    named: dict[str, list[Node]] = {}
    root.parent = None
    first = root.index
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node.index, node.last, node.named = len(nodes), node.last - first, named
        named.setdefault(node.name, []).append(node)
        nodes.append(node)
        waiting += reversed(node.children)
    return nodes


class _Builder:
    """The handlers of one parse."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.named: dict[str, list[Node]] = {}
        self.open: list[Node] = []
        self.attributes = 0
        self.length = 0
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = False
        parser.ordered_attributes = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.doctype
        parser.ExternalEntityRefHandler = self.doctype
        self.parser: Any = parser

    def start(self, name: str, given: list[str]) -> None:
        """An element begins."""
        at = self.parser.CurrentByteIndex
        parent = self.open[-1] if self.open else None
        local = name.rpartition(":")[2] if ":" in name else name
        node = Node(local, parent, at, len(self.nodes), self.named)
        self.named.setdefault(local, []).append(node)
        if given:
            node.attributes = {
                given[i]: given[i + 1]
                for i in range(0, len(given), 2)
                if not given[i].startswith("xmlns")
            }
            self.attributes += len(given) >> 1
        if parent is not None:
            parent.children.append(node)
        self.nodes.append(node)
        self.open.append(node)
        if len(self.open) > MOST_DEPTH:
            raise _large(f"elements lie {MOST_DEPTH} deep", at)
        if len(self.nodes) > MOST_ELEMENTS or self.attributes > MOST_ATTRIBUTES:
            raise _large(
                f"there are more than {MOST_ELEMENTS} elements or {MOST_ATTRIBUTES} attributes",
                at,
            )

    def end(self, name: str) -> None:
        """An element ends."""
        node = self.open.pop()
        node.end = self.parser.CurrentByteIndex
        node.last = len(self.nodes) - 1

    def data(self, text: str) -> None:
        """A piece of text; blanks between elements are nothing."""
        node = self.open[-1]
        if not node.texts and text.isspace():
            return
        self.length += len(text)
        if self.length > MOST_TEXT:
            raise _large(f"the text is longer than {MOST_TEXT} characters", 0)
        node.texts.append((self.parser.CurrentByteIndex, text))

    def doctype(self, *_: Any) -> int:
        """A document type could bring entities, so none is read."""
        raise BadMessage(
            "the document has a DOCTYPE; send it without one, no entity is resolved",
            condition="102",
            place=f"byte {self.parser.CurrentByteIndex + 1}",
        )


def _large(what: str, at: int) -> BadMessage:
    return BadMessage(f"{what}; divide the message", condition="102", place=f"byte {at + 1}")


def parse(data: bytes) -> list[Node]:
    """All elements of UTF-8 XML in order, the root first; raises BadMessage with the byte."""
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BadMessage(
            f"the message is no well-formed XML ({expat.errors.messages.get(error.code, 'error')}); "
            "correct what builds it",
            condition="102",
            place=f"byte {builder.parser.ErrorByteIndex + 1}",
        ) from None
    return builder.nodes
