"""delete and conditional delete: DELETE [base]/[type]/[id], DELETE [base]/[type]?...

http://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import id_of, if_match, type_of
from healthhub.serve.fhir.writing import carry_out, criteria_in_address, writer


async def delete(request: Request) -> Response:
    """Delete the resource; 204 as well when there was none. Its history stays."""
    ask = await writer(request, "delete")
    type_, fhir_id, expected = type_of(request), id_of(request), if_match(request)
    answer.preferred(request)
    intent = Intent("delete", type_, fhir_id, if_match=expected)
    return answer.of_write(request, ask, await carry_out(ask, intent))


async def delete_conditionally(request: Request) -> Response:
    """Delete the one resource that meets the criteria; 412 when several do."""
    ask = await writer(request, "delete", conditional=True)
    type_, criteria, expected = type_of(request), criteria_in_address(ask), if_match(request)
    answer.preferred(request)
    intent = Intent("delete", type_, criteria=criteria, if_match=expected)
    return answer.of_write(request, ask, await carry_out(ask, intent))
