"""Messages found by what is known of them: number, patient, source, state, time, finding."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import keep
from healthhub.access import http
from healthhub.access.policy import Action
from healthhub.keep import figures
from healthhub.model.message import State
from healthhub.serve.console import asked, choosing
from healthhub.serve.console.shared import PAGES, WHY, number_of, viewer
from healthhub.web import forms

router = APIRouter(prefix="/console", include_in_schema=False)
PAGE = 50
MOST_COUNTED = 10_000


@router.get("/messages")
async def messages(request: Request, before: int | None = None) -> Response:
    """Messages, newest first, by what may stand in an address."""
    fields = {n: request.query_params.get(n, "") for n in asked.IN_ADDRESS}
    return await _listed(request, fields, before)


@router.post("/messages")
async def search(request: Request) -> Response:
    """The same by a form, which may also name a patient, or an order's number."""
    await http.actor(request)  # nobody's form is read
    fields = await forms.checked(request)
    return await _listed(request, fields, number_of(fields.get("before", "")))


async def _listed(request: Request, fields: Mapping[str, str], before: int | None) -> Response:
    who = await http.actor(request)
    await http.door(request).permit(who, WHY, Action.OPERATE)
    given = asked.asked(fields)
    chosen = await choosing.chosen(request, who, given)

    def work(
        conn: Connection,
    ) -> tuple[list[keep.Line], dict[str, int | None], list[str]]:
        counts = (
            {a: choosing.count(conn, chosen, a, MOST_COUNTED) for a in ("replay", "ignore")}
            if given and before is None
            else {}
        )
        codes = sorted({code for each in figures.ever(conn).values() for code in each.finding})
        return choosing.listed(conn, chosen, before, PAGE), counts, codes

    lines, counts, codes = await http.door(request).operate(who, WHY, "messages", work)
    older = lines[-1].id if len(lines) == PAGE else None
    return PAGES.render(
        request,
        "messages.html",
        viewer=viewer(who),
        lines=lines,
        given=given,
        hidden=[name for name in ("number", "patient") if name in given],
        more=[name for name in ("flaw", "delay", "waited", "again") if name in given],
        codes=codes,
        states=list(State),
        sources=sorted(request.app.state.settings.sources),
        older=older,
        older_address=asked.address(given, before=older) if older else "",
        counts=counts,
        most=MOST_COUNTED,
    )
