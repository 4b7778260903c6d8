"""Grants: a client that has shown who it is gets a token for a few minutes.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
RFC 6749, 4.4 (client credentials) and 5.2 (errors)
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub import clock
from healthhub.access import assertions, audit
from healthhub.access.accounts import digest
from healthhub.access.actor import Actor, Purpose
from healthhub.access.assertions import LEEWAY_SECONDS, Assertion, NotTheClient
from healthhub.access.policy import Action
from healthhub.access.published import Published
from healthhub.access.scopes import Scopes, wanted
from healthhub.errors import HubError

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
INTROSPECT_PATH = "/oauth/introspect"
REVOKE_PATH = "/oauth/revoke"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT_CREDENTIALS = "client_credentials"
MOST_DENIALS, DENIALS_SECONDS = 30, 60.0
"""So many refusals of one client does a process audit in this time."""
_log = logging.getLogger(__name__)

_TAKEN = """
with old as (delete from used_assertion where expires_at < now())
insert into used_assertion (client, jti, expires_at) values (%s, %s, %s)
on conflict do nothing returning client
"""
_GRANT = """
with old as (delete from access_token where expires_at < now())
insert into access_token (token, client, scopes, expires_at) values (%s, %s, %s, %s)
"""


class Refused(HubError):
    """A request for a token that is not granted; ``code`` is the error of RFC 6749, 5.2."""

    status, issue = 400, "invalid"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Granted:
    """A fresh token, which is nowhere else, the seconds that it is good for, and its scopes."""

    token: str
    seconds: int
    scopes: Scopes


class Grants:
    """Gives tokens; one for each process, as it remembers the key sets that it has read."""

    def __init__(
        self, pool: AsyncConnectionPool[Any], published: Published, seconds: int
    ) -> None:
        self._pool, self._published, self._seconds = pool, published, seconds
        self._denials: dict[str, tuple[float, int]] = {}

    async def give(self, form: Mapping[str, str], audience: str, address: str) -> Granted:
        """What a form of the token endpoint asks for; Refused, NotTheClient, TryAgain.

        ``audience``: the endpoint's own address, which the assertion must name.
        """
        if form.get("grant_type") != CLIENT_CREDENTIALS:
            raise Refused("unsupported_grant_type", f"grant_type is {CLIENT_CREDENTIALS} here")
        asked = form.get("scope", "").split()
        assertion = await self._judged(form, audience, address)
        who = assertion.who
        granted = wanted(asked).within(who.scopes) if who.scopes is not None else Scopes()
        if not granted:
            raise Refused(
                "invalid_scope",
                "scope holds nothing that the client is registered for; ask for scopes such as "
                "system/Observation.rs, or register more",
            )
        return await self._entered(assertion, granted, address)

    async def client(self, form: Mapping[str, str], audience: str, address: str) -> Actor:
        """The client that a form's assertion is from; it is taken once here as well."""
        assertion = await self._judged(form, audience, address)
        async with self._pool.connection() as connection:
            taken = await _take(connection, assertion)
        if not taken:
            raise await self._used(assertion, address)
        return replace(assertion.who, address=address)

    async def _judged(self, form: Mapping[str, str], audience: str, address: str) -> Assertion:
        if form.get("client_assertion_type") != JWT_BEARER or not form.get("client_assertion"):
            raise Refused(
                "invalid_request",
                f"send client_assertion_type={JWT_BEARER} and the signed client_assertion",
            )
        try:
            assertion = await assertions.judged(
                self._pool, self._published, form["client_assertion"], audience
            )
            _require_same(form, assertion)
        except NotTheClient as error:
            if error.who is not None:
                await self._deny(error.who, address, error.message)
            raise
        return assertion

    async def _entered(self, assertion: Assertion, granted: Scopes, address: str) -> Granted:
        """Take the assertion, store the token and audit both, or do nothing."""
        who = assertion.who
        number = int(who.id.partition(":")[2])
        token = secrets.token_urlsafe(32)
        async with self._pool.connection() as connection, connection.transaction():
            taken = await _take(connection, assertion)
            if taken:
                until = clock.now() + timedelta(seconds=self._seconds)
                stored = (digest(token), number, granted.words(), until)
                await connection.execute(_GRANT, stored)
                event = _event(who, address, f"token: {' '.join(granted.words())}")
                await connection.execute(audit.INSERT, (audit.as_parameter([event]),))
        if not taken:
            raise await self._used(assertion, address)
        return Granted(token, self._seconds, granted)

    async def _used(self, assertion: Assertion, address: str) -> NotTheClient:
        message = "this assertion was used before; sign a new one, with a new jti, each time"
        await self._deny(assertion.who, address, message)
        return NotTheClient(message, assertion.who)

    async def _deny(self, who: Actor, address: str, why: str) -> None:
        """Audit a refusal, if there were not too many of this client within the minute: whoever
        only knows its name must not fill a table of which nothing is ever removed."""
        now = time.monotonic()
        since, count = self._denials.get(who.id, (now, 0))
        if now >= since + DENIALS_SECONDS:
            since, count = now, 0
        count += 1
        self._denials[who.id] = (since, count)
        if count > MOST_DENIALS:
            if count == MOST_DENIALS + 1:
                _log.warning("further refusals of %s are not audited for a minute", who.id)
            return
        event = _event(who, address, why, "denied")
        async with self._pool.connection() as connection:
            await connection.execute(audit.INSERT, (audit.as_parameter([event]),))


def _event(who: Actor, address: str, what: str, outcome: str = "done") -> audit.Event:
    known = Actor(who.id, who.kind, who.name, who.roles, address=address)
    purpose = who.purpose or Purpose.HOPERAT
    return audit.Event(known, purpose, Action.SIGN_IN, outcome, query=what)


async def _take(connection: psycopg.AsyncConnection[Any], assertion: Assertion) -> bool:
    """Note that the assertion is used; False when it was before."""
    number = int(assertion.who.id.partition(":")[2])
    jti = hashlib.sha256(assertion.jti.encode(errors="surrogatepass")).digest()
    until = datetime.fromtimestamp(assertion.expires + 2 * LEEWAY_SECONDS, UTC)
    found = await connection.execute(_TAKEN, (number, jti, until))
    return await found.fetchone() is not None


def _require_same(form: Mapping[str, str], assertion: Assertion) -> None:
    """A client_id beside an assertion is the assertion's client (RFC 7521, 4.2)."""
    if form.get("client_id", assertion.who.name) != assertion.who.name:
        raise NotTheClient("client_id is not the client of the assertion", assertion.who)
