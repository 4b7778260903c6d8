"""JSON as it travels: numbers keep the digits they were sent with, bodies are spliced as bytes."""

from __future__ import annotations

from healthhub.model.resource import Body


def loads(data: bytes | str) -> Body:
    """Read a client's resource; decimals become Decimal with their digits.

    Raises InvalidRequest when it is no JSON object."""
    raise NotImplementedError


def dumps(body: Body) -> bytes:
    """Write a body; Decimal values keep their digits."""
    raise NotImplementedError
