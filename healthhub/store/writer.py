"""Batch writes of what messages state: drafts are merged into rows, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from psycopg import Connection

from healthhub.model.resource import Body, Draft

Action = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the drafts of one id. ``before`` is the patient key the row had, if the
    write moved it to another patient."""

    type: str
    id: UUID
    patient: UUID
    action: Action
    version: int
    body: Body
    before: UUID | None = None


def write(
    connection: Connection, drafts: Sequence[Draft], check: Callable[[Body], None]
) -> list[Written]:
    """Merge the drafts into the store, in the connection's transaction; one Written for each id.

    ``check`` sees merged bodies that no single draft had, and raises Unprocessable.
    """
    raise NotImplementedError
