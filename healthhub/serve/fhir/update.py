"""update and update-as-create: PUT [base]/[type]/[id] (http://hl7.org/fhir/R4/http.html#update)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub import clock
from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest
from healthhub.pipeline import direct
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, id_of, if_match, type_of
from healthhub.serve.fhir.body import resource


async def update(request: Request) -> Response:
    """Replace the resource, or create it under the client's id (201)."""
    ask = await asked(request)
    await ask.door.permit(ask.who, ask.why, Action.WRITE)
    type_, fhir_id, expected = type_of(request), id_of(request), if_match(request)
    answer.preferred(request)
    body = await resource(request, type_)
    if body.get("id") != fhir_id:
        raise InvalidRequest(
            "the body's id must be the one in the address", expression=f"{type_}.id"
        )
    began = clock.now()
    stored = await ask.door.write(
        ask.who,
        ask.why,
        "update",
        type_,
        fhir_id,
        lambda conn: direct.update(conn, type_, fhir_id, body, expected),
    )
    # An equal body makes no new version, so version 1 alone does not say "created".
    created = stored.version == 1 and stored.updated >= began
    return answer.of_write(request, ask, stored, 201 if created else 200)
