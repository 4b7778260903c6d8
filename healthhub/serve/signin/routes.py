"""The sign-in page and its forms."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from healthhub.access import Role, accounts, http
from healthhub.errors import NotSignedIn
from healthhub.web import forms
from healthhub.web.pages import Pages

router = APIRouter(include_in_schema=False)
_PAGES = Pages(Path(__file__).parent / "templates")


def inside(address: str) -> str:
    """An address of this hub to go on to, else the start page: no open redirect."""
    if address.startswith("/") and not address.startswith(("//", "/\\")):
        return address
    return "/"


@router.get("/signin")
def form(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address's word
    """The empty form."""
    return _PAGES.render(request, "signin.html", viewer=None, next=inside(next), refused=False)


@router.post("/signin")
async def sign_in(request: Request) -> Response:
    """Open a session and go on to where the reader wanted to go."""
    fields = await forms.checked(request)
    settings = request.app.state.settings
    target = inside(fields.get("next", "/"))
    typed = accounts.Attempt(
        fields.get("name", ""),
        fields.get("password", ""),
        fields.get("code", ""),
        request.client.host if request.client else "",
    )
    with_code = frozenset({Role.ADMIN}) if settings.web.admins_need_code else frozenset()
    try:
        signed = await accounts.sign_in(
            request.app.state.pool, typed, settings.web.session_minutes, with_code
        )
    except NotSignedIn:
        return _PAGES.render(
            request, "signin.html", viewer=None, status=401, next=target, refused=True
        )
    response = RedirectResponse(target, status_code=303)
    http.set_session(response, signed.token, secure=settings.web.secure_cookies)
    return response


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    """End the session."""
    await forms.checked(request)
    response = RedirectResponse("/signin", status_code=303)
    await http.sign_out(request, response)
    return response
