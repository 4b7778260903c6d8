"""history: GET [base]/[type]/[id]/_history, [base]/[type]/_history, [base]/_history.

http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.errors import InvalidRequest
from healthhub.model.resource import Stored
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of, type_of

CURSOR = "_cursor"
USUAL = 100
MOST = 1000
"""Versions on a page."""


async def history(request: Request) -> Response:
    """The versions of one resource, the newest first; a deletion is an entry without one."""
    ask = await _asked(request)
    type_, fhir_id = type_of(request), id_of(request)
    return await _page(ask, f"/{type_}/{fhir_id}", [type_], fhir_id)


async def history_of_type(request: Request) -> Response:
    """The versions of all resources of a type."""
    ask = await _asked(request)
    type_ = type_of(request)
    return await _page(ask, f"/{type_}", [type_], None)


async def history_of_all(request: Request) -> Response:
    """The versions of all resources."""
    return await _page(await _asked(request), "", holdings.TYPES, None)


async def _asked(request: Request) -> Asked:
    return await asked(request, "_count", "_since", "_at", CURSOR)


async def _page(ask: Asked, path: str, types: Sequence[str], fhir_id: str | None) -> Response:
    count = min(count_of(ask.one("_count")) or USUAL, MOST)
    found = await ask.door.versions(
        ask.who, ask.why, types, fhir_id, _span(ask), count, ask.one(CURSOR)
    )
    here = f"{ask.base}{path}/_history"
    links = [("self", _url(here, ask.params))]
    if found.next is not None:
        kept = [pair for pair in ask.params if pair[0] != CURSOR]
        links.append(("next", _url(here, [*kept, (CURSOR, found.next)])))
    entries = [_entry(ask.base, stored) for stored in found.matches]
    made = answer.of_json(ask, answer.bundle("history", entries, links, found.total))
    made.headers["cache-control"] = "private, no-store"
    return made


def _span(ask: Asked) -> holdings.Span:
    since, at = ask.one("_since"), ask.one("_at")
    first, last = _moments(at, "_at") if at is not None else (None, None)
    return holdings.Span(None if since is None else _moments(since, "_since")[0], first, last)


def _moments(text: str, name: str) -> tuple[datetime, datetime]:
    """The first and last moment of a date or time; the "+" of an offset may come as a blank."""
    found = holdings.dates.span(text.replace(" ", "+"))
    if found is None:
        raise InvalidRequest(
            f"{name} is a date or time such as 2026-03-01T08:00:00+08:00", expression=name
        )
    return found


def count_of(text: str | None) -> int | None:
    """A _count of 1 or more; None when there is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 7):
        raise InvalidRequest("_count is a whole number from 1 on", expression="_count")
    return int(text)


def _entry(base: str, stored: Stored) -> bytes:
    fhir_id = answer.id_in(stored)
    made = stored.version == 1
    # An id that the hub chose is a UUID; under any other a client has put the resource.
    posted = made and str(stored.id) == fhir_id
    method = "DELETE" if stored.deleted else "POST" if posted else "PUT"
    url = stored.type if posted else f"{stored.type}/{fhir_id}"
    more = orjson.dumps(
        {
            "fullUrl": f"{base}/{stored.type}/{fhir_id}",
            "request": {"method": method, "url": url},
            "response": {
                "status": "204" if stored.deleted else "201" if made else "200",
                "etag": f'W/"{stored.version}"',
                "lastModified": answer.instant(stored.updated),
            },
        }
    )
    return more if stored.deleted else b'%b,"resource":%b}' % (more[:-1], stored.json)


def _url(here: str, params: Sequence[tuple[str, str]]) -> str:
    query = urlencode(params, safe=":/|,$")
    return f"{here}?{query}" if query else here
