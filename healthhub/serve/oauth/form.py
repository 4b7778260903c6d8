"""What the addresses of OAuth have in common: the form that comes in, and a refusal."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from healthhub.access.grants import Refused
from healthhub.errors import HubError

FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 2**16
UNKEPT = {"cache-control": "no-store", "pragma": "no-cache"}


async def read(request: Request) -> dict[str, str]:
    """The fields, each once; bounded, as it is not known yet who sends them."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise Refused("invalid_request", f"send a form, as Content-Type: {FORM}")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise Refused("invalid_request", f"the form is over {MOST_BYTES} bytes")
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=50, errors="strict"
        )
    except ValueError:
        raise Refused("invalid_request", "the form is not UTF-8") from None
    fields = dict(pairs)
    if len(fields) < len(pairs) or any("\0" in text for pair in pairs for text in pair):
        raise Refused("invalid_request", "a field stands twice in the form, or holds NUL")
    return fields


def refused(error: HubError) -> Response:
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""
    body = {"error": error.code, "error_description": error.message}
    more = {"retry-after": "5"} if error.status == 503 else {}
    return JSONResponse(body, error.status, UNKEPT | more)
