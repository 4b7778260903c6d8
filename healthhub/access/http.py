"""Who sent this request: the account of its session cookie or the client of its bearer token.

Pages: ``signed = await accounts.sign_in(...)``, then ``set_session(response, signed.token,
secure=...)``; ``await sign_out(request, response)``. Any route: ``who = await actor(request)``.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access.actor import Actor, Purpose

COOKIE = "healthhub_session"


async def actor(request: Request) -> Actor:
    """The actor (usable as a FastAPI dependency); NotSignedIn without a valid credential."""
    raise NotImplementedError


def purpose(request: Request, who: Actor) -> Purpose:
    """The purpose named by the header Purpose-Of-Use, else the one of the client's contract."""
    raise NotImplementedError


def set_session(response: Response, token: str, *, secure: bool) -> None:
    """Hand the browser its session cookie."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure, path="/")


async def sign_out(request: Request, response: Response) -> None:
    """End the session in the store and in the browser."""
    raise NotImplementedError
