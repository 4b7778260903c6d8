"""Replaying messages and setting them aside: by a form that gives a reason, logged with it.
A few are done at once; more become a task that goes on by itself and can be stopped."""

from __future__ import annotations

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import RedirectResponse, Response

from healthhub import keep
from healthhub.access import http
from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice, tasks
from healthhub.receive import again
from healthhub.serve.console import asked, choosing
from healthhub.serve.console.shared import PAGES, WHY, number_of, viewer
from healthhub.web import forms

router = APIRouter(prefix="/console", include_in_schema=False)
ACTIONS = ("replay", "ignore")
AT_ONCE = 500
"""Messages that are acted on while one waits for the page."""


@router.post("/act")
async def act(request: Request) -> Response:
    """Replay or ignore one message (``id``), or all that the fields of the list choose."""
    who = await http.actor(request)
    fields = await forms.checked(request)
    await http.door(request).permit(who, WHY, Action.OPERATE)
    action, reason, id_ = (fields.get(name, "").strip() for name in ("action", "reason", "id"))
    if action not in ACTIONS:
        raise InvalidRequest("choose to replay or to ignore", expression="action")
    if not reason:
        raise InvalidRequest("say why: a reason is kept with every replay", expression="reason")
    given = {} if id_ else asked.asked(fields)
    number = number_of(id_)
    if id_ and number is None:
        raise InvalidRequest("a message has a number", expression="id")
    choice = (
        Choice(ids=(number,))
        if number is not None
        else (await choosing.chosen(request, who, given)).required()
    )
    sources = request.app.state.settings.sources

    def work(conn: Connection) -> tuple[int, bool]:
        if not id_ and choosing.count(conn, choice, action, AT_ONCE) in (None, AT_ONCE + 1):
            return tasks.begin(conn, choice, action, who=who.name, reason=reason), True
        if action == "ignore":
            return keep.ignore(conn, choice, who=who.name, reason=reason), False
        return again.replay(conn, sources, choice, who=who.name, reason=reason), False

    said = f"{action} {choice.as_json()}"
    count, begun = await http.door(request).operate(who, WHY, said, work)
    if id_:
        return RedirectResponse(f"/console/messages/{number}", status_code=303)
    return PAGES.render(
        request,
        "acted.html",
        viewer=viewer(who),
        action=action,
        count=count,
        begun=begun,
        reason=reason,
        back=asked.address(given),
    )


@router.post("/tasks/{task}/stop")
async def stop(request: Request, task: int) -> Response:
    """End a task under way; what it has done stays done."""
    who = await http.actor(request)
    await forms.checked(request)
    await http.door(request).operate(
        who, WHY, f"stop task {task}", lambda conn: tasks.stop(conn, task, who.name)
    )
    return RedirectResponse("/console#tasks", status_code=303)
