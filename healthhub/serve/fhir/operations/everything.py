"""Patient/$everything: GET or POST [base]/Patient/[id]/$everything.

http://hl7.org/fhir/R4/patient-operation-everything.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from healthhub import clock
from healthhub.access import holdings
from healthhub.errors import InvalidRequest
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of
from healthhub.serve.fhir.history import count_of
from healthhub.serve.fhir.operations.given import given
from healthhub.serve.fhir.search import CURSOR

CHUNK = 1000
"""Resources fetched at a time when no _count is given: bounds the memory of any answer."""
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the record is asked for."""

    types: tuple[str, ...] | None
    since: datetime | None
    start: datetime | None
    end: datetime | None


async def everything(request: Request) -> Response:
    """All of one person's record: a page with _count, else the whole as one stream."""
    ask = await asked(request, free=True)
    sent = await given(request, ask, ("start", "end", "_since", "_type", "_count", CURSOR))
    # The parameters of a POST, too, go into the links, from which the next page is a GET.
    ask = replace(ask, params=tuple((name, str(value)) for name, value in sent.pairs))
    patient, wanted = id_of(request), _wanted(ask)
    count = count_of(ask.one("_count"))
    page = await _page(ask, patient, wanted, ask.one(CURSOR), count or CHUNK)
    here = f"{ask.base}/Patient/{patient}/$everything"
    links = [("self", _url(here, ask.params))]
    if page.next is not None and count is None:
        return _stream(ask, patient, wanted, page, links)
    if page.next is not None:
        kept = [pair for pair in ask.params if pair[0] != CURSOR]
        links.append(("next", _url(here, [*kept, (CURSOR, page.next)])))
    made = answer.of_json(ask, answer.bundle("searchset", _entries(ask, page), links))
    made.headers["cache-control"] = "private, no-store"
    return made


def _stream(
    ask: Asked, patient: str, wanted: Wanted, first: holdings.Page, links: list[tuple[str, str]]
) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        linked = [{"relation": relation, "url": url} for relation, url in links]
        yield b'{"resourceType":"Bundle","type":"searchset","link":%b,"entry":[' % orjson.dumps(
            linked
        )
        page, comma, shown = first, b"", set[object]()
        while True:
            fresh = [stored for stored in page.included if stored.id not in shown]
            shown.update(stored.id for stored in fresh)
            page = holdings.Page(page.matches, fresh, page.next)
            entries = b",".join(_entries(ask, page))
            yield comma + entries
            comma = b"," if entries else comma
            if page.next is None:
                break
            page = await _page(ask, patient, wanted, page.next, CHUNK)
        yield b"]}"

    made = StreamingResponse(parts())
    made.headers["content-type"] = answer.MEDIA
    made.headers["cache-control"] = "private, no-store"
    return made


async def _page(
    ask: Asked, patient: str, wanted: Wanted, after: str | None, count: int
) -> holdings.Page:
    return await ask.door.everything(
        ask.who,
        ask.why,
        patient,
        types=wanted.types,
        since=wanted.since,
        start=wanted.start,
        end=wanted.end,
        after=after,
        count=count,
    )


def _entries(ask: Asked, page: holdings.Page) -> list[bytes]:
    return [
        *answer.entries(ask.base, page.matches, "match"),
        *answer.entries(ask.base, page.included, "include"),
    ]


def _wanted(ask: Asked) -> Wanted:
    named = [name for key, value in ask.params if key == "_type" for name in value.split(",")]
    for name in named:
        if name not in holdings.TYPES:
            raise InvalidRequest(f"{name[:64]!r} is no resource type", expression="_type")
    since = ask.one("_since")
    return Wanted(
        types=tuple(named) or None,
        since=None if since is None else _instant(since),
        start=_bound(ask.one("start"), "start", last=False),
        end=_bound(ask.one("end"), "end", last=True),
    )


def _instant(text: str) -> datetime:
    try:
        # The "+" of an offset arrives as a blank when it was not escaped.
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidRequest(
            "_since is an instant such as 2026-03-01T08:00:00+08:00", expression="_since"
        )
    return found


def _bound(text: str | None, name: str, *, last: bool) -> datetime | None:
    """The first or last moment of a year, month or day, in the hub's zone."""
    if text is None:
        return None
    found = _DATE.fullmatch(text)
    if found is not None:
        year, month, day = (int(part) if part else None for part in found.groups())
        try:
            return _moment(year or 0, month, day, last=last)
        except ValueError:
            pass
    raise InvalidRequest(f"{name} is a date such as 2026-03-01", expression=name)


def _moment(year: int, month: int | None, day: int | None, *, last: bool) -> datetime:
    if not last:
        return datetime(year, month or 1, day or 1, tzinfo=clock.ZONE)
    month = month or 12
    return datetime.combine(
        date(year, month, day or calendar.monthrange(year, month)[1]), time.max, clock.ZONE
    )


def _url(here: str, params: object) -> str:
    query = urlencode(list(params), safe=":/|,$")  # type: ignore[call-overload]
    return f"{here}?{query}" if query else here
