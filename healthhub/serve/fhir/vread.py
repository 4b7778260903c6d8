"""vread: GET [base]/[type]/[id]/_history/[vid] (http://hl7.org/fhir/R4/http.html#vread)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import NotFound
from healthhub.serve.fhir import answer, binary
from healthhub.serve.fhir.asked import asked, id_of, is_unchanged, type_of


async def vread(request: Request) -> Response:
    """One version."""
    raw = request.path_params["type"] == "Binary" and binary.is_wanted(request)
    ask = await asked(request, parts=True, raw=raw)
    type_, fhir_id, text = type_of(request), id_of(request), request.path_params["version"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"there is no such version of this {type_}")
    stored = await ask.door.vread(ask.who, ask.why, type_, fhir_id, int(text))
    if is_unchanged(request, stored):
        return Response(None, 304, answer.versioned(stored))
    return binary.content(stored) if raw else answer.of_stored(ask, stored)
