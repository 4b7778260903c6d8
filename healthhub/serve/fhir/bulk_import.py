"""Bulk import: POST [base]/$import names files of NDJSON, and a job stores them.

Two forms are understood: a Parameters with ``input`` parts (HAPI, Azure, Pathling) and the JSON
manifest of the proposal https://github.com/smart-on-fhir/bulk-import.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.access.policy import Action
from healthhub.bulk import inputs, jobs
from healthhub.errors import InvalidRequest, UnsupportedMedia
from healthhub.serve.fhir.asked import asked
from healthhub.serve.fhir.export import accepted, preferences

_FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_MEDIA = frozenset({"application/fhir+json", "application/json"})
_KNOWN = frozenset({"inputFormat", "inputSource", "storageDetail", "input"})
MOST = 1000
"""Inputs of one job."""


async def bulk_import(request: Request) -> Response:
    """Enter the job; 202 with the address where its progress is told."""
    ask = await asked(request)
    await ask.door.permit(ask.who, ask.why, Action.IMPORT)
    if "respond-async" not in preferences(request):
        raise InvalidRequest(
            "an import is done asynchronously; send Prefer: respond-async", expression="Prefer"
        )
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _MEDIA:
        raise UnsupportedMedia("send a Parameters as Content-Type: application/fhir+json")
    wanted = _inputs(holdings.loads(await request.body()))
    settings = request.app.state.settings.bulk
    for one in wanted:
        inputs.require(one["url"], settings)
    job = await ask.door.operate(
        ask.who,
        ask.why,
        f"$import of {len(wanted)} files",
        lambda conn: jobs.ask(
            conn,
            "import",
            owner=ask.who.id,
            purpose=ask.why.value,
            request=f"{ask.base}/$import",
            base=ask.base,
            asked={"inputs": wanted},
            most=settings.jobs_per_client,
        ),
        Action.IMPORT,
    )
    return accepted(ask, job)


def _inputs(body: dict[str, Any]) -> list[dict[str, str]]:
    """The files, each with its type (empty: any) and address."""
    if body.get("resourceType") == "Parameters":
        body = _manifest(body)
    for name in body:
        if name not in _KNOWN:
            raise InvalidRequest(
                f"{name[:64]!r} is no part of an import; there are {', '.join(sorted(_KNOWN))}",
                expression=name[:64],
            )
    form = body.get("inputFormat")
    if not isinstance(form, str) or form not in _FORMATS:
        raise InvalidRequest("inputFormat is application/fhir+ndjson", expression="inputFormat")
    found = body.get("input")
    if not isinstance(found, list) or not 0 < len(found) <= MOST:
        raise InvalidRequest(f"input names 1 to {MOST} files", expression="input")
    return [_input(one) for one in found]


def _input(one: Any) -> dict[str, str]:
    kind = one.get("type", "") if isinstance(one, dict) else None
    url = one.get("url") if isinstance(one, dict) else None
    if not isinstance(url, str) or not url:
        raise InvalidRequest("each input has a url", expression="input.url")
    if kind not in ("", *holdings.TYPES):
        raise InvalidRequest("an input's type is a resource type", expression="input.type")
    return {"type": kind, "url": url}


def _manifest(body: dict[str, Any]) -> dict[str, Any]:
    """A Parameters in the form of the manifest."""
    made: dict[str, Any] = {}
    for one in _listed(body, "parameter"):
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            raise InvalidRequest("each parameter has a name", expression="parameter.name")
        if name == "input":
            parts = [part for part in _listed(one, "part") if isinstance(part, dict)]
            made.setdefault("input", []).append(
                {str(part.get("name")): _value(part) for part in parts}
            )
        else:
            made[name] = _value(one)
    return made


def _listed(holder: dict[str, Any], name: str) -> list[Any]:
    found = holder.get(name, [])
    if not isinstance(found, list):
        raise InvalidRequest(f"{name} is a list", expression=name)
    return found


def _value(one: dict[str, Any]) -> Any:
    return next((value for key, value in one.items() if key.startswith("value")), None)
