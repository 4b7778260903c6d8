"""What a resource is found by: a pure function of its body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

from healthhub.model.resource import Body
from healthhub.store import dates, spelling
from healthhub.store.parameters import SHARED_PARAMETERS, Parameter, parameters


@dataclass(slots=True)
class Index:
    """The index entries of one resource.

    ``tokens``: hashes of codes, references and exact strings; ``identifiers``: hashes of value
    and of system; ``texts``: parameter and normal form; ``present``: bits of the parameters
    that have a value; ``dates``: ends of the dates by slot.
    """

    tokens: set[int] = field(default_factory=set)
    identifiers: set[tuple[int, int]] = field(default_factory=set)
    texts: set[tuple[str, str]] = field(default_factory=set)
    present: int = 0
    dates: dict[int, tuple[datetime | None, datetime | None]] = field(default_factory=dict)

    @property
    def moments(self) -> list[datetime | None] | None:
        """The ends of all dates but the clinical one, in order of their slots."""
        last = max(self.dates, default=0)
        if last == 0:
            return None
        return [
            end for slot in range(1, last + 1) for end in self.dates.get(slot, (None, None))
        ]


Take = Callable[[Index, Any], bool]
"""Enters one value; tells whether it was one."""

ANY_SYSTEM = "*|"
"""Stands before a plain code (status, gender): its system is not in the body, any will do."""


@lru_cache(maxsize=100_000)
def token(parameter: str, value: str) -> int:
    """The 8-byte hash under which a value of a parameter stands."""
    digest = blake2b(f"{parameter}\x1f{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def identifier(resource_type: str, value: str) -> int:
    """The hash of an identifier's value."""
    digest = blake2b(f"{resource_type}\x1f{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def of(body: Body) -> Index:
    """All index entries of a resource."""
    index = Index()
    plan = _plan(body["resourceType"])
    for name, found in body.items():
        for steps, bit, take in plan.get(name, ()):
            if steps:
                values = _walk(found, steps, 0)
            else:
                values = found if type(found) is list else (found,)
            for value in values:
                if take(index, value):
                    index.present |= bit
    return index


@cache
def _plan(resource_type: str) -> dict[str, list[tuple[tuple[str, ...], int, Take]]]:
    """What to do with each top-level element of a type."""
    plan: dict[str, list[tuple[tuple[str, ...], int, Take]]] = {}
    for parameter in parameters(resource_type) or SHARED_PARAMETERS:
        take = _take(resource_type, parameter)
        if take is None:
            continue
        for path in parameter.path.split("|"):
            first, *steps = path.split(".")
            plan.setdefault(first, []).append((tuple(steps), parameter.bit, take))
    return plan


def _take(resource_type: str, parameter: Parameter) -> Take | None:
    name = parameter.name
    if name in ("_id", "_lastUpdated", "_source"):
        return None
    match parameter.kind:
        case "identifier":
            return lambda index, value: _identifier(resource_type, index, value)
        case "date":
            return lambda index, value: _date(parameter.slot, index, value)
        case "string" | "phone":
            return lambda index, value: _texts(parameter, index, value)
        case "reference":
            own = parameter.targets == ("Patient",)
            return lambda index, value: _reference(name, own, index, value)
    return lambda index, value: _token(name, index, value)


def _token(name: str, index: Index, value: Any) -> bool:
    if not isinstance(value, dict):
        plain = str(value).lower() if isinstance(value, bool) else value
        index.tokens.add(token(name, f"{ANY_SYSTEM}{plain}"))
        return True
    for coding in value.get("coding", (value,)):
        if code := coding.get("code"):
            index.tokens.update(_coding(name, coding.get("system", ""), code))
    return True


@lru_cache(maxsize=50_000)
def _coding(name: str, system: str, code: str) -> tuple[int, int]:
    return token(name, code), token(name, f"{system}|{code}")


def _reference(name: str, own: bool, index: Index, value: Any) -> bool:
    """The patient is not entered: it is in the row's key."""
    text = value.get("reference") if isinstance(value, dict) else None
    if text and not (own and text.startswith("Patient/")):
        index.tokens.add(token(name, text))
    return bool(value)


def _identifier(resource_type: str, index: Index, value: Any) -> bool:
    text = value.get("value")
    if text:
        system = value.get("system", "")
        index.identifiers.add((identifier(resource_type, text), token("", system)))
    return bool(text)


def _date(slot: int, index: Index, value: Any) -> bool:
    if isinstance(value, dict):
        start, end = dates.span(value.get("start", "")), dates.span(value.get("end", ""))
        both = (start[0] if start else None, end[1] if end else None)
    else:
        both = dates.span(value) or (None, None)
    if both == (None, None):
        return False
    index.dates[slot] = both
    return True


def _texts(parameter: Parameter, index: Index, value: Any) -> bool:
    name = parameter.name
    for text in strings(name, value):
        if parameter.kind == "phone":
            index.texts.add((name, phone(text)))
            continue
        index.tokens.add(token(f"{name}:exact", text))
        named = name in ("name", "family", "given")
        forms = spelling.name_forms(text) if named else (spelling.normal(text),)
        index.texts.update((name, form) for form in forms if form)
    return bool(value)


def phone(text: str) -> str:
    """The form under which a phone number or other address stands."""
    plain = spelling.normal(text)
    return plain if any(c.isalpha() for c in plain) else spelling.digits(text)


_TEXT_PARTS = (
    "text family given prefix suffix line city district state country postalCode".split()
)


def strings(name: str, value: Any) -> Iterator[str]:
    """The strings of a HumanName, Address, ContactPoint or plain element."""
    if isinstance(value, str):
        yield value
        return
    if value.get("value") and value.get("system") in _SYSTEMS.get(name, (value.get("system"),)):
        yield value["value"]
    for part in _TEXT_PARTS:
        yield from (entry for entry in _each(value.get(part, ())) if isinstance(entry, str))
    if value.get("family") and value.get("given") and not value.get("text"):
        yield value["family"] + "".join(value["given"])


_SYSTEMS = {"phone": ("phone", "sms"), "email": ("email",)}


def _each(found: Any) -> Iterable[Any]:
    return found if isinstance(found, list | tuple) else (found,)


def reached(body: Body, path: str) -> Iterator[Any]:
    """The values that a parameter's path reaches in a resource."""
    for way in path.split("|"):
        yield from _walk(body, tuple(way.split(".")), 0)


def _walk(value: Any, steps: tuple[str, ...], depth: int) -> Iterator[Any]:
    if isinstance(value, list):
        for entry in value:
            yield from _walk(entry, steps, depth)
    elif depth == len(steps):
        if value is not None:
            yield value
    elif isinstance(value, dict) and steps[depth] in value:
        yield from _walk(value[steps[depth]], steps, depth + 1)
