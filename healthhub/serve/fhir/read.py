"""read: GET [base]/[type]/[id] (http://hl7.org/fhir/R4/http.html#read)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.serve.fhir import answer, binary
from healthhub.serve.fhir.asked import asked, id_of, is_unchanged, type_of


async def read(request: Request) -> Response:
    """The current version, or 304 when the client has it; a Binary as it is, unless FHIR is
    asked for."""
    raw = request.path_params["type"] == "Binary" and binary.is_wanted(request)
    ask = await asked(request, parts=True, raw=raw)
    stored = await ask.door.read(ask.who, ask.why, type_of(request), id_of(request))
    if is_unchanged(request, stored):
        return Response(None, 304, answer.versioned(stored))
    return binary.content(stored) if raw else answer.of_stored(ask, stored)
