"""Reads by key: one resource, a version, the history, several by id, a patient's everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from healthhub.model.resource import Stored
from healthhub.store.query import Page, Query


def by_id(resource_type: str, key: UUID) -> Query[Stored]:
    """The current version; NotFound, or Gone when it was deleted."""
    raise NotImplementedError


def by_version(resource_type: str, key: UUID, version: int) -> Query[Stored]:
    """One version; NotFound when there is none, Gone when that version is the deletion."""
    raise NotImplementedError


def history(resource_type: str, key: UUID, count: int | None = None) -> Query[list[Stored]]:
    """All versions, newest first, deletions included; NotFound when there is none."""
    raise NotImplementedError


def by_ids(keys: Iterable[UUID]) -> Query[list[Stored]]:
    """The current versions of any type by row id, deleted ones left out, in id order."""
    raise NotImplementedError


def by_identifier(resource_type: str, system: str, value: str) -> Query[list[Stored]]:
    """The current resources that bear the identifier."""
    raise NotImplementedError


def everything(
    patients: Sequence[UUID],
    types: Sequence[str] | None = None,
    since: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    after: str | None = None,
    count: int | None = None,
) -> Query[Page]:
    """All that belongs to the patients (Patient/$everything), Patients first.

    ``start`` and ``end`` bound the clinical date (rows without one stay in); ``since`` the
    time of the last change. With ``count`` a page, continued with ``after=page.next``.
    """
    raise NotImplementedError


def shared_of(page: Sequence[Stored]) -> Query[list[Stored]]:
    """The organisations, practitioners, locations... that the resources refer to."""
    raise NotImplementedError
