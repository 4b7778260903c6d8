"""JSON as it travels: numbers keep the digits they were sent with, bodies are spliced as bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from healthhub.errors import InvalidRequest
from healthhub.model.resource import Body


class _Digits(Decimal):
    """A number that is written again with the very characters it was sent with (1e2, 1.50)."""

    text: str

    def __new__(cls, text: str) -> _Digits:
        number = super().__new__(cls, text)
        number.text = text
        return number


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def loads(data: bytes | str) -> Body:
    """Read a client's resource; decimals become Decimal with their digits.

    Raises InvalidRequest when it is no JSON object."""
    try:
        body = json.loads(data, parse_float=_Digits, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        place = ""
        if isinstance(error, json.JSONDecodeError):
            place = f" (line {error.lineno}, column {error.colno})"
        raise InvalidRequest(f"the body is not JSON in UTF-8{place}; correct it") from None
    if not isinstance(body, dict):
        raise InvalidRequest("the body is not a JSON object; send one resource")
    return body


def dumps(body: Body) -> bytes:
    """Write a body; Decimal values keep their digits."""
    return orjson.dumps(body, default=_number)


def _number(value: Any) -> orjson.Fragment:
    if isinstance(value, _Digits):
        return orjson.Fragment(value.text)
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} has no form in FHIR JSON")
