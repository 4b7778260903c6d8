"""The registry of functions: what each takes, and the table that documents them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

from healthhub.terms import Terms

Takes = Literal["text", "value", "all", "nothing"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """Where a function is at work, for its findings: source path and rule."""

    path: str
    rule: str


class Run(Protocol):
    """What functions may ask of the conversion at hand."""

    namespace: str
    zone: ZoneInfo
    terms: Terms
    received_at: datetime

    def remark(self, code: str, node: Any, need: Need, detail: str, value: str = "") -> None:
        """Add a finding about the message."""
        ...

    def sight(self, table: str, code: str, version: int, display: str) -> None:
        """Note a code that the mapping's own table lacks."""
        ...


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    ``takes``: the piped text; the piped value with its parts (then ``separator`` follows); all
    values of the path at once; or nothing. ``asks``: it gets run, node and need first.
    ``raw``: its arguments keep their parts. ``timely``: what it gives hangs on when the message
    came. ``special`` ones are made by the compiler.
    """

    name: str
    make: Callable[..., Any] | None
    takes: Takes
    asks: bool
    raw: bool
    usage: str
    doc: str
    least: int = 0
    most: int = 0
    timely: bool = False


FUNCTIONS: dict[str, Function] = {}


def function(
    usage: str,
    takes: Takes = "text",
    *,
    asks: bool = False,
    raw: bool = False,
    timely: bool = False,
) -> Callable[[F], F]:
    """Register a function of the language; its docstring is its documentation."""

    def register(make: F) -> F:
        name = make.__name__.removesuffix("_")
        least, most = _arity(make, takes, asks)
        FUNCTIONS[name] = Function(
            name, make, takes, asks, raw, usage, _sentence(make), least, most, timely
        )
        return make

    return register


def special(name: str, usage: str, doc: str, takes: Takes = "nothing") -> None:
    """Document a form that the compiler itself makes."""
    FUNCTIONS[name] = Function(name, None, takes, False, False, usage, doc, 0, 99)


def table() -> str:
    """The documentation of all functions as a Markdown table."""
    rows = ["| function | does |", "|---|---|"]
    for name in sorted(FUNCTIONS):
        entry = FUNCTIONS[name]
        usage = entry.usage.replace("|", "\\|")
        rows.append(f"| `{usage}` | {entry.doc} |")
    return "\n".join(rows)


def _sentence(make: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(make) or "").split()).replace("|", "\\|")


def _arity(make: Callable[..., Any], takes: Takes, asks: bool) -> tuple[int, int]:
    parameters = list(inspect.signature(make).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 0, 99
    given = (3 if asks else 0) + {"nothing": 0, "text": 1, "all": 1, "value": 2}[takes]
    own = parameters[given:]
    return sum(1 for p in own if p.default is p.empty), len(own)
