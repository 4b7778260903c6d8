"""search: GET [base]/[type]?..., POST [base]/[type]/_search, and the same within a compartment
(GET [base]/Patient/[id]/[type]) or over all types (GET [base]?_type=...).

http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.errors import InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import FORM, Asked, asked, form_of, id_of, type_of
from healthhub.serve.fhir.part import PARTS, part_of

CURSOR = "_cursor"
PAGE = "_page"
"""Stands for the parameters of a search that came in a body."""
MOST_FORM = 1 << 16
COUNT = ("_summary", "count")
"""Asks for the number of matches alone."""
_FORM_MEDIA = "application/x-www-form-urlencoded"
Params = Sequence[tuple[str, str]]


async def search(request: Request) -> Response:
    """A page of matches with what _include adds."""
    ask = await asked(request, free=True)
    token = ask.one(PAGE)
    if token is None:
        return await _found(request, ask, ask.params, ask.pretty)
    if others := [name for name, _ in ask.params if name not in (PAGE, *FORM)]:
        raise InvalidRequest("nothing is added to a page's address", expression=others[0][:64])
    params = await ask.door.kept(ask.who, _where(request)[1], token)
    return await _found(request, ask, params, ask.pretty, kept=True)


async def search_by_post(request: Request) -> Response:
    """The same with parameters in the body (and in the address). The addresses of its pages hold
    none of them, and are good for its sender alone, for an hour."""
    ask = await asked(request, free=True)
    media = request.headers.get("content-type", _FORM_MEDIA).partition(";")[0].strip().lower()
    raw = await request.body()
    if len(raw) > MOST_FORM:
        raise TooLarge(f"a search takes at most {MOST_FORM} bytes; ask for less at a time")
    if media != _FORM_MEDIA and raw:
        raise UnsupportedMedia(f"send the parameters as Content-Type: {_FORM_MEDIA}")
    try:
        sent = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=1000, errors="strict"
        )
    except ValueError:
        raise InvalidRequest("the form is not UTF-8, or has over 1000 fields") from None
    if any("\0" in text for pair in sent for text in pair):
        raise InvalidRequest("no text holds the character NUL (%00); leave it out")
    params = (*ask.params, *sent)
    pretty = form_of(params, request.headers.get("accept", ""))
    return await _found(request, ask, params, pretty, kept=True)


async def _found(
    request: Request, ask: Asked, params: Params, pretty: bool, *, kept: bool = False
) -> Response:
    """``kept``: the addresses of the answer hold a token for the parameters."""
    type_, place, within = _where(request)
    part = part_of([pair for pair in params if pair != COUNT])
    wanted = [
        (name, value)
        for name, value in params
        if name not in FORM and (name not in PARTS or (name, value) == COUNT)
    ]
    if any(name.startswith("@") for name, _ in wanted):
        raise InvalidRequest("no parameter begins with @; it is the hub's own mark")
    left_out: list[str] = []
    if _lenient(request):
        wanted, left_out = holdings.understood(type_, wanted, ask.base)
    page = await ask.door.search(ask.who, ask.why, type_, [*within, *wanted], ask.base)
    entries = answer.entries(ask.base, page.matches, "match", part)
    entries += answer.entries(ask.base, page.included, "include", part)
    if left_out:
        entries.append(_outcome(left_out))
    used = [(name, value) for name, value in params if name not in left_out]
    named = {"self": used}
    if page.next is not None:
        here = [(name, value) for name, value in used if name != CURSOR]
        named["next"] = [*here, (CURSOR, page.next)]
    if kept:
        named = {
            name: [(PAGE, await ask.door.keep(ask.who, place, one))]
            for name, one in named.items()
        }
    links = [(name, _url(ask.base, place, one)) for name, one in named.items()]
    body = answer.bundle("searchset", entries, links, page.total)
    made = answer.of_json(ask, answer.indented(body) if pretty and not ask.pretty else body)
    made.headers["cache-control"] = "private, no-store"
    return made


def _where(request: Request) -> tuple[str, str, list[tuple[str, str]]]:
    """The type searched for (empty for all), its address, and the compartment's condition."""
    if "type" not in request.path_params:
        return "", "", []
    if "kind" not in request.path_params:
        type_ = type_of(request)
        return type_, type_, []
    kind, fhir_id = request.path_params["kind"], id_of(request)
    if kind not in holdings.compartments():
        raise NotFound(
            f"{kind[:64]!r} has no compartment; {', '.join(holdings.compartments())} have"
        )
    if request.path_params["type"] == "*":
        raise InvalidRequest(
            f"name a type after {kind}/{fhir_id}; all of a patient's record is given by "
            "Patient/[id]/$everything",
            expression="type",
        )
    type_ = type_of(request)
    return type_, f"{kind}/{fhir_id}/{type_}", [(holdings.COMPARTMENT, f"{kind}/{fhir_id}")]


def _lenient(request: Request) -> bool:
    """Whether what is not understood is to be left out (Prefer: handling=lenient).

    http://hl7.org/fhir/R4/search.html#errors
    """
    for part in request.headers.get("prefer", "").replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "handling":
            if value not in ("strict", "lenient"):
                raise InvalidRequest(
                    "Prefer: handling= is strict or lenient", expression="Prefer"
                )
            return value == "lenient"
    return False


def _outcome(left_out: Sequence[str]) -> bytes:
    """The entry that tells what was left out."""
    issues = [
        {
            "severity": "warning",
            "code": "not-supported",
            "details": {
                "text": f"the parameter {name[:64]!r} was left out: it is not known here"
            },
        }
        for name in dict.fromkeys(left_out)
    ]
    outcome = {"resourceType": "OperationOutcome", "issue": issues}
    return orjson.dumps({"resource": outcome, "search": {"mode": "outcome"}})


def _url(base: str, place: str, params: Params) -> str:
    query = urlencode(list(params), safe=":/|,$")
    address = f"{base}/{quote(place)}" if place else base
    return f"{address}?{query}" if query else address
