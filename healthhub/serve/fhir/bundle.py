"""batch and transaction: POST [base] (http://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.serve.fhir import answer, body, entries
from healthhub.serve.fhir.asked import asked
from healthhub.serve.fhir.batch import batch
from healthhub.serve.fhir.transaction import transaction


async def bundle(request: Request) -> Response:
    """Do the entries one by one (batch), or all or none (transaction).

    The answer holds resources only if Prefer asks for them: return=representation.
    """
    ask = await asked(request)
    media = body.media_of(request)
    if media not in body.MEDIA:
        raise body.wrong_media(media)
    most = request.app.state.settings.web.max_bundle_entries
    kind, found = await body.reading(request, lambda raw: entries.read(raw, ask, most))
    prefer = answer.preference(request) or "minimal"
    if kind == "batch":
        return await batch(request, ask, found, prefer)
    return await transaction(ask, found, prefer, request.app.state.settings.subscriptions)
