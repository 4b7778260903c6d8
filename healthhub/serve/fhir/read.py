"""read: GET [base]/[type]/[id] (http://hl7.org/fhir/R4/http.html#read)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, id_of, is_unchanged, type_of


async def read(request: Request) -> Response:
    """The current version, or 304 when the client has it."""
    ask = await asked(request)
    stored = await ask.door.read(ask.who, ask.why, type_of(request), id_of(request))
    if is_unchanged(request, stored):
        return Response(None, 304, answer.versioned(stored))
    return answer.of_stored(ask, stored)
