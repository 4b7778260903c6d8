"""Uploading a file in the console: chosen, checked without keeping anything, then taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from healthhub.access import http
from healthhub.access.actor import Actor
from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest, TryAgain
from healthhub.keep import uploads
from healthhub.receive.unpacking import shortened
from healthhub.receive.uploading import CONVERTED, Check, Uploads
from healthhub.serve.console.shared import PAGES, WHY, viewer
from healthhub.web import forms

_CHECKS = asyncio.Semaphore(2)
"""Files that one web process looks through at a time."""
router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("/upload")
async def page(request: Request) -> Response:
    """The form, and the latest uploads."""
    who = await http.actor(request)
    latest = await http.door(request).operate(who, WHY, "uploads", uploads.listed)
    return PAGES.render(
        request,
        "upload.html",
        viewer=viewer(who),
        sources=request.app.state.settings.sources,
        latest=latest,
    )


@router.post("/upload")
async def check(request: Request) -> Response:
    """Look through a file; it is held for its taking, and nothing of it is a message yet."""
    who = await http.actor(request)
    await http.door(request).permit(who, WHY, Action.OPERATE)
    if _CHECKS.locked():
        raise TryAgain("other files are being checked; try again in a minute")
    async with _CHECKS:
        return await _checked(request, who)


async def _checked(request: Request, who: Actor) -> Response:
    settings = request.app.state.settings
    async with request.form() as form:
        fields = await forms.checked(request)
        name, given = fields.get("source", ""), form.get("file")
        if name not in settings.sources:
            raise InvalidRequest("choose a source from the list", expression="source")
        if not isinstance(given, UploadFile) or not given.filename:
            raise InvalidRequest("choose a file", expression="file")
        content, shown = await given.read(), file_name(given.filename)
    if not content:
        raise InvalidRequest("the file is empty", expression="file")

    def work(conn: Connection) -> tuple[Check, int]:
        told = Uploads(settings, name).check(conn, shown, content)
        return told, uploads.hold(conn, who.name, name, shown, content) if told.messages else 0

    told, held = await http.door(request).operate(who, WHY, f"check upload for {name}", work)
    return PAGES.render(
        request,
        "upload_check.html",
        viewer=viewer(who),
        c=told,
        held=held,
        source=name,
        title=settings.sources[name].title,
        name=shown,
        most=CONVERTED,
    )


@router.post("/uploads/{upload}/take")
async def take(request: Request, upload: int) -> Response:
    """Let a checked file be taken; the part ``watch`` does it."""
    who = await http.actor(request)
    await forms.checked(request)
    await http.door(request).operate(
        who, WHY, f"take upload {upload}", lambda conn: uploads.begin(conn, upload, who.name)
    )
    return RedirectResponse("/console/upload", status_code=303)


def file_name(given: str) -> str:
    """The name as the browser gives it, without any path and what no file may be called."""
    last = Path(given.replace("\\", "/")).name.lstrip(".")
    kept = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*')
    return shortened(kept) or "upload"
