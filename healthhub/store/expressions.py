"""The FHIRPath of search parameters, compiled to ways through a resource's JSON.

A small part of FHIRPath (http://hl7.org/fhir/R4/fhirpath.html) carries all parameters of the
specification: paths, ``|``, ``as``, ``ofType``, ``where`` with one test, ``extension``,
``exists``, ``resolve() is``, an index. Types are known from R4's definitions, so a choice such
as ``value as Quantity`` becomes the element ``valueQuantity``. What is not understood is an
error, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from healthhub.model.r4 import shape
from healthhub.store.place import (
    Filter,
    Place,
    Unreadable,
    child,
    extension,
    filtered,
    indexed,
    of_type,
    walk,
)

_BOOLEANS = {"true": True, "false": False}
_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z_$][A-Za-z0-9_]*|\d+|!=|[.()|\[\],=])")


@cache
def places(resource_type: str, expression: str) -> tuple[Place, ...]:
    """The places that an expression means in resources of a type, of no other type's branch.

    Raises Unreadable.
    """
    found: list[Place] = []
    for branch in _branches(expression):
        root = re.match(r"\(*([A-Z][A-Za-z]*)\b", branch)
        if root and root[1] not in (resource_type, "Resource", "DomainResource"):
            if root[1] in shape.resources():
                continue
            raise Unreadable(f"{root[1]!r} is no resource type")
        found += _Reader(resource_type, branch).all()
    return tuple(dict.fromkeys(found))


def within(element_type: str, expression: str) -> tuple[Place, ...]:
    """The places that an expression means in an element of a type (a composite's component)."""
    found: list[Place] = []
    for branch in _branches(expression):
        found += _Reader(element_type, branch).all()
    return tuple(dict.fromkeys(found))


def _branches(expression: str) -> list[str]:
    """The parts of a union: cut at each | outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, sign in enumerate(expression):
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += (sign in "([") - (sign in ")]")
            if sign == "|" and depth == 0:
                parts.append(expression[start:at])
                start = at + 1
    return [part.strip() for part in (*parts, expression[start:])]


class _Reader:
    """Reads one branch, going along its types."""

    def __init__(self, root: str, text: str) -> None:
        self._root = root
        self._text = text
        self._tokens = self._cut(text)
        self._at = 0

    def _cut(self, text: str) -> list[str]:
        tokens, at = [], 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Unreadable(f"{text[at : at + 20]!r} is not understood")
            tokens.append(match[1])
            at = match.end()
        return tokens

    def all(self) -> list[Place]:
        found = self._tested()
        if self._at < len(self._tokens):
            raise Unreadable(f"{self._tokens[self._at]!r} is not understood here")
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._next()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"{wanted or 'more'} is expected in {self._text[:200]!r}")
        self._at += 1
        return token

    def _tested(self) -> list[Place]:
        """A path, or tests of paths joined by ``and``, which give one boolean."""
        found, test = self._test()
        if test is None:
            return found
        tests = [test]
        while self._next() == "and":
            self._take()
            _, more = self._test()
            if more is None:
                raise Unreadable("after 'and' a test is expected")
            tests.append(more)

        def keep(value: Any) -> Iterator[Any]:
            yield all(each(value) for each in tests)

        return [Place((Filter(f"<{self._text}>", keep),), "boolean")]

    def _test(self) -> tuple[list[Place], Callable[[Any], bool] | None]:
        found = self._union()
        if found and all(place.type == "exists()" for place in found):
            ways = [place.steps for place in found]
            return [], lambda value: any(True for way in ways for _ in walk(value, way))
        if self._next() not in ("=", "!="):
            return found, None
        equal = self._take() == "="
        constant = _constant(self._take())
        ways = [place.steps for place in found]

        def test(value: Any) -> bool:
            values = [each for way in ways for each in walk(value, way)]
            return bool(values) and (values == [constant]) is equal

        return [], test

    def _union(self) -> list[Place]:
        found = self._path()
        while self._next() == "|":
            self._take()
            found += self._path()
        return found

    def _path(self) -> list[Place]:
        found = self._first()
        while True:
            match self._next():
                case ".":
                    self._take()
                    found = self._step(found, self._take())
                case "[":
                    self._take()
                    number = self._take()
                    if not number.isdigit():
                        raise Unreadable("an index is a number")
                    found = indexed(found, int(number))
                    self._take("]")
                case "as" | "is":
                    self._take()
                    found = of_type(found, self._take())
                case _:
                    return found

    def _first(self) -> list[Place]:
        root = [Place((), self._root)]
        if self._next() == "(":
            self._take()
            found = self._union()
            self._take(")")
            return found
        name = self._take()
        if name in (self._root, "Resource", "DomainResource", "$this"):
            return root
        return self._step(root, name)

    def _step(self, found: list[Place], name: str) -> list[Place]:
        if self._next() != "(":
            return child(found, name)
        self._take("(")
        match name:
            case "as" | "ofType":
                made = of_type(found, self._take())
            case "extension":
                made = extension(found, _constant(self._take()))
            case "exists":
                made = [replace(place, type="exists()") for place in found]
            case "where":
                made = self._where(found)
            case _:
                raise Unreadable(f"the function {name}() is not understood")
        self._take(")")
        return made

    def _where(self, found: list[Place]) -> list[Place]:
        name = self._take()
        if name == "resolve":
            for sign in ("(", ")", "is"):
                self._take(sign)
            target = self._take()
            return [replace(place, target=target) for place in found]
        if name == "hasExtension":
            self._take("(")
            url = _constant(self._take())
            self._take(")")
            return filtered(found, f"[hasExtension {url}]", lambda v: _has_extension(v, url))
        self._take("=")
        constant = _constant(self._take())
        return filtered(
            found, f"[{name}={constant}]", lambda v: type(v) is dict and v.get(name) == constant
        )


def _constant(token: str) -> Any:
    if token.startswith("'"):
        return token[1:-1].replace("\\'", "'")
    if token in _BOOLEANS:
        return _BOOLEANS[token]
    raise Unreadable(f"{token!r} is no constant that is understood")


def _has_extension(value: Any, url: str) -> bool:
    return type(value) is dict and any(
        type(one) is dict and one.get("url") == url for one in value.get("extension", ())
    )
