"""A DICOM object as a tree that mappings read by paths, each node with its bytes.

An element is a node named by its keyword (``PatientID``) or, where PS3.6 has none, by its eight
hexadecimal digits; its text is its value. Several values are several nodes of one name, as are
the items of a sequence, whose elements lie below them. A name (PN) is the writing for people,
ideographic where there is one, with Alphabetic, Ideographic and Phonetic below it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from adapters.dicom import charset, part10
from adapters.dicom.charset import Charset
from adapters.dicom.part10 import Element, File
from adapters.hl7v3.node import Node, Whole

_TEXT = frozenset("CS LO LT PN SH ST UC UT".split())
"""Value representations that SpecificCharacterSet is about (PS3.5 section 6.2), and CS, in which
devices write Chinese although it is not for that."""
_PLAIN = frozenset("AE AS DA DS DT IS TM UI UR".split())
_WHOLE = frozenset("LT ST UT UR".split())
"""Representations of one value, in which a backslash is a backslash."""
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
MOST_TEXT = 64 * 2**10
"""A longer text is a vendor's own data."""
MOST_VALUES = 100
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_CHARACTER_SET = 0x00080005


class Tree:
    """The nodes of an object, the root first, and what was found amiss while they were made."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.whole = Whole()
        self.root = self.add("DICOM", None, (0, 0))
        self.amiss: list[tuple[str, str]] = []

    def add(
        self, name: str, parent: Node | None, span: tuple[int, int], text: str = ""
    ) -> Node:
        """A node after all others; its parents then reach to it."""
        node = Node(name, parent, span[0], len(self.nodes), self.whole)
        node.end = span[1]
        if text:
            node.say(span[0], text)
        self.whole.named.setdefault(name, []).append(node)
        if parent is not None:
            parent.take(node)
        self.nodes.append(node)
        above = parent
        while above is not None:
            above.last = node.index
            above = above.parent
        return node

    def person(self, name: str, parent: Node, span: tuple[int, int], groups: list[str]) -> None:
        """A name in its writings."""
        written = {kind: text for kind, text in zip(GROUPS, groups, strict=False) if text}
        shown = written.get("Ideographic") or written.get("Alphabetic") or ""
        if shown or written:
            node = self.add(name, parent, span, people_write(shown))
            for kind, text in written.items():
                self.add(kind, node, span, people_write(text))

    def first(self, name: str) -> str:
        """The first value of a top-level element."""
        found = self.root.child(name)
        return found.text.strip() if found is not None else ""


_EAST_ASIAN = re.compile(
    "[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def people_write(name: str) -> str:
    """``张^三`` as people write it: Chinese parts run together, others parted by a blank."""
    parts = [part.strip() for part in name.split("^") if part.strip()]
    together = all(_EAST_ASIAN.fullmatch(part) for part in parts)
    return ("" if together else " ").join(parts)


MOMENTS = ("Study", "Series", "Content")


def join_moments(tree: Tree) -> None:
    """``StudyDateTime`` and the like: date and time, which DICOM keeps apart, and the offset, as
    one text."""
    offset = tree.first("TimezoneOffsetFromUTC")
    for name in MOMENTS:
        day, time = tree.root.child(f"{name}Date"), tree.root.child(f"{name}Time")
        if day is None:
            continue
        clock = time.text.replace(":", "") if time is not None else ""
        text = day.text.replace(".", "") + clock + (offset if clock else "")
        tree.add(f"{name}DateTime", tree.root, (day.start, day.end), text)


def of_file(file: File, default: str) -> Tree:
    """The tree of a file; ``default`` is the source's charset."""
    tree = Tree()
    tree.root.end = len(file.data)
    for tag, text in file.meta.items():
        tree.add(part10.name_of(tag), tree.root, (0, 0), text)
    _Grower(file, default, tree).grow(file.elements, tree.root)
    join_moments(tree)
    return tree


