"""_include and _revinclude: what the matches refer to, and what refers to them.

http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from healthhub.errors import InvalidRequest
from healthhub.model.ids import row_id
from healthhub.model.resource import Stored
from healthhub.store import rows, types, wire
from healthhub.store.hashes import reference
from healthhub.store.parameters import Parameter, named, parameters
from healthhub.store.place import reached
from healthhub.store.query import Page, Query, Row
from healthhub.store.referred import local_of, referred

MOST = 1000
"""Resources that a page may bring along."""
ROUNDS = 5
"""How often :iterate goes on from what was found."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One _include or _revinclude: references of ``source`` by ``parameters`` to ``target``
    (empty for any type)."""

    back: bool
    iterate: bool
    source: str
    parameters: tuple[Parameter, ...]
    target: str


class Includes:
    """What a search brings along, fetched in rounds."""

    def __init__(
        self, resource_type: str, params: Sequence[tuple[str, str]], base_url: str
    ) -> None:
        self._base = base_url.rstrip("/") + "/"
        self._wanted: list[Wanted] = []
        for name, value in params:
            bare, _, modifier = name.partition(":")
            if bare in ("_include", "_revinclude"):
                self._wanted += _read(resource_type, bare, modifier, value)
        self._seen: set[tuple[str, UUID]] = set()
        self._fresh: list[Stored] = []
        self.found: list[Stored] = []

    def rounds(self, page: Page) -> Iterator[Query[list[Stored]]]:
        """The queries, each to be answered by ``take`` before the next."""
        if not self._wanted:
            return
        self._seen.update((match.type, match.id) for match in page.matches)
        level = list(page.matches)
        for number in range(ROUNDS):
            self._fresh = []
            for wanted in self._wanted:
                if number == 0 or wanted.iterate:
                    yield from self._of(wanted, level)
            level = self._fresh
            if not level:
                return

    def take(self, found: list[Stored]) -> None:
        """What a query of ``rounds`` found."""
        fresh = [each for each in found if (each.type, each.id) not in self._seen]
        self._seen.update((each.type, each.id) for each in fresh)
        self._fresh += fresh
        self.found += fresh
        if len(self.found) > MOST:
            raise InvalidRequest(
                f"the page would bring along more than {MOST} resources; ask for a smaller "
                "_count, or include less",
                expression="_include",
            )

    def _of(self, wanted: Wanted, level: Sequence[Stored]) -> Iterator[Query[list[Stored]]]:
        if wanted.back:
            for kind in {each.type for each in level}:
                if wanted.target in ("", kind):
                    yield from _referring(
                        wanted, kind, [each.id for each in level if each.type == kind]
                    )
            return
        keys: set[tuple[int, UUID]] = set()
        for each in level:
            if wanted.source in ("", each.type):
                keys.update(self._references(wanted, each))
        if keys:
            yield _by_keys(sorted(keys))

    def _references(self, wanted: Wanted, stored: Stored) -> Iterator[tuple[int, UUID]]:
        body = wire.reload(stored.json)
        known = wanted.parameters or _links(stored.type)
        for parameter in known:
            for place in parameter.places:
                for value in reached(body, place):
                    _, text = referred(value)
                    local = local_of(text.removeprefix(self._base))
                    if (
                        local
                        and wanted.target in ("", local[0])
                        and place.target in ("", local[0])
                    ):
                        yield types.NUMBERS[local[0]], row_id(*local)


def _read(resource_type: str, name: str, modifier: str, value: str) -> Iterator[Wanted]:
    if modifier not in ("", "iterate", "recurse"):
        raise InvalidRequest(f"{name} has no modifier :{modifier[:32]}", expression=name)
    back, iterate = name == "_revinclude", modifier != ""
    source, _, rest = value.partition(":")
    bare, _, target = rest.partition(":")
    if value == "*" and back:
        raise InvalidRequest(
            "_revinclude=* would look through all types; write _revinclude=Type:*",
            expression=name,
        )
    if value == "*" or (bare == "*" and source in types.NUMBERS):
        kind = "" if value == "*" else source
        yield Wanted(back, iterate, kind, _links(kind) if back else (), target)
        return
    parameter = named(source).get(bare) if source else None
    if parameter is None or parameter.kind != "reference" or _misses(target, parameter):
        known = ", ".join(f"{source}:{p.name}" for p in _links(source)) if source else ""
        raise InvalidRequest(
            f"{name} is Type:parameter or Type:parameter:target of a reference"
            + (f"; {source} has {known}" if known else ""),
            expression=name,
        )
    if not back and not iterate and source != resource_type:
        raise InvalidRequest(
            f"{name}={value[:80]} starts from {source[:64]}, which is not what is searched for; "
            f"write {name}:iterate to go on from what is included",
            expression=name,
        )
    yield Wanted(back, iterate, source, (parameter,), target)


def _misses(target: str, parameter: Parameter) -> bool:
    return bool(target) and target not in parameter.targets


def _links(resource_type: str) -> tuple[Parameter, ...]:
    return tuple(each for each in parameters(resource_type) if each.kind == "reference")


def _by_keys(keys: Sequence[tuple[int, UUID]]) -> Query[list[Stored]]:
    numbers, ids = zip(*keys, strict=True)
    return Query(
        f"""select {rows.COLUMNS} from unnest(%(numbers)b::smallint[], %(ids)b::uuid[]) u(type, id)
             join resource r using (type, id) where not r.deleted
             order by r.type, r.id limit {MOST + 1}""",  # noqa: S608
        {"numbers": list(numbers), "ids": list(ids)},
        _all,
    )


def _referring(wanted: Wanted, kind: str, ids: list[UUID]) -> Iterator[Query[list[Stored]]]:
    """Rows that refer to the ids; to the members of golden patients too."""
    tokens: list[int] = []
    keyed = False
    for parameter in wanted.parameters:
        for place in parameter.places:
            if kind not in parameter.targets or place.target not in ("", kind):
                continue
            if kind == "Patient" and parameter.keyed(place, wanted.source):
                keyed = True
            else:
                tokens += [reference(place.path, kind, each) for each in ids]
    number = types.NUMBERS[wanted.source]
    if tokens:
        yield _rows_where("r.tokens && %(found)b::bigint[]", number, tokens)
    if keyed:
        yield _rows_where(
            "r.patient_key in (select unnest(%(found)b::uuid[]) union select l.patient_key"
            " from person_link l where l.person_key = any(%(found)b::uuid[]))",
            number,
            ids,
        )


def _rows_where(how: str, number: int, found: Sequence[int | UUID]) -> Query[list[Stored]]:
    return Query(
        f"""select {rows.COLUMNS} from resource r where r.type = %(number)b and not r.deleted
              and {how} order by r.id limit {MOST + 1}""",  # noqa: S608
        {"number": number, "found": list(found)},
        _all,
    )


def _all(found: list[Row]) -> list[Stored]:
    return [rows.stored(row) for row in found]
