"""The value of an element as canonical text.

What the parts of an element are follows from its data type, as the attributes show it:

=================  ==============================================
coded (CD, CE)     code ^ display ^ code system, original text 9th
identifier (II)    extension ^ root
amount, time       value ^ unit or currency
interval           low ^ high ^ width
anything else      its text
=================  ==============================================
"""

from __future__ import annotations

from adapters.hl7v3.node import Node
from healthhub.adapter_api.text import escape


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
        return escape(node.attributes.get(attribute, "").strip())
    texts = [text for text, _, _ in parts(node)]
    while texts and not texts[-1]:
        texts.pop()
    return escape(texts[0]) if len(texts) == 1 else "^".join(map(escape, texts))
