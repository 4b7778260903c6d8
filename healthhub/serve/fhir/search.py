"""search: GET [base]/[type]?... and POST [base]/[type]/_search.

http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest, UnsupportedMedia
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import FORM, Asked, asked, form_of, type_of

CURSOR = "_cursor"
_FORM_MEDIA = "application/x-www-form-urlencoded"


async def search(request: Request) -> Response:
    """A page of matches with what _include adds."""
    ask = await asked(request, free=True)
    return await _found(request, ask, ask.params, ask.pretty)


async def search_by_post(request: Request) -> Response:
    """The same with parameters in the body (and in the address), out of the address bar."""
    ask = await asked(request, free=True)
    media = request.headers.get("content-type", _FORM_MEDIA).partition(";")[0].strip().lower()
    raw = await request.body()
    if media != _FORM_MEDIA and raw:
        raise UnsupportedMedia(f"send the parameters as Content-Type: {_FORM_MEDIA}")
    try:
        sent = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=1000, errors="strict"
        )
    except ValueError:
        raise InvalidRequest("the form is not UTF-8, or has over 1000 fields") from None
    params = (*ask.params, *sent)
    return await _found(
        request, ask, params, form_of(params, request.headers.get("accept", ""))
    )


async def _found(
    request: Request, ask: Asked, params: tuple[tuple[str, str], ...], pretty: bool
) -> Response:
    type_ = type_of(request)
    asked_for = [(name, value) for name, value in params if name not in FORM]
    page = await ask.door.search(ask.who, ask.why, type_, asked_for, ask.base)
    entries = answer.entries(ask.base, page.matches, "match")
    entries += answer.entries(ask.base, page.included, "include")
    kept = [(name, value) for name, value in params if name != CURSOR]
    links = [("self", _url(ask.base, type_, params))]
    if page.next is not None:
        links.append(("next", _url(ask.base, type_, [*kept, (CURSOR, page.next)])))
    body = answer.bundle("searchset", entries, links, page.total)
    made = answer.of_json(ask, answer.indented(body) if pretty and not ask.pretty else body)
    made.headers["cache-control"] = "private, no-store"
    return made


def _url(base: str, type_: str, params: object) -> str:
    query = urlencode(list(params), safe=":/|,$")  # type: ignore[call-overload]
    return f"{base}/{type_}?{query}" if query else f"{base}/{type_}"
