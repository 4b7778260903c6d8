"""Forms that only our own pages can send: a random cookie that each form must repeat.

OWASP "double submit cookie": another site can make a browser send the form and the cookie,
but cannot read the cookie to repeat it in the form.
"""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import Forbidden, InvalidRequest

COOKIE = "healthhub_form"
FIELD = "form_key"


def key(request: Request) -> str:
    """The key of this browser's forms; a new one when it has none yet."""
    present = request.cookies.get(COOKIE, "")
    if len(present) >= 32:
        return present
    if not hasattr(request.state, "form_key"):
        request.state.form_key = secrets.token_urlsafe(32)
    return request.state.form_key


def remember(request: Request, response: Response, *, secure: bool) -> None:
    """Set the cookie when the page just made a key."""
    made = getattr(request.state, "form_key", None)
    if made is not None:
        response.set_cookie(
            COOKIE, made, httponly=True, samesite="strict", secure=secure, path="/"
        )


async def checked(request: Request) -> dict[str, str]:
    """The text fields of a form that came from one of our pages; Forbidden otherwise."""
    form = await request.form()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if any("\0" in value for value in fields.values()):
        raise InvalidRequest("no text holds the character NUL; leave it out")
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or not secrets.compare_digest(
        cookie.encode(), fields.get(FIELD, "").encode()
    ):
        raise Forbidden(
            "the form was not opened from this site, or cookies are off; "
            "open the page again and repeat what you did"
        )
    return fields
