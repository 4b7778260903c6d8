"""Assertions: a client says who it is with a JSON Web Token that it has signed.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
RFC 7523 (JWT client authentication), RFC 8725 (best current practices)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from psycopg_pool import AsyncConnectionPool

from healthhub import clock
from healthhub.access import clients, keys
from healthhub.access.actor import Actor
from healthhub.access.published import Published
from healthhub.errors import HubError, Unprocessable

MOST_CHARACTERS = 8192
LONGEST_SECONDS = 300
"""An assertion may be good for five minutes at most (SMART), and a clock may differ by this:"""
LEEWAY_SECONDS = 30
_CLIENT = f"""
select {clients.ACTING}, client.scopes, client.jwks, client.jwks_url from client
 where name = %s and disabled_at is null and token is null
"""  # noqa: S608
_FAULTS = (JoseError, ValueError, TypeError, KeyError, RecursionError, UnsupportedAlgorithm)


class NotTheClient(HubError):
    """The assertion does not show that its sender is the client that it names."""

    code, status, issue = "invalid_client", 401, "login"

    def __init__(self, message: str, who: Actor | None = None) -> None:
        super().__init__(message)
        self.who = who


@dataclass(frozen=True, slots=True)
class Assertion:
    """One that holds. ``expires``: seconds since 1970 until which it must not be taken again."""

    who: Actor
    jti: str
    expires: float


async def judged(
    pool: AsyncConnectionPool[Any], published: Published, text: str, audience: str
) -> Assertion:
    """The assertion, if its client, key, signature and claims hold; else NotTheClient.

    TryAgain when the client's keys cannot be read. Whether it was taken before is not looked at.
    """
    header, name = _told(text)
    who, listed, url = await _client(pool, name)
    if "jku" in header and header["jku"] != url:
        raise NotTheClient("the header jku is not the address that the client registered", who)
    if url is not None:
        try:
            listed = await published.of(url, header.get("kid"))
        except Unprocessable:
            raise NotTheClient(
                "the client's key set is at an address that oauth.keys_from does not allow", who
            ) from None
    key = keys.chosen(listed, header.get("kid"), header.get("alg"))
    if key is None:
        raise NotTheClient(
            "no registered key has this kid for this alg; sign with RS384 or ES384, and register "
            "the public key with its kid",
            who,
        )
    claims = _verified(text, key, name, audience, who)
    return Assertion(who, claims["jti"], float(claims["exp"]))


def _told(text: str) -> tuple[dict[str, Any], str]:
    """What an assertion says of itself, to look for its key by: the header and the name."""
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError("too long")
        found = jws.extract_compact(text.encode("ascii"))
        claims: Any = orjson.loads(found.payload)
        header = found.headers()
        name: Any = claims["iss"]
        if not isinstance(name, str) or "\0" in name:
            raise TypeError("no name")
    except _FAULTS:
        raise NotTheClient(
            "client_assertion is no JSON Web Token in compact form that names its client (iss)"
        ) from None
    return header, name


async def _client(
    pool: AsyncConnectionPool[Any], name: str
) -> tuple[Actor, list[keys.Jwk], str | None]:
    async with pool.connection() as connection:
        row = await (await connection.execute(_CLIENT, (name,))).fetchone()
    if row is None:
        raise NotTheClient("no client of the name in iss signs here; register it with its keys")
    *acting, listed, url = row
    return clients.actor(*acting), listed or [], url


def _verified(text: str, key: Any, name: str, audience: str, who: Actor) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    wanted = jwt.JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": name},
        sub={"essential": True, "value": name},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        claims = jwt.decode(text, key, algorithms=[*keys.ALGORITHMS]).claims
        wanted.validate(claims)
        jti, expires = claims["jti"], claims["exp"]
        soon = now - LEEWAY_SECONDS <= expires <= now + LONGEST_SECONDS + LEEWAY_SECONDS
    except (ExpiredTokenError, InvalidClaimError, MissingClaimError) as error:
        claim = getattr(error, "claim", "exp")
        raise NotTheClient(f"the claim {claim} is missing or wrong{_ADVICE}", who) from None
    except _FAULTS:
        raise NotTheClient("the signature does not hold, or a claim has no form", who) from None
    if not soon or not isinstance(jti, str) or len(jti) > 255:
        raise NotTheClient(f"exp is too far ahead, or jti no short text{_ADVICE}", who)
    return claims


_ADVICE = (
    "; iss and sub are the client's name, aud the address of the token endpoint, exp at most "
    "five minutes ahead, jti new each time"
)
