"""The FHIRPath of patches: from an expression to the places in a resource that it names.

A place can be changed, which a value cannot; so this is not a general FHIRPath but the part that
http://hl7.org/fhir/R4/fhirpatch.html calls for: element names (``value`` stands for any form of
a choice element), indexes, where() with comparisons, exists(), first(), last(), single(),
ofType(), as(), extension().
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from healthhub.errors import InvalidRequest
from healthhub.model.r4 import shape
from healthhub.serve.fhir.json_patch import equal

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)|(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<time>@[0-9T:+.Z-]+)|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>!=|[.()\[\]=]))"
)
LONGEST = 1000
DEEPEST = 20
"""Brackets within brackets: no path that a person means goes further."""


@dataclass(frozen=True, slots=True)
class Place:
    """An element: what holds it, under which key or index, its type in R4 and its parent's."""

    holder: Any
    key: Any
    type: str
    above: str = ""

    @property
    def value(self) -> Any:
        """What is there."""
        return self.holder[self.key]


Step = Callable[[list[Place]], list[Place]]
Test = Callable[[Place], bool]


def places(body: dict[str, Any], expression: str) -> list[Place]:
    """The places that the expression names in the resource."""
    steps = _Reader(expression).path()
    root = Place({"": body}, "", body["resourceType"])
    return steps([root])


class _Reader:
    """Reads one expression, a token at a time."""

    def __init__(self, expression: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = expression.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or len(text) > LONGEST:
                raise _unknown()
            self._tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()
        depth = 0
        for _, sign in self._tokens:
            depth += (sign == "(") - (sign == ")")
            if depth > DEEPEST:
                raise _unknown()
        self._at = 0

    def path(self) -> Step:
        """The whole expression."""
        steps = self._steps(first=True)
        if self._at != len(self._tokens):
            raise _unknown()
        return steps

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take(self, wanted: str = "") -> tuple[str, str]:
        token = self._peek()
        if not token[0] or (wanted and token[1] != wanted):
            raise _unknown()
        self._at += 1
        return token

    def _steps(self, *, first: bool) -> Step:
        steps: list[Step] = []
        kind, name = self._take()
        if kind != "name":
            raise _unknown()
        if first and name in shape.resources():
            steps.append(_of_resource(name))
        elif self._peek()[1] == "(":
            steps.append(self._function(name))
        elif name != "$this":
            steps.append(_child(name.strip("`")))
        while self._peek()[1] in (".", "["):
            if self._take()[1] == "[":
                kind, number = self._take()
                if kind != "number" or not number.isdigit():
                    raise _unknown()
                steps.append(_index(int(number)))
                self._take("]")
                continue
            kind, name = self._take()
            if kind != "name":
                raise _unknown()
            called = self._peek()[1] == "("
            steps.append(self._function(name) if called else _child(name.strip("`")))
        return lambda found: _through(steps, found)

    def _function(self, name: str) -> Step:
        self._take("(")
        match name:
            case "first":
                step: Step = lambda found: found[:1]  # noqa: E731
            case "last":
                step = lambda found: found[-1:]  # noqa: E731
            case "single":
                step = _single
            case "where":
                test = self._either()
                step = lambda found: [place for place in found if test(place)]  # noqa: E731
            case "ofType" | "as":
                wanted = self._take()[1]
                step = lambda found: [p for p in found if p.type == wanted]  # noqa: E731
            case "extension":
                url = _literal(self._take())
                child = _child("extension")
                step = lambda found: [  # noqa: E731
                    place for place in child(found) if place.value.get("url") == url
                ]
            case _:
                raise _unknown()
        self._take(")")
        return step

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek()[1] == "or":
            self._take()
            tests.append(self._both())
        return lambda place: any(test(place) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek()[1] == "and":
            self._take()
            tests.append(self._one())
        return lambda place: all(test(place) for test in tests)

    def _one(self) -> Test:
        if self._peek()[1] == "(":
            self._take()
            inner = self._either()
            self._take(")")
            return inner
        steps, exists = self._operand()
        if exists:
            return lambda place: bool(steps([place]))
        sign = self._take()[1]
        if sign not in ("=", "!="):
            raise _unknown()
        wanted = _literal(self._take())

        def test(place: Place) -> bool:
            found = [each.value for each in steps([place])]
            same = len(found) == 1 and equal(found[0], wanted)
            return same if sign == "=" else bool(found) and not same

        return test

    def _operand(self) -> tuple[Step, bool]:
        """A path within where(), and whether it ends in exists()."""
        start = self._at
        depth = 0
        while self._at < len(self._tokens):
            text = self._tokens[self._at][1]
            if depth == 0 and text in ("=", "!=", "and", "or", ")"):
                break
            depth += (text == "(") - (text == ")")
            self._at += 1
        inner = self._tokens[start : self._at]
        exists = [text for _, text in inner[-3:]] == ["exists", "(", ")"]
        if exists:
            inner = inner[:-3][:-1]
        reader = _Reader("")
        reader._tokens = inner
        return reader.path(), exists


def _through(steps: list[Step], found: list[Place]) -> list[Place]:
    for step in steps:
        found = step(found)
    return found


def _of_resource(name: str) -> Step:
    return lambda found: [place for place in found if place.type == name]


def _index(number: int) -> Step:
    return lambda found: found[number : number + 1]


def _single(found: list[Place]) -> list[Place]:
    if len(found) > 1:
        raise InvalidRequest("single() finds several elements", expression="path")
    return found


def _child(name: str) -> Step:
    return lambda found: [inner for place in found for inner in _children(place, name)]


def _children(place: Place, name: str) -> list[Place]:
    holder = place.value
    if not isinstance(holder, dict):
        return []
    known = shape.element(place.type, name)
    names = [name] if known else shape.choices(place.type, name)
    if not names:
        raise InvalidRequest(
            f"{place.type} has no element {name[:64]!r}; correct the path", expression="path"
        )
    found: list[Place] = []
    for each in names:
        if each not in holder:
            continue
        element = shape.element(place.type, each)
        type_ = element[0] if element else ""
        value = holder[each]
        if isinstance(value, list):
            found += [
                Place(value, n, _typed(item, type_), place.type) for n, item in enumerate(value)
            ]
        else:
            found.append(Place(holder, each, _typed(value, type_), place.type))
    return found


def _typed(value: Any, type_: str) -> str:
    """The type of a value; a resource inside another tells its own."""
    return value["resourceType"] if type_ == "Resource" and isinstance(value, dict) else type_


def _literal(token: tuple[str, str]) -> Any:
    kind, text = token
    match kind:
        case "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        case "time":
            return text[1:]
        case "number":
            return Decimal(text)
        case "name" if text in ("true", "false"):
            return text == "true"
        case _:
            raise _unknown()


def _unknown() -> InvalidRequest:
    return InvalidRequest(
        "the path is not FHIRPath that a patch can follow: element names, [n], where(), "
        "exists(), first(), last(), single(), ofType(), as(), extension()",
        expression="path",
    )
