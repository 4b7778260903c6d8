"""history of one resource: GET [base]/[type]/[id]/_history.

http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest
from healthhub.model.resource import Stored
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, id_of, type_of


async def history(request: Request) -> Response:
    """All versions, the newest first; a deletion is an entry without a resource."""
    ask = await asked(request, "_count")
    type_, fhir_id = type_of(request), id_of(request)
    count = count_of(ask.one("_count"))
    versions = await ask.door.history(ask.who, ask.why, type_, fhir_id, count)
    entries = [_entry(ask.base, fhir_id, stored) for stored in versions]
    total = max((stored.version for stored in versions), default=0)
    body = answer.bundle(
        "history", entries, [("self", f"{ask.base}/{type_}/{fhir_id}/_history")], total
    )
    return answer.of_json(ask, body)


def count_of(text: str | None) -> int | None:
    """A _count of 1 or more; None when there is none."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 7):
        raise InvalidRequest("_count is a whole number from 1 on", expression="_count")
    return int(text)


def _entry(base: str, fhir_id: str, stored: Stored) -> bytes:
    method = "DELETE" if stored.deleted else "POST" if stored.version == 1 else "PUT"
    url = stored.type if method == "POST" else f"{stored.type}/{fhir_id}"
    more = orjson.dumps(
        {
            "fullUrl": f"{base}/{stored.type}/{fhir_id}",
            "request": {"method": method, "url": url},
            "response": {
                "status": "204" if stored.deleted else "201" if stored.version == 1 else "200",
                "etag": f'W/"{stored.version}"',
                "lastModified": answer.instant(stored.updated),
            },
        }
    )
    return more if stored.deleted else b'%b,"resource":%b}' % (more[:-1], stored.json)
