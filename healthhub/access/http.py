"""Who sent this request: the account of its session cookie or the client of its bearer token.

Pages: ``signed = await accounts.sign_in(...)``, then ``set_session(response, signed.token,
secure=...)``; ``await sign_out(request, response)``. Any route: ``who = await actor(request)``.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import clients, launches
from healthhub.access.accounts import digest
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.door import Door
from healthhub.errors import InvalidRequest, NotSignedIn

COOKIE = "healthhub_session"
LAUNCH_COOKIE = "healthhub_launch"
"""The cookie of a launch: the browser sends it with the addresses of its one record alone."""
PURPOSE = "purpose-of-use"
REMEMBER_SECONDS = 5.0
"""How long a process believes what it looked up: a disabled client is refused within it."""
REMEMBER = 10_000

_CLIENT = f"""
select {clients.ACTING}, client.scopes from client where token = %(token)s and disabled_at is null
union all
select {clients.ACTING}, access_token.scopes
  from access_token join client on client.id = access_token.client
 where access_token.token = %(token)s and access_token.expires_at > now() and disabled_at is null
"""  # noqa: S608
_SESSION = """
with found as (
    select account.id, account.name, account.title, account.roles, session.token, session.seen_at
      from session join account on account.id = session.account
     where session.token = %(token)s and session.expires_at > now()
       and session.seen_at > now() - %(idle)s * interval '1 min'
       and account.disabled_at is null),
touched as (
    update session set seen_at = now() from found
     where session.token = found.token and found.seen_at < now() - interval '30 s')
select id, name, title, roles from found
"""


class Identities:
    """Looks up who a credential belongs to, and remembers it for a few seconds."""

    def __init__(self, pool: AsyncConnectionPool[Any], idle_minutes: int) -> None:
        self._pool = pool
        self._idle_minutes = idle_minutes
        self._known: OrderedDict[bytes, tuple[float, Actor]] = OrderedDict()

    async def of_client(self, token: str) -> Actor | None:
        """The client of a bearer token of its own, or of one that it signed for."""
        key = b"c" + digest(token)
        if (known := self._remembered(key)) is not None:
            return known
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_CLIENT, {"token": key[1:]})).fetchone()
        return None if row is None else self._remember(key, clients.actor(*row))

    def forget(self, token: str) -> None:
        """Believe no more what was looked up of a bearer token."""
        self._known.pop(b"c" + digest(token), None)

    async def of_session(self, token: str) -> Actor | None:
        """The account of a session cookie; keeps the session from going idle."""
        key = b"s" + digest(token)
        if (known := self._remembered(key)) is not None:
            return known
        values = {"token": key[1:], "idle": self._idle_minutes}
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_SESSION, values)).fetchone()
        if row is None:
            return None
        number, name, title, roles = row
        return self._remember(
            key,
            Actor(f"account:{number}", "account", name, frozenset(map(Role, roles)), title),
        )

    async def of_launch(self, token: str) -> Actor | None:
        """The doctor of a launch's cookie; keeps the session from going idle."""
        key = b"l" + digest(token)
        if (known := self._remembered(key)) is not None:
            return known
        values = {"token": key[1:], "idle": self._idle_minutes}
        async with self._pool.connection() as connection:
            row = await (await connection.execute(launches.ACTING, values)).fetchone()
        return None if row is None else self._remember(key, launches.actor(*row))

    async def end_launch(self, token: str) -> None:
        """End a launch's session; other processes forget it within REMEMBER_SECONDS."""
        self._known.pop(b"l" + digest(token), None)
        await launches.end(self._pool, token)

    async def end_session(self, token: str) -> None:
        """End a session; other processes forget it within REMEMBER_SECONDS."""
        self._known.pop(b"s" + digest(token), None)
        async with self._pool.connection() as connection:
            await connection.execute("delete from session where token = %s", (digest(token),))

    def _remembered(self, key: bytes) -> Actor | None:
        until, actor = self._known.get(key, (0.0, None))
        return actor if until > time.monotonic() else None

    def _remember(self, key: bytes, actor: Actor) -> Actor:
        self._known[key] = (time.monotonic() + REMEMBER_SECONDS, actor)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBER:
            self._known.popitem(last=False)
        return actor


async def actor(request: Request) -> Actor:
    """The actor (usable as a FastAPI dependency); NotSignedIn without a valid credential.

    A bearer token wins over a cookie; a wrong one is refused and not retried as a cookie.
    """
    identities = _identities(request)
    address = request.client.host if request.client else ""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise NotSignedIn("send the client's token as 'Authorization: Bearer TOKEN'")
        found = await identities.of_client(token.strip())
    elif (launch := request.cookies.get(LAUNCH_COOKIE)) and (
        doctor := await identities.of_launch(launch)
    ):
        found = doctor
    elif cookie := request.cookies.get(COOKIE):
        found = await identities.of_session(cookie)
    else:
        raise NotSignedIn("sign in at /signin, or send 'Authorization: Bearer TOKEN'")
    if found is None:
        raise NotSignedIn(
            "the session has ended or the token is not known; sign in again, or ask an "
            "administrator for a token"
        )
    return replace(found, address=address)


def purpose(request: Request, who: Actor) -> Purpose:
    """The purpose named by the header Purpose-Of-Use, else the one the client is registered
    for; InvalidRequest when there is neither: a read never has a purpose by default."""
    named = request.headers.get(PURPOSE)
    if named is None and who.purpose is not None:
        return who.purpose
    try:
        return Purpose(named or "")
    except ValueError:
        raise InvalidRequest(
            "name the purpose of this request in the header Purpose-Of-Use: one of "
            + ", ".join(Purpose)
        ) from None


def forget(request: Request, token: str) -> None:
    """Look a bearer token up anew when it comes next."""
    _identities(request).forget(token)


def set_session(response: Response, token: str, *, secure: bool) -> None:
    """Hand the browser its session cookie."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure, path="/")


def set_launch(
    response: Response, token: str, path: str, *, secure: bool, framed: bool
) -> None:
    """Hand the browser the cookie of a launch, for one record's addresses. In a frame of another
    site's page a browser sends it only as SameSite=None, and that only with TLS."""
    same_site = "none" if framed and secure else "lax"
    response.set_cookie(
        LAUNCH_COOKIE, token, httponly=True, samesite=same_site, secure=secure, path=path
    )


async def end_launch(request: Request, response: Response, path: str) -> None:
    """End a launch's session in the store and in the browser."""
    if cookie := request.cookies.get(LAUNCH_COOKIE):
        await _identities(request).end_launch(cookie)
    response.delete_cookie(LAUNCH_COOKIE, path=path, httponly=True, samesite="lax")


def base(request: Request) -> str:
    """The hub's own address: the one configured, else the one that was called."""
    configured: str = request.app.state.settings.web.base_url
    if configured:
        return configured.rstrip("/")
    return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"


async def sign_out(request: Request, response: Response) -> None:
    """End the session in the store and in the browser."""
    if cookie := request.cookies.get(COOKIE):
        await _identities(request).end_session(cookie)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def door(request: Request) -> Door:
    """The application's door."""
    state = request.app.state
    found: Door | None = getattr(state, "door", None)
    if found is None:
        found = state.door = Door(state.pool)
    return found


def _identities(request: Request) -> Identities:
    state = request.app.state
    found: Identities | None = getattr(state, "identities", None)
    if found is None:
        found = Identities(state.pool, state.settings.web.session_minutes)
        state.identities = found
    return found
