"""JSON as it travels: numbers keep the digits they were sent with, bodies are spliced as bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from healthhub.errors import InvalidRequest
from healthhub.model.resource import Body

DEEPEST = 120
"""Levels of nesting that a resource may have; R4's own types need fewer than 20."""


class _Digits(Decimal):
    """A number that is written again with the very characters it was sent with (1e2, 1.50)."""

    text: str

    def __new__(cls, text: str) -> _Digits:
        number = super().__new__(cls, text)
        number.text = text
        return number


def _whole(text: str) -> int | Decimal:
    return _Digits(text) if len(text) > 18 or text == "-0" else int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return found


_kept = json.JSONDecoder(parse_float=_Digits, parse_int=_whole)
_sent = json.JSONDecoder(
    parse_float=_Digits,
    parse_int=_whole,
    parse_constant=_no_constant,
    object_pairs_hook=_unique,
)


def loads(data: bytes | str) -> Body:
    """Read a client's resource; decimals become Decimal with their digits.

    Raises InvalidRequest when it is no JSON object that FHIR allows
    (http://hl7.org/fhir/R4/json.html): names are unique, text has no NUL and no half character.
    """
    body = parse(data)
    if not isinstance(body, dict):
        raise InvalidRequest("the body is not a JSON object; send one resource")
    return body


def parse(data: bytes | str) -> Any:
    """Any JSON that a client sent, read as ``loads`` reads a resource."""
    try:
        text = data if isinstance(data, str) else data.decode()
        body = _sent.decode(text)
        if "\\u" in text:
            orjson.loads(text)
    except (ValueError, RecursionError) as error:
        place = ""
        if isinstance(error, json.JSONDecodeError):
            place = f" (line {error.lineno}, column {error.colno})"
        raise InvalidRequest(
            f"the body is not JSON in UTF-8 with unique names{place}; correct it"
        ) from None
    if "\\u0000" in text:
        raise InvalidRequest("the body has a NUL character, which FHIR forbids; leave it out")
    if text.count("{") + text.count("[") > DEEPEST and _depth(body) > DEEPEST:
        raise InvalidRequest(f"the body is nested more than {DEEPEST} levels deep")
    return body


def _depth(value: Any) -> int:
    level, depth = [value] if isinstance(value, dict | list) else [], 0
    while level:
        depth += 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return depth


def reload(data: bytes) -> Body:
    """Read again what was written by ``dumps``, digits kept."""
    return _kept.decode(data.decode())


def dumps(body: Any) -> bytes:
    """Write a body or a part of one; Decimal values keep their digits."""
    return orjson.dumps(body, default=_number)


def canonical(value: Any) -> bytes:
    """One spelling for equal values, whatever the order of their names; digits count."""
    return orjson.dumps(value, default=_number, option=orjson.OPT_SORT_KEYS)


def _number(value: Any) -> orjson.Fragment:
    if isinstance(value, _Digits):
        return orjson.Fragment(value.text)
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} has no form in FHIR JSON")
