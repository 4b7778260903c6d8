"""Public keys that clients sign with: JSON Web Key Sets, checked before they are believed.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
RFC 7517 (JSON Web Key), RFC 7518 (RS384, ES384)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwk
from joserfc.errors import JoseError

from healthhub.errors import InvalidRequest

Jwk = dict[str, str]
"""One public key with nothing but what is used of it."""
ALGORITHMS = {"RS384": "RSA", "ES384": "EC"}
"""The two that SMART demands, and the type of key of each."""
MOST = 32
MOST_BYTES = 2**16
_PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_MODULUS = range(342, 1367)
"""Characters of base64url: 2048 bits, below which nobody signs today, to 8192, which are dear."""
_FAULTS = (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm)
"""What the library says of a key that is none."""


def checked(raw: bytes) -> list[Jwk]:
    """The usable keys of a set; InvalidRequest when it is none, has none, or tells a secret."""
    if len(raw) > MOST_BYTES:
        raise _wrong(f"is over {MOST_BYTES} bytes")
    try:
        tree: Any = orjson.loads(raw)
    except ValueError:
        raise _wrong("is not JSON") from None
    listed: Any = cast(dict[str, Any], tree).get("keys") if isinstance(tree, dict) else None
    if not isinstance(listed, list):
        raise _wrong('has no list "keys"')
    given = [cast(Jwk, each) for each in cast(list[Any], listed) if isinstance(each, dict)]
    if len(given) > MOST:
        raise _wrong(f"has over {MOST} keys")
    if any(_PRIVATE & each.keys() for each in given):
        raise _wrong(
            "holds a private key, which now counts as known to others: make a new pair, and give "
            "its public part alone"
        )
    found = [key for each in given if (key := _public(each))]
    if not found:
        raise _wrong(
            "has no key for RS384 (RSA, 2048 to 8192 bits) or ES384 (EC, P-384) with a kid"
        )
    return found


def chosen(listed: Sequence[Jwk], kid: object, algorithm: object) -> jwk.Key | None:
    """The key of this name that fits the algorithm; None when there is none."""
    kind = ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    for each in listed:
        if (
            each["kid"] == kid
            and each["kty"] == kind
            and each.get("alg", algorithm) == algorithm
        ):
            return jwk.import_key(cast(Any, each))
    return None


def _public(given: Jwk) -> Jwk | None:
    """What is used of a key; None for one that no signature of a client is checked with."""
    kind, kid = given.get("kty"), given.get("kid")
    if kind not in _PARTS or not isinstance(kid, str) or not 0 < len(kid) <= 255:
        return None
    if given.get("use", "sig") != "sig" or ALGORITHMS.get(given.get("alg", "")) not in (
        None,
        kind,
    ):
        return None
    names = ("kty", "kid", *_PARTS[kind])
    made = {name: given[name] for name in names if isinstance(given.get(name), str)}
    if len(made) != len(names):
        return None
    if given.get("alg") in ALGORITHMS:
        made["alg"] = given["alg"]
    if kind == "RSA" and (len(made["n"]) not in _MODULUS or len(made["e"]) > 8):
        return None
    if kind == "EC" and made["crv"] != "P-384":
        return None
    try:
        jwk.import_key(cast(Any, made))
    except _FAULTS:
        return None
    return made


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"the key set {what}; give a JSON Web Key Set", expression="keys")
