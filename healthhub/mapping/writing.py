"""Writes the Python source of one compiled function: lines, variables, the segments it reads."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from healthhub.mapping.tree import TOP


@dataclass(frozen=True, slots=True)
class Shape:
    """What a function is compiled for: whose parameters it has, and the level of its value.

    ``level`` is 0 without a value (it reads a node), 1 for a repetition (parts by ``^``), 2 for
    a component (by ``&``), 3 for a subcomponent.
    """

    level: int = 0
    parameters: tuple[str, ...] = ()
    need: str = "w"


SEPARATORS = {0: "\\0", 1: "^", 2: "&", 3: "\\0"}


class Body:
    """A function being written."""

    def __init__(self, head: str, shape: Shape) -> None:
        self.head = head
        self.shape = shape
        self.need = shape.need
        self._lines: list[str] = []
        self._first: list[str] = []
        self._depth = 1
        self._settled = 0
        self._count = 0
        self._segments: list[str] = []
        self._found: list[str] = []
        self._parts = False
        self.mark = ""

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self._lines.append("    " * self._depth + text)

    def remember(self, function: str, *, rooted: bool, names: str = "") -> None:
        """What was worked out for the node already is given at once, before anything is read;
        what hangs on no node, for the message. With ``names``, the constant that holds the
        segments read, it is worked out for the nearest node that has any of them."""
        self._first += ["    node = run.root"] if rooted else []
        self._first += [
            f"    memo = node.memo.get({function!r}, node)",
            "    if memo is not node: return memo",
        ]
        if names and not rooted:
            self._first += [
                f"    home = above(node, {names})",
                "    if home is not node:",
                f"        r = node.memo[{function!r}] = {function}(run, home)",
                "        return r",
            ]

    @contextmanager
    def deeper(self, opening: str = "") -> Generator[None]:
        """A block; its opening line, if given, comes first."""
        if opening:
            self.line(opening)
        self._depth += 1
        before = len(self._lines)
        yield
        if len(self._lines) == before:
            self.line("pass")
        self._depth -= 1

    def new(self, prefix: str = "x") -> str:
        """A variable not used before."""
        self._count += 1
        return f"{prefix}{self._count}"

    def segment(self, name: str) -> str:
        """The variable that holds the nearest segments of a name."""
        if name not in self._segments:
            self._segments.append(name)
        return f"S_{name}"

    def settle(self) -> None:
        """What is read from here on is looked for here: often the way ends before."""
        fresh = [name for name in self._segments if name not in self._found]
        self._lines[self._settled : self._settled] = map(self._finding, fresh)
        self._found += fresh
        self._settled = len(self._lines)

    @staticmethod
    def _finding(name: str) -> str:
        return f"    S_{name} = find({'run.root' if name == TOP else 'node'}, {name!r})"

    def parts(self) -> str:
        """The variable that holds the parts of the value at hand."""
        self._parts = True
        return "P"

    def source(self) -> str:
        """The whole function."""
        self.settle()
        top = [f"def {self.head}:", *self._first]
        if self._parts:
            top.append(f"    P = cut(v, '{SEPARATORS[self.shape.level]}')")
        return "\n".join([*top, *self._lines]) + "\n"
