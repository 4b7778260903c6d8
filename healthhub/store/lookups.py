"""What a search must read before it can run: concepts of a value set, codes around one, a list.

Value sets and code systems are resources of the store themselves.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from healthhub.errors import Gone, InvalidRequest, NotFound
from healthhub.model.ids import row_id
from healthhub.model.resource import Body, Stored
from healthhub.store import reads, rows, types, wire
from healthhub.store.conditions import system_and_code
from healthhub.store.hashes import token
from healthhub.store.query import Query, Row, afetch, fetch
from healthhub.store.referred import local_of

MOST = 10_000
"""Concepts that a search may ask for."""
Key = tuple[str, str, str]
Asking = Generator[Query[list[Stored]], list[Stored], Any]


def resolve(connection: Connection, key: Key) -> Any:
    """What a search's Unresolved names."""
    asking = _asking(key)
    try:
        query = next(asking)
        while True:
            query = asking.send(fetch(connection, query))
    except StopIteration as done:
        return done.value


async def aresolve(source: AsyncConnection[Any] | AsyncConnectionPool[Any], key: Key) -> Any:
    """What a search's Unresolved names."""
    asking = _asking(key)
    try:
        query = next(asking)
        while True:
            query = asking.send(await afetch(source, query))
    except StopIteration as done:
        return done.value


def _asking(key: Key) -> Asking:
    kind, name, way = key
    if kind == "List":
        return _list(name)
    if kind == "ValueSet":
        return _value_set(name)
    return _around(name, way)


def _list(fhir_id: str) -> Asking:
    found = yield _by_id("List", fhir_id)
    if not found:
        raise InvalidRequest("there is no such List; check its id", expression="_list")
    body = wire.reload(found[0].json)
    items = [
        local_of(entry.get("item", {}).get("reference", ""))
        for entry in body.get("entry", ())
        if not entry.get("deleted")
    ]
    return [item for item in items if item is not None]


def _value_set(url: str, depth: int = 0) -> Asking:
    """All concepts of a stored value set, by its url or as ValueSet/id."""
    local = local_of(url)
    found = yield _by_id(*local) if local else _by_url("ValueSet", url)
    if not found or depth > 8:
        raise InvalidRequest(
            f"the value set {url[:200]!r} is not stored here; store it (POST ValueSet) first",
            expression="ValueSet",
        )
    body = wire.reload(found[0].json)
    codes: dict[tuple[str, str], None] = {}
    compose = body.get("compose")
    if compose is None:
        codes.update(dict.fromkeys(_expanded(body.get("expansion", {}).get("contains", ()))))
    else:
        for part in compose.get("include", ()):
            codes.update(dict.fromkeys((yield from _part(part, depth))))
        for part in compose.get("exclude", ()):
            for code in (yield from _part(part, depth)):
                codes.pop(code, None)
    return _limited(codes)


def _limited(codes: dict[tuple[str, str], None]) -> list[tuple[str, str]]:
    if len(codes) > MOST:
        raise InvalidRequest(
            f"the value set has more than {MOST} concepts; search by a smaller one",
            expression="ValueSet",
        )
    return list(codes)


def _expanded(contains: Any) -> Iterator[tuple[str, str]]:
    for entry in contains:
        if "code" in entry:
            yield entry.get("system", ""), entry["code"]
        yield from _expanded(entry.get("contains", ()))


def _part(part: Body, depth: int) -> Generator[Any, Any, list[tuple[str, str]]]:
    """The concepts of one include or exclude."""
    listed: list[tuple[str, str]] | None = None
    system = part.get("system", "")
    if "concept" in part:
        listed = [(system, concept["code"]) for concept in part["concept"]]
    elif system:
        tree = yield from _code_system(system)
        listed = [(system, code) for code in _filtered(tree, part.get("filter", ()))]
    for other in part.get("valueSet", ()):
        more = yield from _value_set(other.partition("|")[0], depth + 1)
        within = set(more)
        listed = more if listed is None else [each for each in listed if each in within]
    return listed or []


def _filtered(tree: dict[str, list[str]], filters: Any) -> list[str]:
    found = list(tree)
    for one in filters:
        value = one.get("value", "")
        match one.get("op"):
            case "is-a":
                found = [code for code in found if value in (code, *tree[code])]
            case "descendent-of":
                found = [code for code in found if value in tree[code]]
            case "is-not-a":
                found = [code for code in found if value not in (code, *tree[code])]
            case "in":
                found = [code for code in found if code in value.split(",")]
            case "=" if one.get("property") in ("concept", "code"):
                found = [code for code in found if code == value]
            case _:
                raise InvalidRequest(
                    "the value set has a filter that search does not evaluate; "
                    "list its codes, or use is-a, descendent-of, is-not-a, in",
                    expression="ValueSet",
                )
    return found


def _code_system(url: str) -> Generator[Any, Any, dict[str, list[str]]]:
    """Each code of a stored code system with all codes above it."""
    found = yield _by_url("CodeSystem", url)
    if not found:
        raise InvalidRequest(
            f"the code system {url[:200]!r} is not stored here; store it (POST CodeSystem) first",
            expression="CodeSystem",
        )
    tree: dict[str, list[str]] = {}

    def grow(concepts: Any, above: list[str]) -> None:
        for concept in concepts:
            tree[concept["code"]] = above
            grow(concept.get("concept", ()), [*above, concept["code"]])

    grow(wire.reload(found[0].json).get("concept", ()), [])
    return tree


def _around(text: str, way: str) -> Asking:
    """A code and those below it, or above it, in the hierarchy of its system."""
    system, code = system_and_code(text)
    if not system:
        raise InvalidRequest(
            f":{way} takes system|code, since codes have a hierarchy within their system",
            expression="CodeSystem",
        )
    tree = yield from _code_system(system)
    if way == "above":
        return [(system, each) for each in (code, *tree.get(code, ()))]
    below = [each for each, above in tree.items() if code in above]
    return _limited(dict.fromkeys((system, each) for each in (code, *below)))


def _by_id(resource_type: str, fhir_id: str) -> Query[list[Stored]]:
    wanted = reads.by_id(resource_type, row_id(resource_type, fhir_id))

    def decode(found: list[Row]) -> list[Stored]:
        try:
            return [wanted.decode(found)]
        except (NotFound, Gone):
            return []

    return Query(wanted.sql, wanted.params, decode)


def _by_url(resource_type: str, url: str) -> Query[list[Stored]]:
    """The newest of a canonical resource's versions, or the one that url|version names."""
    bare, _, version = url.partition("|")
    values = {"number": types.NUMBERS[resource_type], "tokens": [token("url", bare)]}
    return Query(
        f"""select {rows.COLUMNS} from resource r where r.type = %(number)b and not r.deleted
              and r.tokens && %(tokens)b::bigint[] order by r.updated desc limit 100""",  # noqa: S608
        values,
        lambda found: [
            stored
            for stored in map(rows.stored, found)
            if not version or wire.reload(stored.json).get("version") == version
        ],
    )
