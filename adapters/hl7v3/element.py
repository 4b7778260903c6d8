"""An element as a segment of the record: its fields are the paths below it.

A field is canonical text as everywhere: repetitions by ``~``, parts by ``^``. What the parts of
an element are follows from its data type, as the attributes show it:

=================  ==============================================
coded (CD, CE)     code ^ display ^ code system, original text 9th
identifier (II)    extension ^ root
amount, time       value ^ unit or currency
interval           low ^ high ^ width
anything else      its text
=================  ==============================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.hl7v3.parse import Node
from healthhub.adapter_api import paths
from healthhub.adapter_api.paths import Step, Test
from healthhub.adapter_api.record import Branch
from healthhub.adapter_api.text import escape

_SPECIAL = re.compile(r"[\\|^&~\r\n]")
Found = tuple[Node, str]
"""An element, and which of its attributes; empty: the element itself."""


def found(node: Node, steps: tuple[Step, ...]) -> list[Found]:
    """What a path leads to, in the order of the document."""
    nodes = [node]
    deep = False
    for step in steps:
        if step.name == "**":
            deep = True
            continue
        if step.attribute:
            key = step.attribute
            return [(n, key) for n in nodes if n.attributes.get(key, "").strip()]
        nodes, deep = _step(nodes, step, deep=deep), False
    return [(n, "") for n in nodes]


def _step(nodes: list[Node], step: Step, *, deep: bool) -> list[Node]:
    reached: list[Node] = []
    for node in nodes:
        near = _near(node, step.name, deep=deep)
        for test in step.tests if near else ():
            if test.position:
                near = near[test.position - 1 : test.position]
            else:
                near = [n for n in near if _passes(n, test)]
        reached += near
    return reached


def _near(node: Node, name: str, *, deep: bool) -> list[Node]:
    if name == ".":
        return [node]
    if name == "..":
        return [node.parent] if node.parent is not None else []
    if name == "*":
        return [n for child in node.children for n in _all(child)] if deep else node.children
    return node.below(name) if deep else [n for n in node.children if n.name == name]


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _passes(node: Node, test: Test) -> bool:
    """The usual tests, ``[@a=X]`` and ``[b/@a=X]``, are answered without a walk."""
    name = test.attribute
    if not name:
        texts = [plain(*place) for place in found(node, test.steps)]
    elif test.child:
        texts = [
            inner.attributes.get(name, "").strip()
            for inner in node.children
            if inner.name == test.child
        ]
    else:
        texts = [node.attributes.get(name, "").strip()]
    words = test.words
    if words is None:
        return any(texts)
    for text in texts:
        if text and text in words:
            return test.equal
    return ("" in words and not any(texts)) == test.equal


def plain(node: Node, attribute: str) -> str:
    """The first part of a value: a code, a number, a text."""
    if attribute:
        return node.attributes.get(attribute, "").strip()
    pieces = parts(node)
    return next((text for text, _, _ in pieces[:1]), "")


Part = tuple[str, Node, str]
"""The text of a part, and the element and attribute that it stands in."""


def parts(node: Node) -> list[Part]:
    """The parts of an element's value."""
    have = node.attributes
    if "code" in have or "displayName" in have or "codeSystem" in have:
        shown = _attribute(node, "displayName")
        if not shown[0] and (inner := node.child("displayName")) is not None:
            shown = _attribute(inner, "value")
        code, system = _attribute(node, "code"), _attribute(node, "codeSystem")
        original = node.child("originalText")
        if original is None:
            return [code, shown if shown[0] else _text(node), system]
        nothing = ("", node, "")
        return [code, shown, system, *[nothing] * 5, parts(original)[0]]
    if "extension" in have or "root" in have:
        return [_attribute(node, "extension"), _attribute(node, "root")]
    if "value" in have:
        return [
            _attribute(node, "value"),
            _attribute(node, "unit" if "unit" in have else "currency"),
        ]
    if node.children:
        item = node.child("item")
        if item is not None:
            return parts(item)
        low, high, width = node.child("low"), node.child("high"), node.child("width")
        if low is not None or high is not None or width is not None:
            nothing = ("", node, "")
            return [parts(n)[0] if n is not None else nothing for n in (low, high, width)]
    return [_text(node)]


def _attribute(node: Node, name: str) -> Part:
    return node.attributes.get(name, "").strip(), node, name


def _text(node: Node) -> Part:
    return node.text.strip(), node, ""


def value(node: Node, attribute: str) -> str:
    """The canonical text of an element or attribute."""
    if attribute:
        return _escaped(node.attributes.get(attribute, "").strip())
    texts = [text for text, _, _ in parts(node)]
    while texts and not texts[-1]:
        texts.pop()
    return _escaped(texts[0]) if len(texts) == 1 else "^".join(map(_escaped, texts))


def _escaped(text: str) -> str:
    return escape(text) if _SPECIAL.search(text) else text


class _Fields(list[str]):
    """The fields of an element, worked out when first asked for."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._known: dict[int, str] = {}

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: Any) -> Any:
        known = self._known.get(number)
        if known is None:
            known = ""
            if number >= paths.FIRST:
                values = (value(*place) for place in found(self._node, paths.steps(number)))
                known = "~".join(text for text in values if text)
            self._known[number] = known
        return known


class Element(Branch):
    """An element that rules read."""

    __slots__ = ("node",)
    node: Node

    def __init__(self, node: Node) -> None:
        super().__init__(node.name, "", node.index, lambda _name, _text: _Fields(node))
        self.node = node

    def below(self, number: int) -> list[Branch]:
        """The elements that a path leads to."""
        steps = paths.steps(number)
        return [Element(n) for n, attribute in found(self.node, steps) if not attribute]
