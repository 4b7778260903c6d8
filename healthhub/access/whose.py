"""Whose data a result shows: the patients that its audit names."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from healthhub.model import ids
from healthhub.model.resource import Stored
from healthhub.store.query import Page


def of_one(stored: Stored) -> tuple[UUID, ...]:
    """The resource's patient; nobody for what patients share."""
    return () if stored.patient == ids.SHARED else (stored.patient,)


def of_all(found: Sequence[Stored]) -> tuple[UUID, ...]:
    """The patients of these resources, each once."""
    keys = dict.fromkeys(stored.patient for stored in found)
    keys.pop(ids.SHARED, None)
    return tuple(keys)


def of_any(found: object) -> tuple[UUID, ...]:
    """The patients of a resource or a page."""
    if isinstance(found, Stored):
        return of_one(found)
    return of_page(found) if isinstance(found, Page) else ()


def of_page(page: Page) -> tuple[UUID, ...]:
    """The patients of a page, of what it includes too."""
    return of_all((*page.matches, *page.included))
