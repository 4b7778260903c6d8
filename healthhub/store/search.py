"""FHIR search: parameters of a URL to one SQL query, and its rows to a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from healthhub.errors import InvalidRequest, NotFound, UnknownParameter
from healthhub.model.ids import row_id
from healthhub.model.resource import Stored
from healthhub.store import conditions, reads, rows, types
from healthhub.store.conditions import Clauses
from healthhub.store.cursor import Order, order_of, place_of, place_text
from healthhub.store.parameters import CONTROL, Parameter, parameters
from healthhub.store.query import Page as SearchPage
from healthhub.store.query import Query, Row, afetch, fetch

__all__ = ["Parameter", "SearchPage", "compile", "includes", "parameters", "patient_references"]

Params = Sequence[tuple[str, str]]
MOST = 1000
"""Matches on a page, at most."""
USUAL = 50


def compile(  # noqa: A001 - the word that the specification of the store uses
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> Query[SearchPage]:
    """The search as one query.

    ``cover`` maps a golden patient's key to the keys it stands for (patient_references tells
    which to ask for). ``page.next`` is an opaque cursor: the next page is the same search with
    the parameter ``_cursor`` set to it. Raises UnknownParameter, InvalidRequest.
    """
    known = _known(resource_type)
    clauses = Clauses(types.NUMBERS[resource_type])
    control: dict[str, str] = {}
    for name, value in params:
        if name in CONTROL:
            control[name] = value
            continue
        bare, _, modifier = name.partition(":")
        parameter = known.get(bare)
        if parameter is None:
            raise UnknownParameter(
                f"{resource_type} has no search parameter {bare[:64]!r}; "
                f"it has {', '.join(sorted(known))}, and {', '.join(CONTROL)}",
                expression=bare[:64],
            )
        if parameter.targets == ("Patient",) and _names_patients(modifier, value):
            keys = _patients(parameter, modifier, value, base_url)
            clauses.patients([m for k in keys for m in (cover or {}).get(k, (k,))])
        else:
            conditions.add(clauses, parameter, modifier, value, base_url)
    order = order_of(resource_type, control.get("_sort", ""), known)
    return _query(clauses, order, control)


def _known(resource_type: str) -> dict[str, Parameter]:
    known = {parameter.name: parameter for parameter in parameters(resource_type)}
    if not known:
        raise NotFound(f"the hub has no search of {resource_type[:64]!r}")
    return known


def _count(control: Mapping[str, str]) -> int:
    text = control.get("_count", str(USUAL))
    if not re.fullmatch(r"\d{1,9}", text):
        raise InvalidRequest("_count must be a whole number", expression="_count")
    return min(int(text), MOST)


def _query(clauses: Clauses, order: Order, control: Mapping[str, str]) -> Query[SearchPage]:
    count = _count(control)
    where = clauses.where()
    values = dict(clauses.values)
    total = "null::bigint"
    match control.get("_total", "none"):
        case "none":
            pass
        case "accurate" | "estimate":
            total = f"(select count(*) from resource r where {where})"  # noqa: S608
        case _:
            raise InvalidRequest("_total is none, estimate or accurate", expression="_total")
    paged = where
    if "_cursor" in control:
        clause, more = place_of(order, control["_cursor"])
        paged += f" and {clause}"
        values |= more
    values["limit"] = max(count, 0) + 1
    sql = f"""select {rows.COLUMNS}, {order.value}, {total} from resource r
         where {paged} order by {order.by(driven=clauses.driven)} limit %(limit)b::bigint"""  # noqa: S608
    if control.get("_total") and count == 0:
        sql = f"select {total}"

        return Query(sql, values, lambda found: SearchPage([], total=found[0][0]))

    def decode(found: list[Row]) -> SearchPage:
        page = found[:count]
        more = len(found) > count and page
        return SearchPage(
            [rows.stored(row) for row in page],
            next=place_text(page[-1][1], page[-1][8]) if more else None,
            total=page[0][9] if page else (0 if "_total" in control else None),
        )

    return Query(sql, values, decode)


_REFERENCE = re.compile(r"(?:(?P<base>https?://.+)/)?(?:Patient/)?(?P<id>[A-Za-z0-9\-.]{1,64})")


def _names_patients(modifier: str, value: str) -> bool:
    """Whether a value of ``subject`` is a patient, and no group, device or place."""
    kind = re.match(r"([A-Z][A-Za-z]+)/", value)
    return modifier != "missing" and (kind is None or kind[1] == "Patient")


def _patients(parameter: Parameter, modifier: str, value: str, base_url: str) -> list[UUID]:
    if modifier not in ("", "Patient"):
        raise conditions.unknown_modifier(parameter, modifier)
    found = []
    for text in conditions.split(value):
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise InvalidRequest(
                f"{parameter.name} takes a patient as ID or Patient/ID",
                expression=parameter.name,
            )
        if match["base"] in (None, base_url.rstrip("/")):
            found.append(row_id("Patient", match["id"]))
    return found


def patient_references(resource_type: str, params: Params, base_url: str = "") -> set[UUID]:
    """The patients that the search names, whose cover ``compile`` needs."""
    known = _known(resource_type)
    found: set[UUID] = set()
    for name, value in params:
        bare, _, modifier = name.partition(":")
        parameter = known.get(bare)
        named = parameter is not None and parameter.targets == ("Patient",)
        if parameter is not None and named and _names_patients(modifier, value):
            found.update(_patients(parameter, modifier, value, base_url))
    return found


def includes(
    resource_type: str, params: Params, page: SearchPage, base_url: str = ""
) -> Query[list[Stored]] | None:
    """The second query, for _include; None when nothing is to be fetched."""
    known = _known(resource_type)
    wanted: list[tuple[Parameter, str]] = []
    for name, value in params:
        if name != "_include":
            continue
        source, _, rest = value.partition(":")
        bare, _, target = rest.partition(":")
        parameter = known.get(bare)
        if source != resource_type or parameter is None or parameter.kind != "reference":
            choices = ", ".join(
                f"{resource_type}:{p.name}" for p in known.values() if p.kind == "reference"
            )
            raise InvalidRequest(
                f"_include of {value[:80]!r} is not known; there are {choices}",
                expression="_include",
            )
        wanted.append((parameter, target))
    references: set[str] = set()
    for match in page.matches if wanted else ():
        body = orjson.loads(match.json)
        for parameter, target in wanted:
            for text in conditions.references(body, parameter):
                local = text.removeprefix(base_url.rstrip("/") + "/")
                if not target or local.startswith(target + "/"):
                    references.add(local)
    return reads.by_references(references) if references else None


def run(
    connection: Connection,
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    page = fetch(connection, compile(resource_type, params, cover, base_url))
    more = includes(resource_type, params, page, base_url)
    return _with(page, [] if more is None else fetch(connection, more))


async def arun(
    source: AsyncConnection | AsyncConnectionPool,
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    page = await afetch(source, compile(resource_type, params, cover, base_url))
    more = includes(resource_type, params, page, base_url)
    return _with(page, [] if more is None else await afetch(source, more))


def _with(page: SearchPage, included: list[Stored]) -> SearchPage:
    matched = {(match.type, match.id) for match in page.matches}
    rest = [found for found in included if (found.type, found.id) not in matched]
    return SearchPage(page.matches, rest, page.next, page.total)
