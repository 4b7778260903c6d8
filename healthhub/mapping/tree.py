"""The tree of a message: segments put into group nodes, tolerantly, as the mapping says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from healthhub.adapter_api.record import Branch, Segment
from healthhub.mapping.definition import Group, applies

NOTHING: frozenset[str] = frozenset()
ROOT = "message"
TOP = "root"
"""The whole tree of an XML message, as a segment of the message's node."""
INDEX = "index"


class Node:
    """One occurrence of a group: its own segments by name, and the nodes around and below.

    ``peers`` are the nodes that a resource block goes through together with this one; ``memo``
    keeps what was worked out for this node; ``aside`` the members that stood before a segment
    with which the group begins afresh: they count where none follow.
    """

    __slots__ = (
        "aside",
        "bare",
        "children",
        "group",
        "memo",
        "own",
        "parent",
        "peers",
        "segments",
    )

    def __init__(self, group: str, parent: Node | None) -> None:
        self.group = group
        self.parent = parent
        self.segments: dict[str, list[Segment]] = {}
        self.children: list[Node] = []
        self.memo: dict[str, Any] = {}
        self.bare = True
        self.own: frozenset[str] = NOTHING
        self.peers: Sequence[Node] | None = None
        self.aside: dict[str, list[Segment]] | None = None
        if parent is not None:
            parent.children.append(self)

    def below(self, group: str) -> Iterator[Node]:
        """All nodes of a group under this one, in order."""
        for child in self.children:
            if child.group == group:
                yield child
            yield from child.below(group)


def dissolve(root: Node) -> None:
    """Part the nodes of a tree from one another. They know their parents and their peers, so the
    memory of each message would else wait for the collector of circles, which is slow."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        for held in node.memo.values():
            if isinstance(held, list):
                waiting += [each for each in cast(list[Any], held) if isinstance(each, Node)]
        node.parent = node.peers = None
        node.memo.clear()
        node.children = []


def find(node: Node | None, name: str) -> Sequence[Segment]:
    """The segments called ``name`` nearest to ``node``: its own, else those around it. A member
    of the node's own group is its own or nobody's: an order's note is not each result's. (A
    group that hangs at the message itself may still find what stands before it.)"""
    while node is not None:
        found = node.segments.get(name)
        if found is not None:
            return found
        if node.aside is not None and name in node.aside:
            return node.aside[name]
        if name in node.own:
            return ()
        node = node.parent
    return ()


def above(node: Node, names: frozenset[str]) -> Node:
    """The nearest node from which the segments of some names are found as from ``node``: what is
    worked out of them there holds for all nodes below that have none of their own."""
    while (
        node.parent is not None
        and names.isdisjoint(node.segments)
        and names.isdisjoint(node.own)
        and (node.aside is None or names.isdisjoint(node.aside))
    ):
        node = node.parent
    return node


def around(node: Node, group: str) -> Node:
    """The node of ``group`` that encloses ``node`` (or is it); else ``node`` itself."""
    at: Node | None = node
    while at is not None:
        if at.group == group:
            return at
        at = at.parent
    return node


class Grouping:
    """The groups of a mapping as they hold for one kind of message."""

    def __init__(self, groups: Mapping[str, Group], kind: str) -> None:
        self._groups = {name: g for name, g in groups.items() if applies(g.on, kind)}
        self._anchor: dict[str, Group] = {}
        self._once: dict[str, Group] = {}
        self._members: dict[str, frozenset[str]] = {}
        for group in self._groups.values():
            self._anchor.update(dict.fromkeys(group.anchors, group))
            self._once.update(dict.fromkeys(group.once, group))
        members: dict[str, set[str]] = {}
        for group in self._groups.values():
            for name in group.members:
                members.setdefault(name, set()).add(group.name)
        self._members = {name: frozenset(found) for name, found in members.items()}
        self._within: dict[str, list[Group]] = {}
        for group in self._groups.values():
            if group.paths:
                for name in group.within or (ROOT,):
                    self._within.setdefault(name, []).append(group)
        self._loose = {g.name: frozenset(g.loose) for g in self._groups.values() if g.loose}
        begins = self._anchor.keys() | self._once.keys()
        self._own = {
            g.name: frozenset(g.members) - begins if g.within else NOTHING
            for g in self._groups.values()
        }

    def build(self, segments: Iterable[Segment]) -> Node:
        """The tree of a message; its root's memo lists the nodes of each group and the owners
        of each segment by name."""
        root = Node(ROOT, None)
        path = [root]
        index: dict[str, list[Node]] = {ROOT: [root]}
        root.memo[INDEX] = index
        for segment in segments:
            if isinstance(segment, Branch):
                _keep_as(TOP, root, segment, index)
                self._grow(root, segment, index)
                continue
            name = segment.name
            group = self._anchor.get(name)
            if group is not None:
                _begin(path, group, name, anchor=True)
                path[-1].own = self._own[group.name]
            elif name in self._once:
                _begin(path, self._once[name], name, anchor=False)
                path[-1].own = self._own[self._once[name].name]
            elif not _join(path, name, self._members.get(name), self._loose):
                _keep(root, segment, index)
                continue
            node = path[-1]
            if not node.segments:
                index.setdefault(node.group, []).append(node)
            _keep(node, segment, index)
        return root

    def _grow(self, node: Node, branch: Branch, index: dict[str, list[Node]]) -> None:
        """Nodes for the elements below one that the groups' paths lead to."""
        for group in self._within.get(node.group, ()):
            for number in group.paths:
                for inner in branch.below(number):
                    child = Node(group.name, node)
                    _keep_as(group.name, child, inner, index)
                    self._grow(child, inner, index)


def _begin(path: list[Node], group: Group, name: str, *, anchor: bool) -> None:
    """Leave on ``path`` the node that takes an anchor or once segment."""
    for depth in range(len(path) - 1, 0, -1):
        node = path[depth]
        if node.group == group.name:
            if name not in node.segments and (
                not anchor or (node.bare and depth == len(path) - 1)
            ):
                del path[depth + 1 :]
                if name in group.afresh and not node.segments.keys().isdisjoint(group.once):
                    _set_aside(node, group.loose)
                return
            del path[depth:]
            break
    while len(path) > 1 and path[-1].group not in group.within:
        path.pop()
    path[-1].bare = False
    path.append(Node(group.name, path[-1]))


def _set_aside(node: Node, loose: Sequence[str]) -> None:
    """What was said of an earlier once segment (RXO's route) is not said of the next (RXE's)."""
    gone = node.own.difference(loose)
    node.aside = {name: found for name, found in node.segments.items() if name in gone}
    for name in node.aside:
        del node.segments[name]


def _join(
    path: list[Node],
    name: str,
    groups: frozenset[str] | None,
    loose: Mapping[str, frozenset[str]],
) -> bool:
    """Leave on ``path`` the deepest open node that lists the segment; false if there is none:
    the segment is then the message's own, and what is open stays open."""
    if groups:
        for depth in range(len(path) - 1, 0, -1):
            if path[depth].group in groups:
                if name not in loose.get(path[depth].group, NOTHING):
                    path[depth].bare = False
                del path[depth + 1 :]
                return True
    return False


def _keep(node: Node, segment: Segment, index: dict[str, list[Node]]) -> None:
    """Put a segment into a node."""
    _keep_as(segment.name, node, segment, index)


def _keep_as(name: str, node: Node, segment: Segment, index: dict[str, list[Node]]) -> None:
    found = node.segments.get(name)
    if found is not None:
        found.append(segment)
        return
    node.segments[name] = [segment]
    index.setdefault(name, []).append(node)
