"""The statement that reads one page of a search: fetched and sorted, met in order, or walked.

Deep pages cost what the first one does: where an index holds the order, a page begins at its
place in the index and does not read what came before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from healthhub.store import cursor, rows, types
from healthhub.store.concept_walk import BY, Walk
from healthhub.store.conditions import Clauses
from healthhub.store.cursor import MOST_KEYS, Order, Place

MOST_FETCHED = 20_000
"""Matches that are fetched and sorted, at most."""
_NEWEST = "r.at_end desc nulls last, r.id asc"


@dataclass(frozen=True, slots=True)
class Pages:
    """What all pages of a search share; ``total`` is the SQL of its count."""

    clauses: Clauses
    order: Order
    total: str
    count: int
    place: Place | None

    @property
    def _columns(self) -> str:
        keys = "".join(f", {key.sql}" for key in self.order.keys)
        return f"{rows.COLUMNS}{keys}, {self.total}"

    def fetched(self) -> str:
        """All matches are read, then sorted."""
        driven = self.clauses.driven
        return self._sorted(self.clauses.where(fetched=driven), driven=driven)

    def fetched_if_few(self, least: int) -> str:
        """The same if there are no more than are worth it. Each line ends with how many were
        found, one more at most, and how many are worth it; where nothing is on the page, a line
        has only these.

        Matches are sooner fetched than met in order up to the root of page times rows of the
        type: that many are read on either way. ``least``: so few always are.
        """
        where = self.clauses.where(fetched=True)
        after = f" and {self._after()}" if self.place else ""
        keys = "".join(f", {key.sql} as k{n}" for n, key in enumerate(self.order.keys))
        held = "".join(f", f.k{n}" for n in range(len(self.order.keys)))
        by = self.order.by("f", driven=False, names=[f"f.k{n}" for n in range(MOST_KEYS)])
        size = f"greatest({least}, least({MOST_FETCHED}, sqrt({self.count + 1} * c.reltuples * coalesce(share, 0))))"
        return (
            f"with worth as materialized (select {size}::bigint as rows"  # noqa: S608
            " from pg_class c left join pg_stats s on s.schemaname = 'public'"
            " and s.tablename = c.relname and s.attname = 'type'"
            " left join lateral unnest(s.most_common_vals::text::smallint[], s.most_common_freqs)"
            f" t(type, share) on t.type = {self._type()} where c.oid = 'public.resource'::regclass),"
            f" found as materialized (select r.patient_key, r.type, r.id{keys}"
            f" from resource r where {where}{after} limit (select rows + 1 from worth))"
            f" select {rows.COLUMNS}{held}, {self.total}, counted.found, worth.rows"
            " from worth cross join (select count(*) as found from found) counted"
            " left join (select * from found f where (select count(*) from found)"
            f" <= (select rows from worth) order by {by} limit {self._limit()}) f"
            " on true left join resource r on r.patient_key = f.patient_key and r.type = f.type"
            f" and r.id = f.id order by {by}"
        )

    def _type(self) -> str:
        return self.clauses.value(types.NUMBERS.get(self.clauses.type, 0))

    def tried(self, most: int) -> str:
        """The page, if it is full after ``most`` rows of the type in order."""
        kind, rest = self.clauses.sql[0], self.clauses.filters()
        after = f" and {self._after()}" if self.place else ""
        if self.place is not None and self.order.newest and self.place.values[0] is not None:
            after += f" and r.at_end <= {self.clauses.value(self.place.values[0])}"
        by = self.order.by("r", driven=False)
        return (
            f"select {self._columns} from (select r.* from resource r where {kind}{after}"  # noqa: S608
            f" order by {by} limit {most}) r where {rest} order by {by} limit {self._limit()}"
        )

    def met(self) -> str:
        """Rows of the type are read in order until the page is full."""
        where = self.clauses.where()
        if self.place is None or not self.order.newest or self.place.values[0] is None:
            return self._sorted(where, driven=False)
        here = self.clauses.value(self.place.values[0])
        limit = self._limit()
        return self._dated_first(
            f"select {self._columns} from resource r where {where}"  # noqa: S608
            f" and r.at_end <= {here} and {self._after()} order by {_NEWEST} limit {limit}",
            lambda fewer: (
                f"select {self._columns} from resource r where {where}"  # noqa: S608
                f" and r.at_end is null and {fewer} order by r.id limit {limit}"
            ),
        )

    def walked(self, walk: Walk) -> str:
        """Rows of the code's concepts, newest first."""
        where, place = self.clauses.filters(), self.place
        if place is None:
            return self._along(*walk.rows(self.clauses, where))
        here = place.values[0]
        if here is None:
            where += f" and {self._after()}"
            return self._along(*walk.rows(self.clauses, where, undated=True))
        dated = self._along(*walk.rows(self.clauses, f"{where} and {self._after()}", here))
        if walk.times:
            return dated
        return self._dated_first(
            dated,
            lambda fewer: self._along(*walk.rows(self.clauses, where, undated=True), fewer),
        )

    def gathered(self, walk: Walk) -> str:
        """All matches are found by the code's concepts, then sorted."""
        source, where = walk.rows(self.clauses, self.clauses.filters())
        after = f" and {self._after()}" if self.place else ""
        return (
            f"select {self._columns} from {source} cross join lateral"  # noqa: S608
            f" (select r.* from resource r where {where}{after} offset 0) r"
            f" order by {self.order.by('r', driven=True)} limit {self._limit()}"
        )

    def _sorted(self, where: str, *, driven: bool) -> str:
        after = f" and {self._after()}" if self.place else ""
        return (
            f"select {self._columns} from resource r where {where}{after}"  # noqa: S608
            f" order by {self.order.by('r', driven=driven)} limit {self._limit()}"
        )

    def _along(self, source: str, where: str, fewer: str = "true") -> str:
        limit = self._limit()
        return (
            f"select {self._columns} from {source} cross join lateral (select r.* from resource r"  # noqa: S608
            f" where {where} order by {BY} limit {limit}) r where {fewer}"
            f" order by {_NEWEST} limit {limit}"
        )

    def _dated_first(self, dated: str, undated: Callable[[str], str]) -> str:
        """Rows without a time come last: they are read only when those with one do not fill the
        page. No range of an index holds both."""
        limit = self._limit()
        rest = undated(f"(select count(*) from dated) < {limit}")  # noqa: S608
        return (
            f"with dated as materialized ({dated}), undated as materialized ({rest})"  # noqa: S608
            " select * from (select * from dated union all select * from undated) r"
            f" order by {_NEWEST} limit {limit}"
        )

    def _after(self) -> str:
        assert self.place is not None  # noqa: S101 - asked where there is one
        return cursor.after(self.clauses, self.order, self.place)

    def _limit(self) -> str:
        return str(self.count + 1)


def few_along(clauses: Clauses, walk: Walk, most: int) -> str:
    """How many matches there are by a code's concepts, counted up to one more than ``most``."""
    source, where = walk.rows(clauses, clauses.filters())
    return (
        f"select count(*) from (select from {source} cross join lateral"  # noqa: S608
        f" (select from resource r where {where} limit {most + 1}) r limit {most + 1}) found"
    )
