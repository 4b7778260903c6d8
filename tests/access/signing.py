"""Programs of the tests that sign: their keys, their assertions, and how they ask for tokens."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from healthhub.access import Purpose, Role, clients, keys, scopes

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Signer:
    """A key pair."""

    key: ECKey | RSAKey
    algorithm: str
    kid: str

    def public(self, **more: Any) -> dict[str, Any]:
        """The public part, as a program hands it over."""
        return {**self.key.as_dict(private=False), "kid": self.kid, **more}

    def set(self) -> bytes:
        """A key set of this key."""
        return json.dumps({"keys": [self.public()]}).encode()

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """A token of these claims."""
        told = {"alg": self.algorithm, "kid": self.kid, **header}
        return jwt.encode(told, claims, self.key, algorithms=[told["alg"]])


def elliptic(kid: str = "ec-1") -> Signer:
    """A fresh key for ES384."""
    return Signer(ECKey.generate_key("P-384"), "ES384", kid)


def claims(name: str, audience: str, **changes: Any) -> dict[str, Any]:
    """What an assertion says; a change to None leaves a claim out."""
    told: dict[str, Any] = {
        "iss": name,
        "sub": name,
        "aud": audience,
        "exp": int(time.time()) + 240,
        "jti": uuid.uuid4().hex,
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


def register(
    connection: psycopg.Connection,
    name: str,
    words: str,
    signer: Signer | None = None,
    *,
    url: str = "",
    source: str | None = None,
) -> None:
    """Register a program that signs with this key, or with those at an address."""
    listed = keys.checked(signer.set()) if signer else []
    clients.add_signing(
        connection,
        name,
        [Role.SYSTEM],
        Purpose.TREAT,
        scopes.registered(words.split()),
        source,
        clients.Keys(listed, url),
    )
    connection.commit()


def endpoint(hub: httpx.Client) -> str:
    """The address that an assertion must name."""
    return f"{str(hub.base_url).rstrip('/')}/oauth/token"


def ask(hub: httpx.Client, assertion: str, scope: str = "system/*.rs", **more: str) -> Any:
    """What the token endpoint answers to an assertion."""
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion,
    } | more
    return hub.post("/oauth/token", data=form)


def token(hub: httpx.Client, signer: Signer, name: str, scope: str) -> str:
    """A token of the registered program."""
    answer = ask(hub, signer.signed(claims(name, endpoint(hub))), scope)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]
