"""POST /launch/ticket for a hospital's system, GET /launch for its doctor's browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from healthhub.access import http, launches
from healthhub.access.actor import Actor, Purpose
from healthhub.access.launches import TICKET_SECONDS, Wanted
from healthhub.access.policy import Action
from healthhub.errors import Forbidden, Gone, InvalidRequest, TooLarge
from healthhub.settings import Settings
from healthhub.web import forms, language
from healthhub.web.pages import Pages

router = APIRouter()
_PAGES = Pages(Path(__file__).parent / "templates")
MOST_BYTES = 2**14
LONGEST = 200
_TEXT = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_BODY = {
    "type": "object",
    "required": ["patient", "doctor", "purpose"],
    "properties": {
        "patient": {
            "type": "object",
            "required": ["value"],
            "properties": {"value": _TEXT, "system": {"type": "string", "maxLength": LONGEST}},
        },
        "doctor": {
            "type": "object",
            "required": ["id", "name"],
            "properties": {"id": _TEXT, "name": _TEXT},
        },
        "purpose": {"type": "string", "enum": [Purpose.TREAT.value, Purpose.PATRQT.value]},
    },
}


@router.post(
    "/launch/ticket",
    status_code=201,
    responses={
        201: {"description": "The address to open in the doctor's browser within a minute"},
        400: {"description": "The body is not as described"},
        401: {"description": "No token, or one that has ended"},
        403: {"description": "The client is no source's system, or may not launch"},
        404: {"description": "Nobody is known by this number"},
        409: {"description": "Several persons have this number"},
        413: {"description": "The body is too long"},
        503: {"description": "The database is away or busy; try again"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _BODY}},
        },
        "security": [{"client": []}],
    },
)
async def ticket(request: Request) -> Response:
    """A ticket with which this doctor may open this patient's record, once, within a minute."""
    who = await http.actor(request)
    settings = request.app.state.settings
    own = _own(who, settings)
    wanted, why = _asked(await _body(request))
    made = await http.door(request).operate(
        who,
        why,
        "launch ticket",
        lambda connection: launches.issue(connection, who, why, own, wanted),
        Action.LAUNCH,
        lambda made: (made.patient,),
    )
    body = {
        "ticket": made.ticket,
        "url": f"{http.base(request)}/launch?ticket={quote(made.ticket)}",
        "expires_in": TICKET_SECONDS,
    }
    return JSONResponse(body, 201, {"cache-control": "no-store"})


@router.get("/launch", include_in_schema=False)
async def launch(request: Request) -> Response:
    """Open the record page of a ticket, or say kindly, in both languages, that it is used up."""
    settings = request.app.state.settings
    address = request.client.host if request.client else ""
    try:
        opened = await launches.use(
            request.app.state.pool,
            request.query_params.get("ticket", ""),
            address,
            settings.web.launch_minutes,
        )
    except Gone:
        return _page(request, "used", 410)
    response = RedirectResponse(f"/record/{opened.person}", status_code=303)
    response.headers["cache-control"] = "no-store"
    http.set_launch(
        response,
        opened.token,
        f"/record/{opened.person}",
        secure=settings.web.secure_cookies,
        framed=bool(settings.web.embedded_by),
    )
    return response


@router.post("/record/{patient}/leave", include_in_schema=False)
async def leave(request: Request, patient: str) -> Response:
    """End the session of a launch."""
    await forms.checked(request)
    response = _page(request, "ended", 200)
    await http.end_launch(request, response, f"/record/{patient}")
    return response


def _page(request: Request, what: str, status: int) -> Response:
    """Whoever reads it comes from another system, whose language the hub does not know."""
    return _PAGES.render(
        request,
        "launch.html",
        viewer=None,
        status=status,
        what=what,
        both=[language.translator(code) for code in language.LANGUAGES],
    )


def _own(who: Actor, settings: Settings) -> frozenset[str]:
    """The sources that share the numbers of the client's own."""
    source = settings.sources.get(who.source or "")
    if who.kind != "client" or source is None:
        raise Forbidden(
            "only a client that is a source's system may launch; register it with --source NAME "
            "(healthhub client add)"
        )
    numbered_by = source.namespace or source.institution
    return frozenset(
        name
        for name, each in settings.sources.items()
        if (each.namespace or each.institution) == numbered_by
    )


async def _body(request: Request) -> dict[str, Any]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise TooLarge(f"the body is over {MOST_BYTES} bytes; send what is described alone")
    try:
        body: Any = orjson.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidRequest("send a JSON object with patient, doctor and purpose")
    return cast(dict[str, Any], body)


def _asked(body: dict[str, Any]) -> tuple[Wanted, Purpose]:
    try:
        why = Purpose(body.get("purpose", ""))
    except ValueError:
        raise InvalidRequest(
            "purpose is TREAT (treatment) or PATRQT (the patient's own wish)",
            expression="purpose",
        ) from None
    wanted = Wanted(
        _text(body, "patient", "value"),
        _text(body, "patient", "system", needed=False),
        _text(body, "doctor", "id"),
        _text(body, "doctor", "name"),
    )
    return wanted, why


def _text(body: dict[str, Any], part: str, name: str, *, needed: bool = True) -> str:
    held = body.get(part)
    value = cast(dict[str, Any], held).get(name, "") if isinstance(held, dict) else None
    if isinstance(value, str):
        value = value.strip()
        if (value or not needed) and len(value) <= LONGEST and "\0" not in value:
            return value
    raise InvalidRequest(
        f"{part}.{name} is a text of 1 to {LONGEST} characters", expression=f"{part}.{name}"
    )
