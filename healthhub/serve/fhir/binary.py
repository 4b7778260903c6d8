"""Binary: the content as it is (http://hl7.org/fhir/R4/binary.html#rest).

A client that asks for FHIR gets the resource; any other gets the bytes under their own type.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.model.resource import Stored
from healthhub.serve.fhir import answer, body

_FHIR = (
    "application/fhir+json",
    "application/json",
    "text/json",
    "application/fhir+xml",
    "json",
)


def is_wanted(request: Request) -> bool:
    """Whether the bytes are asked for: neither _format nor Accept names a form of FHIR."""
    if "_format" in request.query_params:
        return False
    accepted = request.headers.get("accept", "").lower()
    return not any(part.partition(";")[0].strip() in _FHIR for part in accepted.split(","))


def content(stored: Stored) -> Response:
    """The bytes. They came from elsewhere: no browser is to run them as a page of the hub."""
    held = holdings.loads(stored.json)
    headers = answer.versioned(stored) | {
        "content-type": _safe(held.get("contentType", "")) or "application/octet-stream",
        "content-disposition": "attachment",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    if context := _safe(held.get("securityContext", {}).get("reference", "")):
        headers["x-security-context"] = context
    return Response(body.content_of(held), 200, headers)


def _safe(text: str) -> str:
    """A text that may stand in a header, else nothing."""
    return text if text.isascii() and text.isprintable() else ""
