"""The page of one message: its bytes, what was found in it, each element that it made."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import keep
from healthhub.access import http, policy
from healthhub.access.actor import Purpose
from healthhub.access.policy import Action
from healthhub.adapter_api.record import Span
from healthhub.convert import Converter
from healthhub.convert.explained import Explained
from healthhub.errors import HubError
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Overlay
from healthhub.model.finding import Finding
from healthhub.model.message import Message
from healthhub.serve.console import places
from healthhub.serve.console.bytes import passages
from healthhub.serve.console.shared import PAGES, WHY, viewer

router = APIRouter(prefix="/console", include_in_schema=False)
MOST_BYTES = 512 * 2**10
"""Of a longer message the page shows this much, and does not explain its elements."""

_TIES = frozenset({"subject", "patient", "encounter", "specimen", "basedOn"})
"""What ties a resource to others: where the whole of it is asked for, these would highlight
the same patient's number for every one."""


@router.get("/messages/{message}")
async def message(
    request: Request, message: int, of: str = "", element: str = "", place: str = ""
) -> Response:
    """One message. ``of`` is Type/id, ``element`` an element of it: the bytes that it was made
    from are highlighted, or those of the whole resource; ``place`` is where a finding points.

    Findings, replays and the forms are for those who operate the hub.
    """
    who = await http.actor(request)
    operates = policy.permits(who, WHY, Action.OPERATE)
    why = WHY if policy.permits(who, WHY, Action.MESSAGE) else Purpose.TREAT
    found = await http.door(request).message(who, why, message)
    noted: tuple[list[Finding], list[keep.Act]] = ([], [])
    if operates:

        def work(conn: Connection) -> tuple[list[Finding], list[keep.Act]]:
            return keep.findings(conn, [message])[message], keep.acts(conn, message)

        noted = await http.door(request).operate(who, WHY, f"message {message}", work)
    library = _library(request)
    overlay = await http.door(request).code_maps()
    explained, mapping, failure = await asyncio.to_thread(
        _explained, request, library, overlay, found
    )
    source = request.app.state.settings.sources.get(found.source)
    marked: list[Span] = [
        span
        for e in explained
        if e.resource == of and _asked(e.element, element)
        for span in e.spans
    ] + places.spans(found.raw, source, place)
    start = max(0, min((a for a, _ in marked), default=0) - MOST_BYTES // 2)
    start = 0 if len(found.raw) <= MOST_BYTES else start
    charset, shown = passages(
        found.raw[start : start + MOST_BYTES],
        places.charset(found.raw, source),
        [(max(0, a - start), b - start) for a, b in marked if start <= a < start + MOST_BYTES],
    )
    resources: dict[str, list[Explained]] = {}
    for entry in explained:
        resources.setdefault(entry.resource, []).append(entry)
    return PAGES.render(
        request,
        "message.html",
        viewer=viewer(who),
        m=found,
        operates=operates,
        findings=[(finding, places.place_of(finding)) for finding in noted[0]],
        acts=noted[1],
        passages=shown,
        charset=charset,
        cut=MOST_BYTES if len(found.raw) > MOST_BYTES else 0,
        resources=resources,
        mapping=mapping,
        failure=failure,
        of=of,
        element=element,
        place=place,
    )


def _asked(element: str, wanted: str) -> bool:
    return element == wanted if wanted else element.partition("[")[0] not in _TIES


def _library(request: Request) -> Library:
    state = request.app.state
    if not hasattr(state, "library"):
        state.library = Library(state.settings.mappings_dir)
    return state.library


def _explained(
    request: Request, library: Library, overlay: Overlay, found: Message
) -> tuple[list[Explained], str, str]:
    """Each element, the mapping and version that make it so, or why nothing can."""
    source = request.app.state.settings.sources.get(found.source)
    if source is None or not found.raw or len(found.raw) > MOST_BYTES:
        return [], "", ""
    try:
        converter = Converter(found.source, source, library).overlaid(overlay)
        explained = converter.explain(found.id, found.raw, found.received)
        return explained, converter.mapping, ""
    except HubError as error:
        return [], "", error.message
