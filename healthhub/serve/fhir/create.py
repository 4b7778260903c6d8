"""create and conditional create: POST [base]/[type] (http://hl7.org/fhir/R4/http.html#create)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import type_of
from healthhub.serve.fhir.body import resource
from healthhub.serve.fhir.writing import carry_out, criteria_of, writer


async def create(request: Request) -> Response:
    """Store the resource under an id of the hub's choice (201); with If-None-Exist only if
    nothing meets the criteria, else answer with what does (200)."""
    ask = await writer(request, "create")
    type_ = type_of(request)
    answer.preferred(request)
    condition = request.headers.get("if-none-exist")
    criteria = None if condition is None else criteria_of(_as_sent(condition))
    body = await resource(request, type_)
    intent = Intent("create", type_, criteria=criteria, body=body)
    return answer.of_write(request, ask, await carry_out(ask, intent))


def _as_sent(header: str) -> str:
    """The text of a header whose bytes are UTF-8: HTTP itself would read them as Latin-1, and a
    condition in Chinese would then never find what is there."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
