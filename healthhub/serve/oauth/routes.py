"""POST /oauth/token: a program that signs gets a token for a few minutes (RFC 6749, 7523)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from healthhub.access import http
from healthhub.access.assertions import NotTheClient
from healthhub.access.grants import TOKEN_PATH, Grants, Refused
from healthhub.access.published import Published
from healthhub.errors import HubError, TryAgain

router = APIRouter()
FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 2**16
_UNKEPT = {"cache-control": "no-store", "pragma": "no-cache"}
_FIELDS = {
    "grant_type": {"type": "string", "enum": ["client_credentials"]},
    "scope": {"type": "string"},
    "client_assertion_type": {"type": "string"},
    "client_assertion": {"type": "string"},
}


@router.post(
    TOKEN_PATH,
    responses={
        200: {"description": "A token, the seconds that it is good for, and its scopes"},
        400: {"description": "The form or the scope is wrong (RFC 6749, 5.2)"},
        401: {"description": "The assertion does not show that this is the client"},
        413: {"description": "The form is over the limit of all bodies"},
        503: {"description": "The client's key set or the database is away; try again"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {"schema": {"type": "object", "properties": _FIELDS}},
            },
        },
    },
)
async def token(request: Request) -> Response:
    """Give a registered client a token for its signed assertion (SMART Backend Services)."""
    try:
        granted = await _grants(request).give(
            await _form(request),
            f"{http.base(request)}{TOKEN_PATH}",
            request.client.host if request.client else "",
        )
    except (Refused, NotTheClient) as error:
        return _refused(error, error.status)
    except TryAgain as error:
        error.code = "temporarily_unavailable"
        return _refused(error, error.status)
    body = {
        "access_token": granted.token,
        "token_type": "bearer",
        "expires_in": granted.seconds,
        "scope": " ".join(granted.scopes.words()),
    }
    return JSONResponse(body, headers=_UNKEPT)


def _refused(error: HubError, status: int) -> Response:
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""
    body = {"error": error.code, "error_description": error.message}
    more = {"retry-after": "5"} if status == 503 else {}
    return JSONResponse(body, status, _UNKEPT | more)


async def _form(request: Request) -> dict[str, str]:
    """The fields, each once; bounded, as it is not known yet who sends them."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise Refused("invalid_request", f"send a form, as Content-Type: {FORM}")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise Refused("invalid_request", f"the form is over {MOST_BYTES} bytes")
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=50, errors="strict"
        )
    except ValueError:
        raise Refused("invalid_request", "the form is not UTF-8") from None
    fields = dict(pairs)
    if len(fields) < len(pairs) or any("\0" in text for pair in pairs for text in pair):
        raise Refused("invalid_request", "a field stands twice in the form, or holds NUL")
    return fields


def _grants(request: Request) -> Grants:
    state = request.app.state
    if not hasattr(state, "grants"):
        oauth = state.settings.oauth
        state.grants = Grants(state.pool, Published(oauth), oauth.token_seconds)
    return state.grants
