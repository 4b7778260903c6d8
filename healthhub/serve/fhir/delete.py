"""delete: DELETE [base]/[type]/[id] (http://hl7.org/fhir/R4/http.html#delete)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access.policy import Action
from healthhub.pipeline import direct
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, id_of, if_match, type_of


async def delete(request: Request) -> Response:
    """Delete the resource; 204 as well when there was none. Its history stays."""
    ask = await asked(request)
    await ask.door.permit(ask.who, ask.why, Action.WRITE)
    type_, fhir_id, expected = type_of(request), id_of(request), if_match(request)
    wanted = answer.preferred(request)
    stored = await ask.door.write(
        ask.who,
        ask.why,
        "delete",
        type_,
        fhir_id,
        lambda conn: direct.delete(conn, type_, fhir_id, expected),
    )
    headers = {} if stored is None else {"etag": f'W/"{stored.version}"'}
    if wanted == "OperationOutcome":
        said = "there was nothing to delete" if stored is None else "deleted"
        return answer.of_json(ask, answer.done(said), 200, headers)
    return Response(None, 204, headers)
