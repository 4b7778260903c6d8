"""The audit: who did what to whose data and why, durable before the answer is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action


@dataclass(frozen=True, slots=True)
class Event:
    """One access. ``query`` may hold search values: this store is protected, logs are not."""

    actor: Actor
    purpose: Purpose
    action: Action
    outcome: str
    type: str = ""
    patients: tuple[UUID, ...] = ()
    ids: tuple[str, ...] = ()
    query: str = ""


class Audit:
    """Takes events of many requests and commits them together."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def record(self, event: Event) -> None:
        """Return when the event is durable; TryAgain when it cannot be made so."""
        raise NotImplementedError
