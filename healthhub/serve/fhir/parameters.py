"""Parameters of an operation by POST (http://hl7.org/fhir/R4/parameters.html)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from healthhub.access import holdings
from healthhub.errors import InvalidRequest, UnsupportedMedia

_MEDIA = frozenset({"application/fhir+json", "application/json"})
Given = Sequence[tuple[str, str]]


async def posted(request: Request) -> Given:
    """The parameters of an operation by POST, as pairs of texts."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if not raw:
        return []
    if media not in _MEDIA:
        raise UnsupportedMedia("send a Parameters as Content-Type: application/fhir+json")
    body = holdings.loads(raw)
    if body.get("resourceType") != "Parameters":
        raise InvalidRequest("the body of an operation is a Parameters")
    return [_pair(one) for one in body.get("parameter", ())]


def _pair(one: Any) -> tuple[str, str]:
    name = one.get("name") if isinstance(one, dict) else None
    if isinstance(name, str):
        for element, value in one.items():
            if element == "valueReference" and isinstance(value, dict):
                return name, str(value.get("reference", ""))
            if element.startswith("value") and isinstance(value, str | int):
                return name, str(value)
    raise InvalidRequest(
        "each parameter has a name and a value, such as valueString", expression="parameter"
    )