class _Grower:
    """Makes nodes of elements."""

    def __init__(self, file: File, default: str, tree: Tree) -> None:
        self._file = file
        self._default = default
        self._tree = tree
        self._order = ">" if file.big else "<"
        self._used = Charset("ascii")

    def grow(self, elements: list[Element], parent: Node) -> None:
        """Nodes for the elements of an object, or of an item with a charset of its own."""
        outer, self._used = self._used, self._charset(elements)
        if self._used.wrong:
            said = "nothing" if self._used.wrong == "none" else self._used.wrong
            self._tree.amiss.append(
                (
                    "wrong-charset",
                    f"SpecificCharacterSet says {said}, and the texts are in "
                    f"{self._used.codec}; let the system that writes the objects declare it",
                )
            )
        self._elements(elements, parent)
        self._used = outer

    def _charset(self, elements: list[Element]) -> Charset:
        declared = next((self._plain(e) for e in elements if e.tag == _CHARACTER_SET), "")
        held: list[bytes] = []
        for element in _in_one_charset(elements):
            if element.vr in _TEXT and not element.tag >> 16 & 1:
                value = self._file.data[element.start : element.end][:MOST_TEXT]
                if not value.isascii() or b"\x1b" in value:
                    held.append(value.rstrip(b"\0 "))
        return charset.of(declared, held, self._default)

    def _plain(self, element: Element) -> str:
        value = self._file.data[element.start : element.end][:MOST_TEXT]
        return value.decode("ascii", "replace").strip("\0 ")

    def _elements(self, elements: list[Element], parent: Node) -> None:
        for element in elements:
            name = part10.name_of(element.tag)
            for item in element.items or ():
                child = self._tree.add(name, parent, (element.begin, element.end))
                inner = self.grow if _has_own_charset(item) else self._elements
                inner(item, child)
                as_code(child)
            if element.items is None and element.end - element.start <= MOST_TEXT:
                self._value(element, name, parent)

    def _value(self, element: Element, name: str, parent: Node) -> None:
        span = (element.start, element.end)
        if element.vr == "PN":
            for person in self._text(element).split("\\"):
                self._tree.person(name, parent, span, [g.strip() for g in person.split("=")])
            return
        for text in self._texts(element):
            if text:
                self._tree.add(name, parent, span, text)

    def _texts(self, element: Element) -> Iterator[str]:
        if element.vr in _TEXT or element.vr in _PLAIN:
            text = self._text(element)
            parts = [text] if element.vr in _WHOLE else text.split("\\", MOST_VALUES)
            yield from (part.strip() for part in parts[:MOST_VALUES])
        elif element.vr in _NUMBERS:
            yield from self._numbers(element)
        elif element.vr == "AT":
            pair = struct.Struct(self._order + "HH")
            data = self._file.data[element.start : element.end]
            if len(data) == pair.size:
                yield "".join(f"{part:04X}" for part in pair.unpack(data))

    def _numbers(self, element: Element) -> Iterator[str]:
        one = struct.Struct(self._order + _NUMBERS[element.vr])
        size = element.end - element.start
        for n in range(min(size // one.size, MOST_VALUES)):
            number = one.unpack_from(self._file.data, element.start + n * one.size)[0]
            yield f"{number:.10g}" if isinstance(number, float) else str(number)

    def _text(self, element: Element) -> str:
        value = self._file.data[element.start : element.end].rstrip(b"\0 ")
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii").replace("\0", "")
        if element.vr not in _TEXT:
            self._amiss(element, "bytes that its representation does not allow")
            return ""
        text = self._used.decode(value)
        if text is None:
            if not element.tag >> 16 & 1:
                self._amiss(element, f"bytes that are no text in {self._used.codec}")
            return ""
        return text.replace("\0", "")

    def _amiss(self, element: Element, what: str) -> None:
        self._tree.amiss.append(
            (
                "wrong-charset",
                f"{part10.shown(element.tag)} at byte {element.start + 1} holds {what}, and was "
                "left out; correct what writes it",
            )
        )


_CODES = ("CodeValue", "LongCodeValue", "URNCodeValue")


def as_code(item: Node) -> None:
    """Let an item of a code sequence (PS3.3 table 8.8-1) have its code, meaning and scheme as
    parts, as coded elements have them."""
    code = next((c for c in item.children if c.name in _CODES), None)
    if code is None:
        return
    item.attributes["code"] = code.text
    for name, attribute in (
        ("CodeMeaning", "displayName"),
        ("CodingSchemeDesignator", "codeSystem"),
    ):
        part = item.child(name)
        if part is not None:
            item.attributes[attribute] = part.text


def _has_own_charset(item: list[Element]) -> bool:
    return any(element.tag == _CHARACTER_SET for element in item)


def _in_one_charset(elements: list[Element]) -> Iterator[Element]:
    """Elements at any depth that share a charset: an item may declare its own (PS3.5 7.5.3)."""
    for element in elements:
        if element.items is None:
            yield element
        for item in element.items or ():
            if not _has_own_charset(item):
                yield from _in_one_charset(item)


def written(node: Node) -> str:
    """``/RequestAttributesSequence[2]/AccessionNumber``; empty for the root."""
    names: list[str] = []
    at = node
    while at.parent is not None:
        alike = [c for c in at.parent.children if c.name == at.name]
        number = next(i for i, c in enumerate(alike, 1) if c is at)
        names.append(at.name if len(alike) == 1 else f"{at.name}[{number}]")
        at = at.parent
    return "".join(f"/{name}" for name in reversed(names))


STRUCTURE = frozenset(
    """SpecificCharacterSet MediaStorageSOPClassUID MediaStorageSOPInstanceUID TransferSyntaxUID
    ImplementationClassUID ImplementationVersionName PixelData Rendered BitsAllocated BitsStored
    HighBit PixelRepresentation SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    PixelSpacing WindowCenter WindowWidth RescaleIntercept RescaleSlope Rows Columns
    StudyDate StudyTime SeriesDate SeriesTime ContentDate ContentTime""".split()
)
"""Elements that say how an object is built: that no rule reads them is no gap."""


def valued(tree: Tree) -> Iterator[str]:
    """The places that hold a value, without numbers: ``/RequestAttributesSequence/StudyID``."""
    above = {tree.root.index: ""}
    for node in tree.nodes[1:]:
        assert node.parent is not None  # noqa: S101 - only the root has none
        path = above[node.index] = f"{above[node.parent.index]}/{node.name}"
        if node.name not in STRUCTURE and node.name not in GROUPS and node.texts:
            yield path
