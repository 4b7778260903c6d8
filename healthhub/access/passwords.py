"""Passwords: argon2id hashes, the rules for new ones, and made-up ones."""

from __future__ import annotations

import secrets
import string

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from healthhub.errors import InvalidRequest

_HASHER = PasswordHasher()
"""RFC 9106's second recommendation (64 MiB, 3 passes): the library's default."""

_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))
"""Verified in place of an account that does not exist, so that both take the same time."""

MIN_LENGTH = 10
LONG = 16
MAX_LENGTH = 256
_KINDS = (str.islower, str.isupper, str.isdigit)


def hashed(password: str) -> str:
    """The argon2id hash to store."""
    return _HASHER.hash(password)


def verify(password: str, stored: str | None) -> bool:
    """Whether the password fits; takes as long for ``None`` (no such account) as for a hash."""
    try:
        fits = _HASHER.verify(stored or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return fits and stored is not None


def require_strong(password: str, name: str) -> None:
    """Raise InvalidRequest unless the password keeps the rules.

    At least 10 characters of three kinds (lower, upper, digit, other), or at least 16 of any;
    never with the account's name in it (GB/T 22239-2019 8.1.4.1, password policy).
    """
    other = any(not (c.isalnum() and c.isascii()) for c in password)
    kinds = sum(any(map(kind, password)) for kind in _KINDS) + other
    if len(password) > MAX_LENGTH:
        raise InvalidRequest(f"the password is longer than {MAX_LENGTH} characters; shorten it")
    if len(password) < MIN_LENGTH or (len(password) < LONG and kinds < 3):
        raise InvalidRequest(
            f"the password is too weak; take at least {MIN_LENGTH} characters with three of "
            f"small letters, capitals, digits and signs, or at least {LONG} characters"
        )
    if name.lower() in password.lower() or len(set(password)) < 5:
        raise InvalidRequest(
            "the password holds the account's name or too few different characters; "
            "choose another"
        )


def generated() -> str:
    """A random password that keeps the rules and is easy to copy (95 bits)."""
    alphabet = string.ascii_letters + string.digits
    while True:
        password = "-".join(
            "".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4)
        )
        if sum(any(map(kind, password)) for kind in _KINDS) == len(_KINDS):
            return password
