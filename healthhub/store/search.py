"""FHIR search: parameters of a URL to one SQL query, and its rows to a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.errors import QueryCanceled
from psycopg_pool import AsyncConnectionPool

from healthhub.errors import InvalidRequest, NotFound, TooCostly, UnknownParameter
from healthhub.model.resource import Stored
from healthhub.store import criteria, lookups, own_parameters, pages, rows, types
from healthhub.store.concept_walk import Walk, walk_of
from healthhub.store.conditions import Clauses, Context, Unresolved
from healthhub.store.criteria import COMPARTMENT
from healthhub.store.cursor import Order, order_of, place_of, place_text
from healthhub.store.includes import Includes
from healthhub.store.parameters import CONTROL, Parameter, clinical, parameters
from healthhub.store.query import Page as SearchPage
from healthhub.store.query import Plan, Query, Row, afetch, afollow, fetch, follow

__all__ = [
    "COMPARTMENT",
    "Parameter",
    "SearchPage",
    "compile",
    "parameters",
    "patient_references",
]

Params = Sequence[tuple[str, str]]
MOST = 1000
"""Matches on a page, at most."""
USUAL = 50
TRIED = 2000
"""Rows in order within which a page is looked for before anything is counted."""
FEW = 4000
"""Matches that are fetched and sorted in any store; of a large type more are."""
_REPEATED = ("_include", "_revinclude")


def compile(  # noqa: A001 - the word that the specification of the store uses
    resource_type: str,
    params: Params,
    base_url: str = "",
) -> Query[SearchPage]:
    """The search as one query; ``run`` and ``arun`` add what needs more than one.

    A golden patient stands for its sources. ``page.next`` is an opaque cursor: the next page is
    the same search with the parameter ``_cursor`` set to it. Raises UnknownParameter,
    InvalidRequest.
    """
    return _Search(resource_type, params, Context(base_url)).query()


class _Search:
    """One search on its way to SQL."""

    def __init__(self, resource_type: str, params: Params, context: Context) -> None:
        if resource_type and resource_type not in types.NUMBERS:
            raise NotFound(f"the hub has no search of {resource_type[:64]!r}")
        self.clauses = Clauses(resource_type)
        self.control: dict[str, str] = {}
        # What refers back to a row is asked last: by then it is known how many are left.
        for name, value in sorted(params, key=lambda pair: pair[0].startswith("_has:")):
            bare = name.partition(":")[0]
            if bare in CONTROL:
                self._control(bare, value)
            else:
                criteria.add(self.clauses, name, value, context)
        if not (resource_type or len(self.clauses.sql) > 1):
            raise InvalidRequest(
                "a search of all types needs _type, _id or another parameter of all types",
                expression="_type",
            )
        self.walk = walk_of(self.clauses)
        self.order = order_of(self.clauses, self.control.get("_sort", self._usual))

    @property
    def _usual(self) -> str:
        """The order that is not asked for: by id, but what a code chooses newest first."""
        date = clinical(self.clauses.type) if self.walk else None
        return "" if date is None else f"-{date.name}"

    def _control(self, name: str, value: str) -> None:
        if name in self.control and name not in _REPEATED:
            raise InvalidRequest(f"{name} may be given once", expression=name)
        self.control[name] = value
        if name == "_type":
            self._types(value)

    def _types(self, value: str) -> None:
        if self.clauses.type:
            raise InvalidRequest(
                "_type belongs to a search of all types, at the base address",
                expression="_type",
            )
        names = value.split(",")
        for name in names:
            if name not in types.NUMBERS:
                raise InvalidRequest(f"{name[:64]!r} is no resource type", expression="_type")
        numbers = self.clauses.value([types.NUMBERS[name] for name in names])
        self.clauses.add(f"r.type = any({numbers}::smallint[])")

    @property
    def undecided(self) -> bool:
        """Whether only the data tells how many rows its indexes find."""
        clauses = self.clauses
        return clauses.driven and not self.short and self.order.indexed and self.count > 0

    @property
    def short(self) -> bool:
        """Whether its indexes find but few rows."""
        return self.clauses.narrow or self.clauses.few

    @property
    def brings(self) -> bool:
        """Whether it brings along more than its matches."""
        return any(name in self.control for name in _REPEATED)

    @property
    def count(self) -> int:
        """Matches on the page."""
        text = self.control.get("_count", str(USUAL))
        if not re.fullmatch(r"\d{1,9}", text):
            raise InvalidRequest("_count must be a whole number", expression="_count")
        if self.control.get("_summary", "false") not in ("count", "false"):
            raise InvalidRequest(
                "_summary is count or false in a search", expression="_summary"
            )
        return 0 if self.control.get("_summary") == "count" else min(int(text), MOST)

    def plan(self) -> Plan[SearchPage]:
        """The search; what it does next follows from what it has found.

        A page that many rows fill is met within the first rows in order. Else matches are few,
        and fetched; or they are neither, and looked for in order.
        """
        walk: Walk | None = None
        if self.walk is not None and self.count > 0:
            walk = yield self.walk.asking()
        if walk is not None and not self.order.newest:
            few = not self.order.indexed or (yield self._few_along(walk))
            if few:
                return (yield self._read(lambda page: page.gathered(walk)))
            return (yield self.query(few=False))
        if walk is not None and not self.clauses.beside:
            return (yield self._read(lambda page: page.walked(walk)))
        if walk is None and not self.undecided:
            return (yield self.query())
        if walk is None and self.control.get("_total", "none") == "none":
            page = yield self._read(lambda page: page.tried(TRIED))
            if page.next is not None:
                return page
        page = yield self._fetched_if_few()
        if page is not None:
            return page
        if walk is not None:
            return (yield self._read(lambda page: page.walked(walk)))
        return (yield self.query(few=False))

    def _few_along(self, walk: Walk) -> Query[bool]:
        """Whether the search has but few matches."""
        sql = pages.few_along(self.clauses, walk, FEW)
        return Query(sql, self.clauses.values, lambda found: found[0][0] <= FEW)

    def _fetched_if_few(self) -> Query[SearchPage | None]:
        """The page, if there are but few matches."""
        read = self._read(lambda page: page.fetched_if_few(FEW))

        def decode(found: list[Row]) -> SearchPage | None:
            if found[0][-2] > found[0][-1]:
                return None
            return read.decode([row[:-2] for row in found if row[1] is not None])

        return Query(read.sql, read.params, decode)

    def query(self, *, few: bool = True) -> Query[SearchPage]:
        """The search; ``few`` matches are fetched and sorted, many are met in order."""
        if self.count == 0:
            total = self._total(self.clauses.where(fetched=self.clauses.driven))
            return Query(
                f"select {total}",
                self.clauses.values,
                lambda found: SearchPage([], total=found[0][0]),
            )
        if few and self.clauses.driven:
            return self._read(pages.Pages.fetched)
        return self._read(pages.Pages.met)

    def _read(self, statement: Callable[[pages.Pages], str]) -> Query[SearchPage]:
        clauses, order, count = self.clauses, self.order, self.count
        total = self._total(clauses.where(fetched=clauses.driven))
        text = self.control.get("_cursor")
        place = None if text is None else place_of(order, text)
        sql = statement(pages.Pages(clauses, order, total, count, place))
        return Query(sql, clauses.values, lambda found: self._page(found, count, order))

    def _total(self, where: str) -> str:
        asked = self.control.get("_total", "none")
        if asked not in ("none", "accurate", "estimate"):
            raise InvalidRequest("_total is none, estimate or accurate", expression="_total")
        if asked == "none" and self.count:
            return "null::bigint"
        return f"(select count(*) from resource r where {where})"  # noqa: S608

    def _page(self, found: list[Row], count: int, order: Order) -> SearchPage:
        page = found[:count]
        asked = self.control.get("_total", "none") != "none"
        last = page[-1] if len(found) > count else None
        return SearchPage(
            [rows.stored(row) for row in page],
            next=None if last is None else place_text(last[1], last[8 : 8 + len(order.keys)]),
            total=page[0][-1]
            if page
            else (0 if asked and "_cursor" not in self.control else None),
        )


def short(
    resource_type: str, params: Params, base_url: str = ""
) -> tuple[Query[SearchPage], int] | None:
    """The search as one short statement, of few rows by an index, and how many matches are on
    the page; None when it is not that, and ``arun`` must run it. The parameters must be fresh
    (own_parameters)."""
    try:
        search = _Search(resource_type, params, Context(base_url))
    except Unresolved:
        return None
    if search.brings or not search.short or not search.count:
        return None
    return search.query(), search.count


def patient_references(resource_type: str, params: Params, base_url: str = "") -> set[UUID]:
    """The patients that the search names."""
    context = Context(base_url)
    return {
        key
        for name, value in params
        if name.partition(":")[0] not in CONTROL
        for key in criteria.patients_named(resource_type, name, value, context)
    }


def understood(
    resource_type: str, params: Params, base_url: str = ""
) -> tuple[list[tuple[str, str]], list[str]]:
    """The parameters that the hub knows, and the names of the others.

    For a client that would rather have those left out than the search refused.
    """
    kept: list[tuple[str, str]] = []
    others: list[str] = []
    for pair in params:
        try:
            _Search(resource_type, [pair], Context(base_url))
        except UnknownParameter:
            others.append(pair[0])
            continue
        except InvalidRequest:  # it is known; what is wrong with it is told by the search
            pass
        kept.append(pair)
    return kept, others


def run(
    connection: Connection,
    resource_type: str,
    params: Params,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    context = Context(base_url)
    including = Includes(resource_type, params, base_url)
    try:
        own_parameters.refresh(connection)
        while True:
            try:
                search = _Search(resource_type, params, context)
                break
            except Unresolved as missing:
                context.known[missing.key] = lookups.resolve(connection, missing.key)
        page = follow(connection, search.plan())
        for wanted in including.rounds(page):
            including.take(fetch(connection, wanted))
    except QueryCanceled:
        raise too_costly() from None
    return _with(page, including.found)


async def arun(
    source: AsyncConnection[Any] | AsyncConnectionPool[Any],
    resource_type: str,
    params: Params,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    context = Context(base_url)
    including = Includes(resource_type, params, base_url)
    try:
        await own_parameters.arefresh(source)
        while True:
            try:
                search = _Search(resource_type, params, context)
                break
            except Unresolved as missing:
                context.known[missing.key] = await lookups.aresolve(source, missing.key)
        page = await afollow(source, search.plan())
        for wanted in including.rounds(page):
            including.take(await afetch(source, wanted))
    except QueryCanceled:
        raise too_costly() from None
    return _with(page, including.found)


def _with(page: SearchPage, included: list[Stored]) -> SearchPage:
    return replace(page, included=included)


def too_costly() -> TooCostly:
    """The refusal of a search that took too long."""
    return TooCostly(
        "the search reads more than the hub does for one request; narrow it by a patient, a "
        "code, an identifier or a time, or ask for it as an export"
    )
