"""What is done about a gap: a preview, then a map, or back, or aside; by name and with a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import RedirectResponse, Response

from healthhub import keep
from healthhub.access import http
from healthhub.access.actor import Actor
from healthhub.access.policy import Action
from healthhub.gaps import solving
from healthhub.gaps.desk import Desk, Sheet
from healthhub.gaps.preview import Preview
from healthhub.model.code_maps import Target
from healthhub.serve.console.gaps import desk, page
from healthhub.serve.console.shared import WHY, number_of
from healthhub.web import forms

router = APIRouter(prefix="/console/gaps", include_in_schema=False)


def _target(fields: dict[str, str]) -> Target:
    return Target(*(fields.get(name, "").strip() for name in ("code", "display", "system")))


def _seen(fields: dict[str, str]) -> int:
    return number_of(fields.get("seen", "")) or 0


@router.post("/{gap}/preview")
async def preview(request: Request, gap: int) -> Response:
    """The page of the gap with what a target would change. Nothing is changed."""
    who = await http.actor(request)
    target = _target(await forms.checked(request))

    def work(conn: Connection) -> tuple[Sheet, Preview]:
        sheet = desk(request).sheet(conn, gap)
        return sheet, desk(request).preview(conn, sheet.place, target)

    sheet, found = await http.door(request).operate(
        who, WHY, f"gap {gap} preview", work, patients=lambda both: both[1].whose
    )
    return page(request, who, sheet, found, target)


@router.post("/{gap}/unpreview")
async def unpreview(request: Request, gap: int) -> Response:
    """The page of the gap with what going back would change. Nothing is changed."""
    who = await http.actor(request)
    await forms.checked(request)

    def work(conn: Connection) -> tuple[Sheet, Preview, Target | None]:
        sheet = desk(request).sheet(conn, gap)
        before = sheet.history[1].target if len(sheet.history) > 1 else None
        return sheet, desk(request).preview(conn, sheet.place, before), before

    sheet, found, before = await http.door(request).operate(
        who, WHY, f"gap {gap} preview of undoing", work, patients=lambda both: both[1].whose
    )
    return page(request, who, sheet, found, before, undone=True)


@router.post("/{gap}/solve")
async def solve(request: Request, gap: int) -> Response:
    """Map the code, and begin to derive again what is stored."""
    who = await http.actor(request)
    fields = await forms.checked(request)

    def work(table: Desk, conn: Connection) -> None:
        where = table.place(conn, gap)
        reason = fields.get("reason", "")
        table.solve(conn, where, _target(fields), who=who.name, why=reason, seen=_seen(fields))

    return await _act(request, who, gap, f"gap {gap} map {fields.get('code', '')[:200]}", work)


@router.post("/{gap}/undo")
async def undo(request: Request, gap: int) -> Response:
    """Take the latest version back, and begin to derive again what is stored."""
    who = await http.actor(request)
    fields = await forms.checked(request)

    def work(table: Desk, conn: Connection) -> None:
        where = table.place(conn, gap)
        reason = fields.get("reason", "")
        solving.undo(conn, _seen(fields), where, who=who.name, why=reason)

    return await _act(request, who, gap, f"gap {gap} unmap {_seen(fields)}", work)


@router.post("/{gap}/aside")
async def aside(request: Request, gap: int) -> Response:
    """Take the gap off the queue, or (``back``) put it there again."""
    who = await http.actor(request)
    fields = await forms.checked(request)
    back = fields.get("back") == "1"

    def work(_: Desk, conn: Connection) -> None:
        found = keep.gaps.get(conn, gap)
        solving.set_aside(conn, [found], who=who.name, why=fields.get("reason", ""), back=back)

    return await _act(request, who, gap, f"gap {gap} {'back' if back else 'aside'}", work)


async def _act(
    request: Request,
    who: Actor,
    gap: int,
    what: str,
    work: Callable[[Desk, Connection], None],
) -> Response:
    done = partial(work, desk(request))
    await http.door(request).operate(who, WHY, what, done, action=Action.MAP)
    return RedirectResponse(f"/console/gaps/{gap}", status_code=303)
