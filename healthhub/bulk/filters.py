"""_typeFilter: which resources of a page match one of the searches given for their type.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#_typefilter-query-parameter
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg

from healthhub.bulk.wanted import Filter
from healthhub.model.resource import Stored
from healthhub.store import past, search, shadow
from healthhub.store.past import Version
from healthhub.store.query import fetch

Connection = psycopg.Connection[Any]
AT_ONCE = 500


class Filters:
    """The searches of an export. What has a later version by now is looked at as it was."""

    def __init__(
        self,
        conn: Connection,
        dsn: str,
        filters: Mapping[str, Sequence[Filter]],
        base: str,
    ) -> None:
        self._conn, self._dsn, self._base = conn, dsn, base
        self._filters = filters
        self._shadow: shadow.Shadow | None = None
        self._apart: Connection | None = None

    def __enter__(self) -> Filters:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was opened."""
        if self._apart is not None:
            self._apart.close()
        self._apart = self._shadow = None

    def matched(
        self, name: str, found: Sequence[Version], moment: datetime
    ) -> Sequence[Version]:
        """Those that match; all where the type has no filter."""
        filters = self._filters.get(name)
        if not filters:
            return found
        keys: set[UUID] = set()
        now = [each for each in found if not each.changed]
        for start in range(0, len(now), AT_ONCE):
            ids = ",".join(str(each.id) for each in now[start : start + AT_ONCE])
            for one in filters:
                params = [*one, ("_id", ids), ("_count", str(AT_ONCE))]
                wanted = search.compile(name, params, self._base)
                keys.update(each.id for each in fetch(self._conn, wanted).matches)
        # What changed between the reading of the page and these searches was not seen as it was.
        later = past.changed(self._conn, name, [each.id for each in now], moment)
        keys -= later
        then = [each for each in found if each.changed or each.id in later]
        for start in range(0, len(then), shadow.MOST):
            keys |= self._as_they_were(name, then[start : start + shadow.MOST], filters)
        return [each for each in found if each.id in keys]

    def _as_they_were(
        self, name: str, found: Sequence[Version], filters: Sequence[Filter]
    ) -> set[UUID]:
        if self._shadow is None:
            self._apart = psycopg.connect(self._dsn, application_name="healthhub bulk")
            self._shadow = shadow.Shadow(self._apart)
        bodies = past.bodies(self._conn, found)
        self._shadow.lay(
            [
                Stored(name, each.id, each.patient, each.version, each.updated, False, body)
                for each, body in zip(found, bodies, strict=True)
            ]
        )
        keys: set[UUID] = set()
        for one in filters:
            keys |= self._shadow.matching(name, one, self._base)
        return keys


def require(filters: Mapping[str, Sequence[Filter]], base: str) -> None:
    """Raise InvalidRequest when a filter is no search that can be answered."""
    for name, several in filters.items():
        for one in several:
            search.compile(name, [*one], base)
