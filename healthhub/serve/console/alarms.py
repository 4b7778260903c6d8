"""The page of alarms: what is open, who looks after it, what is over, and how hooks fare."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import RedirectResponse, Response

from healthhub.access import http
from healthhub.serve.console.shared import PAGES, WHY, viewer
from healthhub.settings import Settings
from healthhub.watch import alarms, words
from healthhub.watch.alarms import Alarm, HookState
from healthhub.web import forms, language

router = APIRouter(prefix="/console", include_in_schema=False)
OVER = 50


@router.get("/alarms")
async def page(request: Request) -> Response:
    """Open alarms, the latest that are over, and the hooks."""
    who = await http.actor(request)

    def work(conn: Connection) -> tuple[list[Alarm], list[Alarm], list[HookState]]:
        return (
            alarms.listed(conn, is_open=True),
            alarms.listed(conn, is_open=False, limit=OVER),
            alarms.hook_states(conn),
        )

    is_open, over, hooks = await http.door(request).operate(who, WHY, "alarms", work)
    settings: Settings = request.app.state.settings
    t = language.translator(language.chosen(request))
    return PAGES.render(
        request,
        "alarms.html",
        viewer=viewer(who),
        open=[(each, words.text(each, t)) for each in is_open],
        over=[(each, words.text(each, t)) for each in over],
        hooks=hooks,
        hosts={
            name: host(hook.url.get_secret_value())
            for name, hook in settings.alarms.hooks.items()
        },
        titles={name: source.title for name, source in settings.sources.items()},
    )


@router.post("/alarms/{alarm}")
async def acknowledge(request: Request, alarm: int) -> Response:
    """Say that one looks after an alarm, and what is being done."""
    who = await http.actor(request)
    fields = await forms.checked(request)

    def work(conn: Connection) -> None:
        alarms.acknowledge(conn, alarm, who.name, fields.get("note", ""))

    await http.door(request).operate(who, WHY, f"acknowledge alarm {alarm}", work)
    return RedirectResponse("/console/alarms", status_code=303)


def host(url: str) -> str:
    """Where a hook is, without what its address may keep secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
