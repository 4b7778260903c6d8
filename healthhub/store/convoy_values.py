"""Named parameters of a convoy's statement, in the form in which libpq sends them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import psycopg

_PLACE = re.compile(r"%\((\w+)\)b|%%")


@lru_cache(maxsize=1000)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1, $2... for its named places, and their names in order."""
    names: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        name = found.group(1)
        return "%" if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return _PLACE.sub(place, sql), tuple(names)


def text(value: Any) -> bytes | None:
    """A parameter in text; its type is the one that the statement gives its place."""
    match value:
        case None:
            return None
        case bool():
            return b"t" if value else b"f"
        case str():
            if "\0" in value:  # libpq would take what is before it for the whole
                raise psycopg.DataError("a text of PostgreSQL holds no NUL")
            return value.encode()
        case bytes():
            return b"\\x" + value.hex().encode()
        case datetime():
            return value.isoformat().encode()
        case int() | UUID() | Decimal():
            return str(value).encode()
        case list() | tuple():
            return b"{%b}" % b",".join(map(_element, cast(Sequence[Any], value)))
    raise TypeError(f"{type(value).__name__} is no parameter of a convoy")


def _element(value: Any) -> bytes:
    said = text(value)
    if isinstance(value, str) and said is not None:
        return b'"%b"' % said.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return said or b"null"
