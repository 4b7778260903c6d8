"""An object as it came, read once: its tree, its picture when somebody asks, its places."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from adapters.dicom import json_model, part10, picture, tree
from adapters.dicom.part10 import File
from adapters.dicom.tree import Tree
from adapters.hl7v3.node import Node
from adapters.hl7v3.values import value
from adapters.hl7v3.ways import found
from healthhub.adapter_api import BadMessage, paths
from healthhub.adapter_api.record import Place, Span

RENDERED = "Rendered"
"""Beside the elements of PS3.6: the picture of an image object, as JPEG in base64."""
PIXELS = "PixelData"
_NO_PREAMBLE = (
    "repaired",
    "the object has no preamble (128 bytes and DICM); it was read from its first element on; let "
    "its sender write files as PS3.10 has them",
)


class Picture(Node):
    """The node whose text is rendered when it is first read."""

    __slots__ = ("_made", "_make")

    def __init__(self, parent: Node, index: int, make: Callable[[], bytes]) -> None:
        super().__init__(RENDERED, parent, parent.start, index, parent.whole)
        self._make = make
        self._made: str | None = None

    @property
    def text(self) -> str:
        """The picture, or nothing."""
        if self._made is None:
            self._made = b64encode(self._make()).decode("ascii")
        return self._made


@dataclass(frozen=True, slots=True)
class Found:
    """An object's tree, and the file that it is of; None if it came as JSON."""

    tree: Tree
    file: File | None

    def span(self, place: Place) -> Span:
        """The bytes of a place: those of the element's value, of an item the sequence's."""
        node = self.node(place)
        if self.file is not None and self.file.deflated is not None:
            return self.file.deflated
        return node.start, node.end

    def node(self, place: Place) -> Node:
        """The node of a place."""
        node = self.tree.nodes[place.segment]
        if place.field < paths.FIRST:
            return node
        reached = [n for n, _ in found(node, place.field) if value(n, "")]
        return reached[min(max(place.repetition, 0), len(reached) - 1)] if reached else node


def find(raw: bytes, charset: str) -> Found:
    """Read an object; raises BadMessage."""
    if not raw:
        raise BadMessage("the message is empty; send a DICOM object", place="byte 1")
    if json_model.looks_like(raw):
        return Found(json_model.read(raw), None)
    file = part10.read(raw)
    grown = tree.of_file(file, charset)
    if not file.preamble:
        grown.amiss.insert(0, _NO_PREAMBLE)
    if file.pixels is not None:
        span = (file.pixels.start, file.pixels.end)
        grown.add(PIXELS, grown.root, span, str(span[1] - span[0]))
        _hang_picture(grown, raw, file)
    return Found(grown, file)


def _hang_picture(grown: Tree, raw: bytes, file: File) -> None:
    node = Picture(grown.root, len(grown.nodes), lambda: picture.jpeg(raw, file))
    if file.pixels is not None:
        node.start, node.end = file.pixels.start, file.pixels.end
    grown.root.take(node)
    grown.root.last = node.index
    grown.whole.named[RENDERED] = [node]
    grown.nodes.append(node)
