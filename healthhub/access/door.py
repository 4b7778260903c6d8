"""The only door for reads: it knows who asks and why, checks, audits, and then answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from healthhub.access.actor import Actor, Purpose
from healthhub.access.audit import Audit
from healthhub.model.message import Message
from healthhub.model.resource import Stored


class Door:
    """Every read of patient data in the hub goes through one of these methods.

    Each takes the actor and the purpose first; each raises Forbidden when the policy says no,
    NotFound or Gone as FHIR means them, TryAgain when the read cannot be audited.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], audit: Audit | None = None) -> None:
        self._pool = pool
        self._audit = audit or Audit(pool)

    async def close(self) -> None:
        """Write the audit events that are still waiting."""
        raise NotImplementedError

    async def read(self, actor: Actor, purpose: Purpose, type_: str, fhir_id: str) -> Stored:
        """The current version; Gone when it was deleted."""
        raise NotImplementedError

    async def vread(
        self, actor: Actor, purpose: Purpose, type_: str, fhir_id: str, version: int
    ) -> Stored:
        """One version."""
        raise NotImplementedError

    async def history(
        self, actor: Actor, purpose: Purpose, type_: str, fhir_id: str, count: int | None = None
    ) -> list[Stored]:
        """All versions, the newest first, deletions included."""
        raise NotImplementedError

    async def search(
        self,
        actor: Actor,
        purpose: Purpose,
        type_: str,
        params: Sequence[tuple[str, str]],
        base_url: str,
    ) -> Any:
        """A page of results: store.search.SearchPage. Golden patients cover their sources."""
        raise NotImplementedError

    async def everything(
        self,
        actor: Actor,
        purpose: Purpose,
        patient: str,
        *,
        types: Sequence[str] | None = None,
        since: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        after: Any = None,
        count: int | None = None,
    ) -> list[Stored]:
        """All that the hub holds of one person; ``patient`` is the FHIR id of any of its
        Patients."""
        raise NotImplementedError

    async def person(self, actor: Actor, purpose: Purpose, patient: str) -> UUID:
        """The person's key: the golden Patient's, or the only Patient's own."""
        raise NotImplementedError

    async def patients(
        self, actor: Actor, purpose: Purpose, text: str, count: int = 20
    ) -> list[Stored]:
        """Persons by a number, a name or the start of one, for the search field of the pages."""
        raise NotImplementedError

    async def message(self, actor: Actor, purpose: Purpose, message: int) -> Message:
        """A raw message, for the page that shows where a value came from."""
        raise NotImplementedError
