"""What a resource is found by: a pure function of its body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

from healthhub.model.resource import Body
from healthhub.store import dates, spelling
from healthhub.store.parameters import Parameter, parameters


@dataclass(slots=True)
class Index:
    """The index entries of one resource."""

    tokens: set[int]
    codes: set[int]
    identifiers: set[int]
    texts: set[tuple[str, str]]
    start: datetime | None = None
    end: datetime | None = None


ANY_SYSTEM = "*|"
"""Stands before a plain code (status, gender): its system is not in the body, any will do."""


@lru_cache(maxsize=200_000)
def token(parameter: str, value: str) -> int:
    """The 8-byte hash under which a value of a parameter stands."""
    digest = blake2b(f"{parameter}\x1f{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def identifier(resource_type: str, value: str) -> int:
    """The hash of an identifier, ``system|value`` or ``value`` alone."""
    digest = blake2b(f"{resource_type}\x1f{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def of(body: Body) -> Index:
    """All index entries of a resource."""
    index = Index(set(), set(), set(), set())
    for extract in _extractors(body["resourceType"]):
        extract(body, index)
    for tag in body.get("meta", {}).get("tag", ()):
        index.tokens.update(_coding("_tag", tag))
    return index


@cache
def _extractors(resource_type: str) -> tuple[Callable[[Body, Index], None], ...]:
    found = [
        _extractor(resource_type, parameter)
        for parameter in parameters(resource_type)
        if not parameter.name.startswith("_") and parameter.targets != ("Patient",)
    ]
    if not parameters(resource_type):
        found.append(_identifiers(resource_type, Parameter("", "identifier", "identifier", "")))
    return tuple(found)


def _extractor(resource_type: str, parameter: Parameter) -> Callable[[Body, Index], None]:
    if parameter.kind == "identifier":
        return _identifiers(resource_type, parameter)
    if parameter.kind == "date":
        return _date(parameter)
    if parameter.kind in ("string", "phone"):
        return _texts(parameter)
    return _tokens(parameter)


def _tokens(parameter: Parameter) -> Callable[[Body, Index], None]:
    values, name = values_of(parameter.path), parameter.name
    of_value = _reference if parameter.kind == "reference" else _token

    def extract(body: Body, index: Index) -> None:
        into = index.codes if parameter.wide else index.tokens
        for value in values(body):
            into.update(of_value(name, value))

    return extract


def _identifiers(resource_type: str, parameter: Parameter) -> Callable[[Body, Index], None]:
    values = values_of(parameter.path)

    def extract(body: Body, index: Index) -> None:
        for value in values(body):
            if text := value.get("value"):
                index.identifiers.add(identifier(resource_type, text))
                index.identifiers.add(
                    identifier(resource_type, f"{value.get('system', '')}|{text}")
                )

    return extract


def _date(parameter: Parameter) -> Callable[[Body, Index], None]:
    values = values_of(parameter.path)

    def extract(body: Body, index: Index) -> None:
        for value in values(body):
            period = value if isinstance(value, dict) else {"start": value, "end": value}
            start = dates.span(period.get("start", ""))
            end = dates.span(period.get("end", ""))
            index.start = start[0] if start else None
            index.end = end[1] if end else None
            return

    return extract


def _texts(parameter: Parameter) -> Callable[[Body, Index], None]:
    values, name = values_of(parameter.path), parameter.name

    def extract(body: Body, index: Index) -> None:
        for value in values(body):
            for text in _strings(value):
                forms = (
                    (spelling.digits(text) or spelling.normal(text),)
                    if parameter.kind == "phone"
                    else spelling.name_forms(text)
                    if name in ("name", "family", "given")
                    else (spelling.normal(text),)
                )
                index.texts.update((name, form) for form in forms if form)

    return extract


_TEXT_PARTS = [
    "text",
    "family",
    "given",
    "prefix",
    "suffix",
    "line",
    "city",
    "district",
    "state",
    "country",
    "postalCode",
    "value",
]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in _TEXT_PARTS:
            found = value.get(part)
            if isinstance(found, str):
                yield found
            elif isinstance(found, list):
                yield from (entry for entry in found if isinstance(entry, str))


def _token(name: str, value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for coding in value.get("coding", (value,) if "code" in value else ()):
            yield from _coding(name, coding)
    elif isinstance(value, bool):
        yield token(name, "true" if value else "false")
    else:
        yield token(name, f"{ANY_SYSTEM}{value}")


def _coding(name: str, coding: Body) -> Iterator[int]:
    if code := coding.get("code"):
        yield token(name, code)
        yield token(name, f"{coding.get('system', '')}|{code}")


def _reference(name: str, value: Any) -> Iterator[int]:
    if text := value.get("reference"):
        yield token(name, text)


@cache
def values_of(path: str) -> Callable[[Body], Iterator[Any]]:
    """The reader of a parameter's path: gives what stands there, lists gone through."""
    choices = [choice.split(".") for choice in path.split("|")]

    def walk(body: Body) -> Iterator[Any]:
        for steps in choices:
            yield from _walk(body, steps, 0)

    return walk


def _walk(value: Any, steps: list[str], depth: int) -> Iterator[Any]:
    if isinstance(value, list):
        for entry in value:
            yield from _walk(entry, steps, depth)
    elif depth == len(steps):
        if value is not None:
            yield value
    elif isinstance(value, dict) and steps[depth] in value:
        yield from _walk(value[steps[depth]], steps, depth + 1)
