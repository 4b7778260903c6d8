"""Paths as functions: each is written as Python once, and walked thousands of times.

A step is a loop, a test of an attribute is a comparison in it. What a path leads to comes in the
order of the document, or, where two steps may reach the same element, in the order of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from adapters.hl7v3.node import Node
from adapters.hl7v3.values import plain
from healthhub.adapter_api import paths
from healthhub.adapter_api.paths import Step, Test


class Way(NamedTuple):
    """The elements that a path leads to from one, and the attribute of them that it ends in;
    empty: the elements themselves."""

    nodes: Callable[[Node], list[Node]]
    attribute: str


Found = tuple[Node, str]
"""An element, and which of its attributes; empty: the element itself."""
_ways: dict[int, Way] = {}


def way(number: int) -> Way:
    """The way of the path with a number (healthhub.adapter_api.paths)."""
    found = _ways.get(number)
    if found is None:
        found = _ways[number] = _way(paths.steps(number))
    return found


def found(node: Node, number: int) -> list[Found]:
    """What the path with a number leads to from an element, in order."""
    nodes, attribute = way(number)
    return [(reached, attribute) for reached in nodes(node)]


def _way(steps: tuple[Step, ...]) -> Way:
    writer = _Writer()
    deep = False
    for step in steps:
        if step.name == "**":
            deep = True
        elif step.attribute:
            writer.opens(f"if {writer.at}.attributes.get({step.attribute!r}, '').strip():")
        else:
            writer.step(step, deep=deep)
            deep = False
    return Way(writer.function(), steps[-1].attribute)


class _Writer:
    """Writes the function of one path; ``at`` is the variable of the element reached."""

    def __init__(self) -> None:
        self.at = "n0"
        self._lines: list[str] = ["def nodes(n0):", "    found = []"]
        self._depth = 1
        self._count = 0
        self._scope: dict[str, Any] = {"every": _every}

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self._lines.append("    " * self._depth + text)

    def opens(self, text: str) -> None:
        """Add a line that the following ones lie within."""
        self.line(text)
        self._depth += 1

    def constant(self, value: Any) -> str:
        """A global that holds something."""
        name = f"C{len(self._scope)}"
        self._scope[name] = value
        return name

    def step(self, step: Step, *, deep: bool) -> None:
        """The loop of one step, with its tests."""
        self._count += 1
        to = f"n{self._count}"
        near, named = self._near(step.name, deep=deep)
        if any(test.position for test in step.tests):
            condition = f" if {to}.name == {step.name!r}" if named else ""
            self.line(f"near = [{to} for {to} in {near}{condition}]")
            for test in step.tests:
                self._choose(test)
            near, named = "near", False
            self.opens(f"for {to} in {near}:")
        else:
            self.opens(f"for {to} in {near}:")
            if named:
                self.line(f"if {to}.name != {step.name!r}: continue")
            for test in step.tests:
                self._test(test, to)
        self.at = to

    def _near(self, name: str, *, deep: bool) -> tuple[str, bool]:
        """What a step goes through, and whether that is still to be chosen from by name."""
        at = self.at
        if name == "*":
            return f"every({at})" if deep else f"{at}.children", False
        if name == ".":
            return f"({at},)", False
        if name == "..":
            return f"() if {at}.parent is None else ({at}.parent,)", False
        if deep:
            return f"{at}.whole.below({at}, {name!r})", False
        return f"{at}.children", True

    def _choose(self, test: Test) -> None:
        if test.position:
            self.line(f"near = near[{test.position - 1}:{test.position}]")
        else:
            self.line(f"near = [n for n in near if {self.constant(_judge(test))}(n)]")

    def _test(self, test: Test, to: str) -> None:
        """The usual tests, ``[@a=X]`` and ``[b/@a=X]``, are answered on the spot."""
        if not test.attribute or not test.equal or not test.words or "" in test.words:
            self.line(f"if not {self.constant(_judge(test))}({to}): continue")
            return
        words = self.constant(frozenset(test.words))
        if not test.child:
            said = f"{to}.attributes.get({test.attribute!r}, '').strip()"
            self.line(f"if {said} not in {words}: continue")
            return
        said = f"c.attributes.get({test.attribute!r}, '').strip()"
        self.line(f"for c in {to}.children:")
        self.line(f"    if c.name == {test.child!r} and {said} in {words}: break")
        self.line("else: continue")

    def function(self) -> Callable[[Node], list[Node]]:
        """The function as it was written."""
        self.line(f"found.append({self.at})")
        source = "\n".join([*self._lines, "    return found"])
        exec(source, self._scope)  # noqa: S102 - our own output; names of a path are quoted
        return self._scope["nodes"]


def _every(node: Node) -> Iterator[Node]:
    """All elements below one."""
    for child in node.children:
        yield child
        yield from _every(child)


def _judge(test: Test) -> Callable[[Node], bool]:
    """Any test: does its path give one of its words, or anything at all?"""
    nodes, attribute = _way(test.steps)
    words = test.words

    def passes(node: Node) -> bool:
        texts = {plain(inner, attribute) for inner in nodes(node)} - {""}
        if words is None:
            return bool(texts)
        said = not texts.isdisjoint(words) or ("" in words and not texts)
        return said == test.equal

    return passes
