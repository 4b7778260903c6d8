"""The body of a write: read within limits, in JSON, valid R4; or the content of a Binary."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from healthhub.access import holdings
from healthhub.convert.forms import Forms
from healthhub.errors import HubError, InvalidRequest, Unprocessable, UnsupportedMedia
from healthhub.model.resource import Body
from healthhub.serve.fhir import fhirpath_patch, json_patch
from healthhub.settings import Subscriptions
from healthhub.subscriptions import registry

T = TypeVar("T")
FHIR = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
MEDIA = frozenset({FHIR, "application/json", "text/json"})
_XML = frozenset({"application/fhir+xml", "application/xml", "text/xml"})
INLINE = 20_000
"""Bytes up to which a body is read on the spot; larger ones must not hold up other requests."""
_forms = Forms()


def check(body: Body) -> None:
    """Raise Unprocessable unless the body is valid R4; a form that has passed is known."""
    _forms.check(body)


async def resource(request: Request, type_: str) -> Body:
    """The resource sent, checked; its type is the one in the address."""
    media = media_of(request)
    if type_ == "Binary" and media not in (FHIR, *_XML):
        return await _content(request, media)
    if media not in MEDIA:
        raise wrong_media(media)
    body = await reading(request, lambda raw: checked(holdings.loads(raw), type_))
    require(body, request.app.state.settings.subscriptions)
    return body


def require(body: Body, settings: Subscriptions) -> None:
    """Raise Unprocessable for a Subscription that the hub could not carry out."""
    if body["resourceType"] == "Subscription":
        registry.require(body, settings)


def media_of(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def wrong_media(media: str) -> UnsupportedMedia:
    """What to send instead."""
    if media in _XML or media == "application/fhir+turtle":
        return UnsupportedMedia(
            "the hub reads FHIR in JSON, not in XML or Turtle; convert it, and send "
            f"Content-Type: {FHIR}"
        )
    return UnsupportedMedia(f"send the resource as Content-Type: {FHIR}")


async def reading(request: Request, read: Callable[[bytes], T]) -> T:
    """What ``read`` makes of the body; a large one is read in a thread."""
    raw = await request.body()
    if len(raw) <= INLINE:
        return read(raw)
    return await run_in_threadpool(read, raw)


def checked(body: Any, type_: str, place: str = "") -> Body:
    """A resource of this type that is valid R4; ``place`` is where it stands in a bundle."""
    if not isinstance(body, dict) or body.get("resourceType") != type_:
        raise InvalidRequest(
            f"resourceType must be {type_}, as in the address",
            expression=f"{place}.resourceType".lstrip("."),
        )
    try:
        check(body)
    except Unprocessable as error:
        if place:
            error.expression = f"{place}.{(error.expression or '').partition('.')[2]}"
        raise
    return body


def content_of(binary: Body) -> bytes:
    """The content of a Binary resource."""
    try:
        return base64.b64decode(binary.get("data", ""), validate=False)
    except (ValueError, TypeError):
        raise Unprocessable("data is not base64", expression="Binary.data") from None


async def _content(request: Request, media: str) -> Body:
    """A Binary from its bare content (http://hl7.org/fhir/R4/binary.html#rest)."""
    raw = await request.body()
    if media in MEDIA:
        try:
            sent = holdings.loads(raw)
        except HubError:
            sent = {}
        if sent.get("resourceType") == "Binary":
            return checked(sent, "Binary")
    if not media or not raw:
        raise InvalidRequest(
            "send the content of a Binary with its Content-Type", expression="Content-Type"
        )
    body: Body = {"resourceType": "Binary", "contentType": request.headers["content-type"]}
    if context := request.headers.get("x-security-context"):
        body["securityContext"] = {"reference": context}
    body["data"] = base64.b64encode(raw).decode()
    check(body)
    return body


async def patch(request: Request, type_: str) -> Callable[[Body], Body]:
    """The patch sent, as a function whose outcome is valid R4."""
    media = media_of(request)
    if media not in (JSON_PATCH, *MEDIA):
        raise UnsupportedMedia(
            f"send a JSON Patch as {JSON_PATCH}, or a FHIRPath Patch (Parameters) as {FHIR}"
        )
    sent = await reading(request, holdings.parse)
    settings = request.app.state.settings.subscriptions
    return patch_of(sent, type_, settings, json=media == JSON_PATCH)


def patch_of(
    sent: Any, type_: str, settings: Subscriptions, *, json: bool
) -> Callable[[Body], Body]:
    """A patch that was read: a list of operations, or Parameters."""
    change = json_patch.compiled(sent) if json else fhirpath_patch.compiled(sent)

    def patched(body: Body) -> Body:
        made = checked(change(body), type_)
        require(made, settings)
        return made

    return patched
