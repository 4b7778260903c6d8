"""POST /oauth/token, /oauth/introspect and /oauth/revoke: tokens of a few minutes for programs
that sign, told about and ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from healthhub.access import Actor, http, tokens
from healthhub.access.assertions import NotTheClient
from healthhub.access.grants import INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH, Grants, Refused
from healthhub.access.published import Published
from healthhub.errors import NotSignedIn, TryAgain
from healthhub.serve.oauth import form
from healthhub.serve.oauth.form import FORM, UNKEPT

router = APIRouter()
Fields = Mapping[str, str]
_SIGNED = {"client_assertion_type": {"type": "string"}, "client_assertion": {"type": "string"}}
_ASKED = {
    "grant_type": {"type": "string", "enum": ["client_credentials"]},
    "scope": {"type": "string"},
    **_SIGNED,
}
_ABOUT = {"token": {"type": "string"}, "token_type_hint": {"type": "string"}, **_SIGNED}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The form or the scope is wrong (RFC 6749, 5.2)"},
    401: {"description": "Nothing shows that this is the client"},
    413: {"description": "The form is over the limit of all bodies"},
    503: {"description": "The client's key set or the database is away; try again"},
}


def _described(fields: Mapping[str, object], **more: object) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}, **more}


@router.post(
    TOKEN_PATH,
    responses={
        200: {"description": "A token, the seconds that it is good for, and its scopes"},
        **_REFUSALS,
    },
    openapi_extra=_described(_ASKED),
)
async def token(request: Request) -> Response:
    """Give a registered client a token for its signed assertion (SMART Backend Services)."""

    async def give(fields: Fields) -> Response:
        granted = await _grants(request).give(fields, _audience(request), _address(request))
        body = {
            "access_token": granted.token,
            "token_type": "bearer",
            "expires_in": granted.seconds,
            "scope": " ".join(granted.scopes.words()),
        }
        return JSONResponse(body, headers=UNKEPT)

    return await _answered(request, give)


@router.post(
    INTROSPECT_PATH,
    responses={200: {"description": "Whether the token is good, and for what"}, **_REFUSALS},
    openapi_extra=_described(_ABOUT, security=[{"client": []}]),
)
async def introspect(request: Request) -> Response:
    """Say what a token is good for: to its own client, and to one with all rights."""

    async def tell(fields: Fields) -> Response:
        who = await _client(request, fields)
        found = await tokens.told(request.app.state.pool, who, _token(fields))
        if found is None:
            return JSONResponse({"active": False}, headers=UNKEPT)
        body: dict[str, object] = {
            "active": True,
            "client_id": found.client,
            "token_type": "bearer",
        }
        if found.scopes is not None:
            body["scope"] = " ".join(found.scopes)
        if found.expires is not None:
            body["exp"] = int(found.expires.timestamp())
        return JSONResponse(body, headers=UNKEPT)

    return await _answered(request, tell)


@router.post(
    REVOKE_PATH,
    responses={200: {"description": "The token is good for nothing by now"}, **_REFUSALS},
    openapi_extra=_described(_ABOUT, security=[{"client": []}]),
)
async def revoke(request: Request) -> Response:
    """End a token of the client's own; other processes forget it within seconds."""

    async def end(fields: Fields) -> Response:
        who = await _client(request, fields)
        await tokens.revoke(request.app.state.pool, who, _token(fields))
        http.forget(request, _token(fields))
        return Response(None, 200, UNKEPT)

    return await _answered(request, end)


async def _answered(
    request: Request, work: Callable[[Fields], Awaitable[Response]]
) -> Response:
    try:
        return await work(await form.read(request))
    except (Refused, NotTheClient) as error:
        return form.refused(error)
    except NotSignedIn as error:
        error.code = "invalid_client"
        return form.refused(error)
    except TryAgain as error:
        error.code = "temporarily_unavailable"
        return form.refused(error)


async def _client(request: Request, fields: Fields) -> Actor:
    """Who asks: by a signed assertion in the form, else by a token of its own."""
    if "client_assertion" in fields:
        return await _grants(request).client(fields, _audience(request), _address(request))
    who = await http.actor(request)
    if who.kind != "client":
        raise NotSignedIn("only programs ask here; send a client's token, or an assertion")
    return who


def _token(fields: Fields) -> str:
    found = fields.get("token", "")
    if not found:
        raise Refused("invalid_request", "send the token in the field token")
    return found


def _audience(request: Request) -> str:
    """What each assertion names, whichever of the addresses it is brought to."""
    return f"{http.base(request)}{TOKEN_PATH}"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _grants(request: Request) -> Grants:
    state = request.app.state
    if not hasattr(state, "grants"):
        oauth = state.settings.oauth
        state.grants = Grants(state.pool, Published(oauth), oauth.token_seconds)
    return state.grants
