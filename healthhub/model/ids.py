"""Derived ids: the same source and business identifier always give the same id."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from uuid import UUID, uuid5

SHARED = UUID(int=0)
"""The patient key of rows that belong to no patient (organisations, practitioners, codes)."""

_FOREIGN = UUID("5e0d0f9c-6a58-4b0e-9d38-0a1b6f6a2c11")


def derive(namespace: str, kind: str, *parts: str) -> UUID:
    """The id of a thing from who names it, what it is, and its business identifier.

    ``namespace`` is the assigner of the identifier (an institution, as a rule). Parts are
    joined unambiguously. 128 bits of BLAKE2b, shaped as a version 8 UUID (RFC 9562).
    """
    text = "\x1f".join((namespace, kind, *parts))
    raw = bytearray(blake2b(text.encode(), digest_size=16, person=b"healthhub").digest())
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(raw))


@lru_cache(maxsize=65536)
def row_id(resource_type: str, fhir_id: str) -> UUID:
    """The key under which a FHIR logical id is stored.

    An id that is a lower-case UUID is its own key; any other id that a client chose (FHIR
    allows ``[A-Za-z0-9\\-.]{1,64}``) gets a derived one, and the body keeps the id as sent.
    """
    if len(fhir_id) == 36:
        try:
            key = UUID(fhir_id)
        except ValueError:
            pass
        else:
            if str(key) == fhir_id:
                return key
    return uuid5(_FOREIGN, f"{resource_type}/{fhir_id}")
