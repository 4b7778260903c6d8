"""Reads XML into a small tree that knows its bytes: expat, without DTDs, within limits.

No document type is accepted, so there are no entities, bombs or foreign files (defusedxml refuses
by the same handlers). Depth, elements, attributes and the length of a text are bounded while the
parser runs, not after it has filled the memory. The same tree serves reading and locating; where
little of a document is asked for, the rest of it is only looked through.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from adapters.hl7v3.node import Node, Whole
from healthhub.adapter_api import BadMessage

MOST_DEPTH = 128
MOST_ELEMENTS = 200_000
MOST_ATTRIBUTES = 600_000
MOST_TEXT = 64 * 2**20
DOCUMENT = "ClinicalDocument"


class _Builder:
    """The handlers of one parse."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.whole = Whole()
        self.open: list[Node | None] = []
        self.elements = 0
        self.attributes = 0
        self.length = 0
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = False
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.doctype
        parser.ExternalEntityRefHandler = self.doctype
        self.parser: Any = parser

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        at, nodes, open_ = self.parser.CurrentByteIndex, self.nodes, self.open
        parent = open_[-1] if open_ else None
        local = name.rpartition(":")[2] if ":" in name else name
        node = Node(local, parent, at, len(nodes), self.whole)
        try:
            self.whole.named[local].append(node)
        except KeyError:
            self.whole.named[local] = [node]
        if attributes:
            node.attributes = attributes
        if parent is not None:
            parent.take(node)
        nodes.append(node)
        open_.append(node)
        self.elements += 1
        self.attributes += len(attributes)
        if (
            len(open_) > MOST_DEPTH
            or self.elements > MOST_ELEMENTS
            or self.attributes > MOST_ATTRIBUTES
        ):
            raise self.too_much(at)

    def too_much(self, at: int) -> BadMessage:
        """Which limit an element has broken."""
        if len(self.open) > MOST_DEPTH:
            return _large(f"elements lie {MOST_DEPTH} deep", at)
        return _large(
            f"there are more than {MOST_ELEMENTS} elements or {MOST_ATTRIBUTES} attributes", at
        )

    def end(self, name: str) -> None:
        """An element ends."""
        node = self.open.pop()
        if node is not None:
            node.end = self.parser.CurrentByteIndex
            node.last = len(self.nodes) - 1

    def data(self, text: str) -> None:
        """A piece of text; blanks between elements are nothing."""
        node = self.open[-1]
        if node is None or (not node.texts and text.isspace()):
            return
        self.length += len(text)
        if self.length > MOST_TEXT:
            raise _large(f"the text is longer than {MOST_TEXT} characters", 0)
        node.say(self.parser.CurrentByteIndex, text)

    def doctype(self, *_: Any) -> int:
        """A document type could bring entities, so none is read."""
        raise BadMessage(
            "the document has a DOCTYPE; send it without one, no entity is resolved",
            condition="102",
            place=f"byte {self.parser.CurrentByteIndex + 1}",
        )


class _Sketcher(_Builder):
    """Makes of a document only its root, that one's children, and elements of some names; of
    anything else, which may hold a document, everything."""

    def __init__(self, only: frozenset[str]) -> None:
        super().__init__()
        self._only = only
        self.parser.StartElementHandler = self.begin

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """The root begins."""
        self.start(name, attributes)
        sketched = self.nodes[0].name == DOCUMENT
        self.parser.StartElementHandler = self.pass_over if sketched else self.start

    def pass_over(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins that may not be wanted."""
        local = name.rpartition(":")[2] if ":" in name else name
        if len(self.open) < 2 or local in self._only:
            self.start(name, attributes)
            return
        self.open.append(None)
        self.elements += 1
        self.attributes += len(attributes)
        if (
            len(self.open) > MOST_DEPTH
            or self.elements > MOST_ELEMENTS
            or self.attributes > MOST_ATTRIBUTES
        ):
            raise self.too_much(self.parser.CurrentByteIndex)


def _large(what: str, at: int) -> BadMessage:
    return BadMessage(f"{what}; divide the message", condition="102", place=f"byte {at + 1}")


def parse(data: bytes, only: frozenset[str] = frozenset()) -> list[Node]:
    """All elements of UTF-8 XML in order, the root first; raises BadMessage with the byte.

    With ``only``, those of a document are its root, its children and what has one of these
    names, wherever it stands; the rest is held to the same rules, but not made.
    """
    sketched = only and len(data) <= MOST_TEXT  # its texts are not counted
    builder = _Sketcher(only) if sketched else _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BadMessage(
            f"the message is no well-formed XML ({expat.errors.messages.get(error.code, 'error')}); "
            "correct what builds it",
            condition="102",
            place=f"byte {builder.parser.ErrorByteIndex + 1}",
        ) from None
    finally:
        builder.parser = (
            None  # they know each other, and what was read would wait for the collector
        )
    return builder.nodes
