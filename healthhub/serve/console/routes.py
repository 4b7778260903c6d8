"""The console's pages: overview, list of messages, one message from bytes to resources."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import keep
from healthhub.access import http, policy
from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action
from healthhub.clock import ZONE
from healthhub.convert import Converter
from healthhub.convert.explained import Explained
from healthhub.errors import HubError, InvalidRequest
from healthhub.mapping.library import Library
from healthhub.model.message import Message, State
from healthhub.serve.console.bytes import passages
from healthhub.web.pages import Pages, Viewer

router = APIRouter(prefix="/console", include_in_schema=False)
_PAGES = Pages(
    Path(__file__).parent / "templates",
    filters={"local": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")},
)
_WHY = Purpose.HOPERAT
PAGE = 50


def _viewer(who: Actor) -> Viewer:
    return Viewer(who.title or who.name, policy.permits(who, _WHY, Action.OPERATE))


@router.get("")
async def overview(request: Request) -> Response:
    """Counts by state, findings by code, the latest messages that need a person."""
    who = await http.actor(request)

    def work(
        conn: Connection,
    ) -> tuple[keep.Counts, list[tuple[str, str, int]], list[keep.Line]]:
        parked = keep.find(conn, keep.Choice(state=State.PARKED), limit=20)
        return keep.counts(conn), keep.finding_counts(conn, 30), parked

    counts, findings, parked = await http.door(request).operate(who, _WHY, "overview", work)
    return _PAGES.render(
        request,
        "overview.html",
        viewer=_viewer(who),
        counts=counts,
        findings=findings,
        lines=parked,
    )


@router.get("/messages")
async def messages(
    request: Request,
    source: str = "",
    state: str = "",
    kind: str = "",
    finding: str = "",
    before: int | None = None,
) -> Response:
    """Messages, newest first. Numbers of patients are searched for on the command line."""
    who = await http.actor(request)
    if state and state not in list(State):
        raise InvalidRequest(f"there is no such state; there are {', '.join(State)}")
    choice = keep.Choice(
        source=source, kind=kind, finding=finding, state=State(state) if state else None
    )

    def work(conn: Connection) -> list[keep.Line]:
        return keep.find(conn, choice, before=before, limit=PAGE)

    lines = await http.door(request).operate(who, _WHY, "messages", work)
    asked = {"source": source, "state": state, "kind": kind, "finding": finding}
    return _PAGES.render(
        request,
        "messages.html",
        viewer=_viewer(who),
        lines=lines,
        asked={name: value for name, value in asked.items() if value},
        older=lines[-1].id if len(lines) == PAGE else None,
    )


@router.get("/messages/{message}")
async def message(request: Request, message: int, of: str = "", element: str = "") -> Response:
    """One message: its bytes, what was found in it, and each element that it makes.

    ``of`` is Type/id, ``element`` an element of it: the bytes that it was made from are
    highlighted, or those of the whole resource.
    """
    who = await http.actor(request)
    why = _WHY if policy.permits(who, _WHY, Action.MESSAGE) else Purpose.TREAT
    found = await http.door(request).message(who, why, message)
    explained, failure = _explained(request, found)
    wanted = [e for e in explained if e.resource == of and _asked(e.element, element)]
    charset, shown = passages(
        found.raw,
        _charset(request, found),
        [span for e in wanted for span in e.spans],
    )
    resources: dict[str, list[Explained]] = {}
    for entry in explained:
        resources.setdefault(entry.resource, []).append(entry)
    return _PAGES.render(
        request,
        "message.html",
        viewer=_viewer(who),
        m=found,
        passages=shown,
        charset=charset,
        resources=resources,
        failure=failure,
        of=of,
        element=element,
    )


_TIES = frozenset({"subject", "patient", "encounter", "specimen", "basedOn"})
"""What ties a resource to others: where the whole of it is asked for, these would highlight
the same patient's number for every one."""


def _asked(element: str, wanted: str) -> bool:
    return element == wanted if wanted else element.partition("[")[0] not in _TIES


def _library(request: Request) -> Library:
    state = request.app.state
    if not hasattr(state, "library"):
        state.library = Library(state.settings.mappings_dir)
    return state.library


def _explained(request: Request, found: Message) -> tuple[list[Explained], str]:
    source = request.app.state.settings.sources.get(found.source)
    if source is None or not found.raw:
        return [], ""
    try:
        converter = Converter(found.source, source, _library(request))
        return converter.explain(found.id, found.raw, found.received), ""
    except HubError as error:
        return [], error.message


def _charset(request: Request, found: Message) -> str:
    source = request.app.state.settings.sources.get(found.source)
    return source.charset if source else "utf-8"
