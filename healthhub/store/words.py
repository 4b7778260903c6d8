"""The words behind tokens (displays, addresses), of which the store keeps one copy for all rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from psycopg import Connection

from healthhub.store.entries import Index
from healthhub.store.hashes import token

REMEMBERED = 50_000

_KNOWN = """select distinct token from resource_word
    where token = any(%b::bigint[]) and age(xmin) > 0"""
"""Only what an earlier transaction wrote is remembered: no rollback can make it a lie."""

_seen: WeakKeyDictionary[Connection, OrderedDict[int, None]] = WeakKeyDictionary()
"""Each connection remembers for itself, as it belongs to one database."""


def keep(connection: Connection, found: Iterable[Index]) -> None:
    """Enter the words that are not there yet.

    Two writers may enter the same word at once; it then stands there twice, which changes no
    answer and makes neither wait for the other.
    """
    seen = _seen.setdefault(connection, OrderedDict())
    new: dict[int, tuple[str, str]] = {}
    for index in found:
        for field, value in index.words:
            hashed = token(field, value)
            if hashed not in seen:
                new[hashed] = (field, value)
    if not new:
        return
    with connection.cursor(binary=True) as cursor:
        for (hashed,) in cursor.execute(_KNOWN, (list(new),)):
            del new[hashed]
            seen[hashed] = None
        while len(seen) > REMEMBERED:
            seen.popitem(last=False)
        if new:
            cursor.execute(
                "insert into resource_word select * from"
                " unnest(%b::bigint[], %b::text[], %b::text[])",
                (list(new), *map(list, zip(*new.values(), strict=True))),
            )
