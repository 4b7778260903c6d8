"""create: POST [base]/[type] (http://hl7.org/fhir/R4/http.html#create)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest
from healthhub.pipeline import direct
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, type_of
from healthhub.serve.fhir.body import resource


async def create(request: Request) -> Response:
    """Store the resource under an id of the hub's choice."""
    ask = await asked(request)
    await ask.door.permit(ask.who, ask.why, Action.WRITE)
    type_ = type_of(request)
    answer.preferred(request)
    if "if-none-exist" in request.headers:
        raise InvalidRequest(
            "conditional create is not offered yet; search first, or PUT under an id of yours",
            expression="If-None-Exist",
        )
    body = await resource(request, type_)
    stored = await ask.door.write(
        ask.who, ask.why, "create", type_, None, lambda conn: direct.create(conn, type_, body)
    )
    return answer.of_write(request, ask, stored, 201)
