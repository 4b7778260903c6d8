"""Addresses and methods below /fhir that are no interaction."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import NotAllowed, NotFound
from healthhub.serve.fhir.asked import asked


async def unknown(request: Request) -> Response:
    """405 where the address exists with other methods or will, 404 otherwise."""
    await asked(request, free=True)
    steps = [step for step in request.path_params.get("path", "").split("/") if step]
    if any(step.startswith("$") for step in steps):
        raise NotFound("there is no such operation here; see metadata")
    if len(steps) > 2 and steps[2] != "_history":
        raise NotFound("there is nothing at this address; see metadata for what there is")
    if request.method in ("GET", "HEAD"):
        raise NotFound("there is nothing at this address; see metadata for what there is")
    raise NotAllowed(
        f"{request.method} is no interaction of this address; metadata lists what there is"
    )
