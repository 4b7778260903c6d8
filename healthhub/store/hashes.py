"""The 8-byte numbers under which codes, references and amounts stand in an index."""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

ANY_SYSTEM = "*|"
"""Stands before a plain code (status, gender): its system is not in the body."""
LOWEST, HIGHEST = -(2**63), 2**63 - 1
"""The ends of an open span."""


@lru_cache(maxsize=20_000)
def token(field: str, value: str) -> int:
    """The hash of a value of a field. SHA-256, because PostgreSQL can make the same one."""
    digest = sha256(f"{field}\x1f{value}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def reference(field: str, resource_type: str, key: UUID) -> int:
    """The hash of a reference to a local resource; reference_token() in SQL gives the same."""
    return token(field, f"{resource_type}/{key}")


@lru_cache(maxsize=20_000)
def half(text: str) -> int:
    """Four bytes of a hash, signed."""
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big", signed=True)


def span_key(field: str, unit: str = "") -> int:
    """The key of a date, number or quantity: the field above, its unit below."""
    return (half(field) << 32) | (half(unit) & 0xFFFFFFFF if unit else 0)


def ordered(number: float) -> int:
    """A number as an integer that sorts as it does (the bits of IEEE 754, negatives turned)."""
    bits: int = struct.unpack(">q", struct.pack(">d", number + 0.0))[0]
    return bits if bits >= 0 else LOWEST - bits - 1
