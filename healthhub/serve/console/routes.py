"""Messages found by what is known of them; and what all pages of the console share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import keep
from healthhub.access import http, policy
from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action
from healthhub.clock import ZONE
from healthhub.model.message import State
from healthhub.serve.console import asked
from healthhub.web import forms
from healthhub.web.pages import Pages, Viewer

router = APIRouter(prefix="/console", include_in_schema=False)
PAGES = Pages(
    Path(__file__).parent / "templates",
    filters={
        "local": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "thousands": "{:,}".format,
    },
)
WHY = Purpose.HOPERAT
PAGE = 50


def viewer(who: Actor) -> Viewer:
    """What the layout needs to know of who looks."""
    return Viewer(
        who.title or who.name,
        record=policy.permits(who, Purpose.TREAT, Action.SEARCH),
        console=policy.permits(who, WHY, Action.OPERATE),
    )


@router.get("/messages")
async def messages(request: Request, before: int | None = None) -> Response:
    """Messages, newest first, by what may stand in an address."""
    fields = {n: request.query_params.get(n, "") for n in asked.IN_ADDRESS}
    return await _listed(request, fields, before)


@router.post("/messages")
async def search(request: Request) -> Response:
    """The same by a form, which may also name a patient's or an order's number."""
    fields = await forms.checked(request)
    before = fields.get("before", "")
    return await _listed(request, fields, int(before) if before.isdecimal() else None)


async def _listed(request: Request, fields: Mapping[str, str], before: int | None) -> Response:
    who = await http.actor(request)
    given = asked.asked(fields)
    chosen = asked.choice(given)

    def work(conn: Connection) -> tuple[list[keep.Line], dict[str, int]]:
        counts = (
            {action: keep.matching(conn, chosen, action) for action in ("replay", "ignore")}
            if given and before is None
            else {}
        )
        return keep.find(conn, chosen, before=before, limit=PAGE), counts

    lines, counts = await http.door(request).operate(who, WHY, "messages", work)
    older = lines[-1].id if len(lines) == PAGE else None
    return PAGES.render(
        request,
        "messages.html",
        viewer=viewer(who),
        lines=lines,
        given=given,
        more=[name for name in ("flaw", "delay", "waited", "again") if name in given],
        states=list(State),
        sources=sorted(request.app.state.settings.sources),
        older=older,
        older_address=asked.address(given, before=older) if older else "",
        counts=counts,
    )
