"""An element of a tree, and what is known of all elements of a tree together."""

from __future__ import annotations

from bisect import bisect_right

from healthhub.adapter_api import paths
from healthhub.adapter_api.paths import Step, Test

_MOVES = frozenset((".", "..", "*", "**"))


NO_CHILDREN: list[Node] = []
NO_TEXTS: list[tuple[int, str]] = []
"""What most elements have; never added to, so that they need no list of their own."""


class Node:
    """One element: local name, attributes, children, texts with the bytes they begin at.

    ``index`` is its place among all elements, ``last`` that of the last one below it. Among the
    attributes of XML are the declarations of namespaces.
    """

    __slots__ = (
        "attributes",
        "children",
        "end",
        "index",
        "last",
        "name",
        "parent",
        "start",
        "texts",
        "whole",
    )

    def __init__(
        self, name: str, parent: Node | None, start: int, index: int, whole: Whole
    ) -> None:
        self.name = name
        self.parent = parent
        self.start = self.end = start
        self.index = self.last = index
        self.whole = whole
        self.attributes: dict[str, str] = {}
        self.children: list[Node] = NO_CHILDREN
        self.texts: list[tuple[int, str]] = NO_TEXTS

    def take(self, child: Node) -> None:
        """A child after the others."""
        if self.children:
            self.children.append(child)
        else:
            self.children = [child]

    def say(self, at: int, text: str) -> None:
        """A piece of text after the others, and the byte it begins at."""
        if self.texts:
            self.texts.append((at, text))
        else:
            self.texts = [(at, text)]

    @property
    def text(self) -> str:
        """Its own text, as it stands."""
        return "".join(text for _, text in self.texts)

    def child(self, name: str) -> Node | None:
        """The first child of a name."""
        return next((child for child in self.children if child.name == name), None)


class Whole:
    """A tree as a whole: its elements by name, in order; so what lies below an element is found
    without a walk, and a path that leads nowhere in this tree is not walked at all."""

    __slots__ = ("_indexes", "_leads", "_said", "named")

    def __init__(self) -> None:
        self.named: dict[str, list[Node]] = {}
        self._indexes: dict[str, list[int]] = {}
        self._leads: dict[int, bool] = {}
        self._said: set[str] | None = None

    def dissolve(self) -> None:
        """Part the elements from those around them: nobody reads the tree any more."""
        for nodes in self.named.values():
            for node in nodes:
                node.parent = None
        self.named.clear()

    def below(self, node: Node, name: str) -> list[Node]:
        """All elements of a name at any depth below an element, in order."""
        found = self.named.get(name)
        if found is None:
            return []
        indexes = self._indexes.get(name)
        if indexes is None or len(indexes) != len(found):
            indexes = self._indexes[name] = [each.index for each in found]
        first = bisect_right(indexes, node.index)
        return found[first : bisect_right(indexes, node.last, first)]

    def leads(self, number: int) -> bool:
        """Whether the path with a number can lead anywhere, from any element of the tree: what it
        names must be there, and what it asks of attributes must be said by one. Of hundreds of
        entries of a document, most rules ask what none of them says."""
        known = self._leads.get(number)
        if known is None:
            known = self._leads[number] = all(map(self._is_there, paths.steps(number)))
        return known

    def _is_there(self, step: Step) -> bool:
        if step.attribute or step.name in _MOVES:
            return all(map(self._may_pass, step.tests))
        return step.name in self.named and all(map(self._may_pass, step.tests))

    def _may_pass(self, test: Test) -> bool:
        if not test.attribute or not test.equal or test.words is None or "" in test.words:
            return True
        if self._said is None:
            self._said = {
                text.strip()
                for nodes in self.named.values()
                for node in nodes
                for text in node.attributes.values()
            }
        return not self._said.isdisjoint(test.words)


def numbered(root: Node) -> list[Node]:
    """The elements of a tree in order, numbered so, the root first; the tree is whole now."""
    whole, nodes = Whole(), list[Node]()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node.index, node.whole = len(nodes), whole
        whole.named.setdefault(node.name, []).append(node)
        nodes.append(node)
        waiting += reversed(node.children)
    for node in reversed(nodes):
        node.last = node.children[-1].last if node.children else node.index
    return nodes
