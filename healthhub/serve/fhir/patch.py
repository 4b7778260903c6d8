"""patch and conditional patch: PATCH [base]/[type]/[id], PATCH [base]/[type]?...

http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer, body
from healthhub.serve.fhir.asked import id_of, if_match, type_of
from healthhub.serve.fhir.writing import carry_out, criteria_in_address, writer


async def patch(request: Request) -> Response:
    """Change parts of the resource, by JSON Patch or FHIRPath Patch."""
    ask = await writer(request, "patch")
    type_, fhir_id, expected = type_of(request), id_of(request), if_match(request)
    answer.preferred(request)
    change = await body.patch(request, type_)
    intent = Intent("patch", type_, fhir_id, patch=change, if_match=expected)
    return answer.of_write(request, ask, await carry_out(ask, intent))


async def patch_conditionally(request: Request) -> Response:
    """The same on the one resource that meets the criteria; 404 if none does."""
    ask = await writer(request, "patch", conditional=True)
    type_, criteria, expected = type_of(request), criteria_in_address(ask), if_match(request)
    answer.preferred(request)
    change = await body.patch(request, type_)
    intent = Intent("patch", type_, criteria=criteria, patch=change, if_match=expected)
    return answer.of_write(request, ask, await carry_out(ask, intent))
