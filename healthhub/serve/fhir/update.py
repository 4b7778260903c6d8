"""update, update-as-create and conditional update: PUT [base]/[type]/[id], PUT [base]/[type]?...

http://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest
from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import check_id, id_of, type_of
from healthhub.serve.fhir.body import media_of, resource
from healthhub.serve.fhir.writing import (
    carry_out,
    criteria_in_address,
    precondition,
    writer,
)


async def update(request: Request) -> Response:
    """Replace the resource, or create it under the client's id (201)."""
    ask = await writer(request, "update")
    type_, fhir_id = type_of(request), id_of(request)
    expected, fresh = precondition(request)
    answer.preferred(request)
    body = await resource(request, type_)
    if type_ == "Binary" and "id" not in body and media_of(request) != "application/fhir+json":
        body["id"] = fhir_id
    if body.get("id") != fhir_id:
        raise InvalidRequest(
            "the body's id must be the one in the address", expression=f"{type_}.id"
        )
    intent = Intent("update", type_, fhir_id, body=body, if_match=expected, fresh=fresh)
    return answer.of_write(request, ask, await carry_out(ask, intent))


async def update_conditionally(request: Request) -> Response:
    """Replace the one resource that meets the criteria, or create it if none does."""
    ask = await writer(request, "update", conditional=True)
    type_, criteria = type_of(request), criteria_in_address(ask)
    expected, fresh = precondition(request)
    answer.preferred(request)
    body = await resource(request, type_)
    intent = Intent(
        "update",
        type_,
        check_id(body["id"]) if "id" in body else "",
        criteria,
        body,
        if_match=expected,
        fresh=fresh,
    )
    return answer.of_write(request, ask, await carry_out(ask, intent))
