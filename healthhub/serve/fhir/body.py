"""The body of a write: read within limits, in JSON, valid R4."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from healthhub.access import holdings
from healthhub.errors import InvalidRequest, UnsupportedMedia
from healthhub.model import validate
from healthhub.model.resource import Body

_MEDIA = frozenset({"application/fhir+json", "application/json", "text/json"})
INLINE = 20_000
"""Bytes up to which a body is checked on the spot; larger ones must not hold up other requests."""


async def resource(request: Request, type_: str) -> Body:
    """The resource sent, checked; its type is the one in the address."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _MEDIA:
        raise UnsupportedMedia("send the resource as Content-Type: application/fhir+json")
    raw = await request.body()
    if len(raw) <= INLINE:
        return _checked(raw, type_)
    return await run_in_threadpool(_checked, raw, type_)


def _checked(raw: bytes, type_: str) -> Body:
    body = holdings.loads(raw)
    if body.get("resourceType") != type_:
        raise InvalidRequest(
            f"resourceType must be {type_}, as in the address", expression="resourceType"
        )
    validate.check(body)
    return body
