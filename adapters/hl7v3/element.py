"""An element as a segment of the record: its fields are the paths below it.

A field is canonical text as everywhere: repetitions by ``~``, parts by ``^`` (see values).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from adapters.hl7v3.node import Node
from adapters.hl7v3.values import value
from adapters.hl7v3.ways import way
from healthhub.adapter_api import paths
from healthhub.adapter_api.record import Branch


class Fields(dict[int, str]):
    """The fields of an element by the numbers of their paths, worked out when first asked for.
    ``value`` is the canonical text of what a path leads to."""

    __slots__ = ("_node", "_value")

    def __init__(self, node: Node, value: Callable[[Node, str], str]) -> None:
        super().__init__()
        self._node = node
        self._value = value

    def __len__(self) -> int:
        """Each number is one of a field, though it may hold nothing."""
        return 1 << 30

    def __missing__(self, number: int) -> str:
        text = ""
        if number >= paths.FIRST and self._node.whole.leads(number):
            nodes, attribute = way(number)
            texts = [self._value(node, attribute) for node in nodes(self._node)]
            text = texts[0] if len(texts) == 1 else "~".join([text for text in texts if text])
        self[number] = text
        return text


class Element(Branch):
    """An element that rules read."""

    __slots__ = ("node",)
    node: Node

    def __init__(self, node: Node, value: Callable[[Node, str], str] = value) -> None:
        super().__init__(node.name, "", node.index, _split_already)
        self.fields = cast(list[str], Fields(node, value))
        self.node = node

    def below(self, number: int) -> list[Branch]:
        """The elements that a path leads to."""
        if not self.node.whole.leads(number):
            return []
        nodes, attribute = way(number)
        return [] if attribute else [type(self)(node) for node in nodes(self.node)]


def _split_already(name: str, text: str) -> list[str]:
    raise TypeError(f"the fields of {name} are there from the beginning")
