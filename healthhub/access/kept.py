"""Searches that were sent in a body, kept for a while: the addresses of their pages hold a token
and none of their values, which may be a person's name or number.

http://hl7.org/fhir/R4/search.html#Introduction (POST, so that no log holds the parameters)
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import orjson

from healthhub.access.actor import Actor
from healthhub.errors import Gone
from healthhub.store.query import Query, Row

Params = Sequence[tuple[str, str]]
KEEP = "1 hour"
MOST_OF_ONE, MOST = 500, 10_000
"""Searches that are kept for one actor, and for all together; the oldest go for the next."""

_KEEP = f"""with bounds as materialized (select
    greatest(now() - interval '{KEEP}', (select at from kept_search
        order by at desc offset %(others)b::bigint limit 1)) as any_actor,
    (select at from kept_search where actor = %(actor)b
        order by at desc offset %(own)b::bigint limit 1) as this_actor),
old as materialized (select token from kept_search, bounds
    where at <= any_actor or (actor = %(actor)b and at <= this_actor)
    for update of kept_search skip locked),
gone as (delete from kept_search where token in (select token from old))
insert into kept_search (token, actor, place, params)
values (%(token)b, %(actor)b, %(place)b, %(params)b::jsonb) returning token"""  # noqa: S608
_KEPT = """select params from kept_search
 where token = %(token)b and actor = %(actor)b and place = %(place)b"""


def keep(who: Actor, place: str, params: Params) -> Query[str]:
    """Keep a search at an address (``Patient``); the token for which its actor gets it back."""
    values = {
        "token": secrets.token_urlsafe(24),
        "actor": who.id,
        "place": place,
        "params": orjson.dumps([*params]).decode(),
        "own": MOST_OF_ONE - 1,
        "others": MOST - 1,
    }
    return Query(_KEEP, values, lambda found: found[0][0])


def kept(who: Actor, place: str, token: str) -> Query[list[tuple[str, str]]]:
    """The search that was kept for its actor; Gone after an hour, or when MOST_OF_ONE newer
    ones have been kept for it."""

    def decode(found: list[Row]) -> list[tuple[str, str]]:
        if not found:
            raise Gone(
                "the search that this page belongs to is no longer kept; send it again",
                expression="_page",
            )
        return [(name, value) for name, value in found[0][0]]

    return Query(_KEPT, {"token": token, "actor": who.id, "place": place}, decode)
