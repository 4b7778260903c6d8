"""Searches of everybody's data by a code: the rows of its concepts, newest first.

The index ``resource_coded`` holds each concept's rows by time, with the bounds of their values,
so that what the value and the time rule out is passed over without a look at the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from healthhub.store import concepts
from healthhub.store.concepts import LONG, LONG_TIME, SEVERAL_VALUES
from healthhub.store.conditions import Amount, Clauses, Period
from healthhub.store.query import Query, Row

MOST = 300
"""Concepts that are walked side by side; a code in more of them is no choice of rows."""
LEAST, GREATEST = -(2**31), 2**31 - 1
MINUTE = "resource_minute(r.at_end)"
_FIRST, _LAST = "(r.spans[2] >> 32)::integer", "(r.spans[3] >> 32)::integer"
BY = f"{MINUTE} desc nulls last, r.at_end desc nulls last, r.id asc"
"""The order by time, as the index has it and then exactly."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READY = """select from index_since s where s.entry = 'concept' and (s.at = '-infinity'
    or exists (select from index_run i where i.finished_at is not null and i.started_at >= s.at))"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what the ends of a span lie; None: no matter."""

    first_from: int | None = None
    first_to: int | None = None
    last_from: int | None = None
    last_to: int | None = None

    def _with(
        self, other: Bounds, least: Callable[..., Any], most: Callable[..., Any]
    ) -> Bounds:
        return Bounds(
            least(self.first_from, other.first_from),
            most(self.first_to, other.first_to),
            least(self.last_from, other.last_from),
            most(self.last_to, other.last_to),
        )

    def also(self, other: Bounds) -> Bounds:
        """Within both."""
        return self._with(other, _known(max), _known(min))

    def hull(self, other: Bounds) -> Bounds:
        """Around both."""
        return self._with(other, _both(min), _both(max))


def _known(choose: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: b if a is None else a if b is None else choose(a, b)


def _both(choose: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: None if a is None or b is None else choose(a, b)


def bounds(prefix: str, low: int, high: int) -> Bounds:
    """What a comparison with the span from low to high demands of a row's span."""
    match prefix:
        case "eq":
            return Bounds(first_from=low, last_to=high)
        case "gt":
            return Bounds(last_from=high)
        case "lt":
            return Bounds(first_to=low)
        case "ge":
            return Bounds(last_from=low)
        case "le":
            return Bounds(first_to=high)
        case "sa":
            return Bounds(first_from=high)
        case "eb":
            return Bounds(last_to=low)
        case "ap":
            return Bounds(first_to=high, last_from=low)
    return Bounds()


def minute(moment: datetime) -> int:
    """What resource_minute() in SQL gives."""
    return max(LEAST, min(GREATEST, (moment - _EPOCH) // timedelta(minutes=1)))


@dataclass(frozen=True, slots=True)
class Known:
    """A concept as its entries in the store tell: units of its values, and traits."""

    number: int
    units: frozenset[int]
    traits: int


@dataclass(frozen=True, slots=True)
class Walk:
    """What a search asks of a code, of the value and of the time: each of ``sizes`` and
    ``times`` holds alternatives. ``known`` are the concepts that have the code."""

    codes: tuple[int, ...]
    sizes: tuple[tuple[Amount, ...], ...]
    times: tuple[tuple[Period, ...], ...]
    known: tuple[Known, ...] = ()

    def asking(self) -> Query[Walk | None]:
        """The walk with its concepts; None where rows have no entry yet, or concepts are many."""

        def decode(found: list[Row]) -> Walk | None:
            if len(found) > MOST or any(row[0] is None for row in found):
                return None
            return replace(self, known=tuple(_grouped(found)))

        return Query(
            f"select null::integer, null::integer, null::smallint where not exists ({_READY})"  # noqa: S608
            " union all (select distinct c.concept, c.unit, c.traits from resource_concept c"
            f" where c.token = any(%(codes)b::bigint[]) limit {MOST + 1})",
            {"codes": sorted(set(self.codes))},
            decode,
        )

    def rows(
        self,
        clauses: Clauses,
        where: str,
        after: datetime | None = None,
        *,
        undated: bool = False,
    ) -> tuple[str, str]:
        """The concepts with their bounds as ``c`` and the condition on a row ``r`` of each.

        ``after``: rows that are not newer; ``undated``: rows without a time alone.
        """
        lines = [
            (known.number, *_closed(fitting), self._until(known, after))
            for known in self.known
            if (fitting := self._fitting(known)) is not None
        ]
        numbers, *ends = [list(column) for column in zip(*lines, strict=True)] or [[]] * 6
        columns, found = [clauses.value(numbers)], ["r.concept = c.concept"]
        names = ["concept"]

        # Ends that choose nothing are left out: the planner would believe that they do.
        def bound(value: str, sign: str, name: str, column: list[int]) -> None:
            if set(column) <= {LEAST, GREATEST}:
                return
            if len(set(column)) == 1:
                found.append(f"{value} {sign} {clauses.value(column[0])}::integer")
                return
            names.append(name)
            columns.append(clauses.value(column))
            found.append(f"{value} {sign} c.{name}")

        if lines and self.sizes:
            bound(_FIRST, ">=", "first_from", ends[0])
            bound(_FIRST, "<=", "first_to", ends[1])
            bound(_LAST, ">=", "last_from", ends[2])
            bound(_LAST, "<=", "last_to", ends[3])
        if undated:
            found.append(f"{MINUTE} is null")
        elif lines and (self.times or after is not None):
            since = self._since()
            bound(MINUTE, ">=", "since", [LEAST if since is None else since])
            bound(MINUTE, "<=", "until", ends[4])
        arrays = ", ".join(f"{column}::integer[]" for column in columns)
        source = f"unnest({arrays}) c({', '.join(names)})"
        return source, " and ".join([*found, where])

    def _fitting(self, known: Known) -> Bounds | None:
        """The bounds of the value, coarse as the index has them; None: nothing fits."""
        made = Bounds()
        for alternatives in self.sizes:
            fitting = [
                bounds(each.prefix, each.low >> 32, each.high >> 32)
                for each in alternatives
                if each.unit is None or concepts.unit(each.unit) in known.units
            ]
            if not fitting:
                return None
            made = made.also(_hull(fitting))
        return Bounds() if known.traits & SEVERAL_VALUES else made

    def _time(self) -> Bounds:
        """The bounds of the time in minutes."""
        made = Bounds()
        for alternatives in self.times:
            found = [
                bounds(each, minute(low), minute(high)) for each, low, high in alternatives
            ]
            made = made.also(_hull(found))
        return made

    def _since(self) -> int | None:
        """The first minute in which rows may end."""
        time = self._time()
        return _known(max)(time.last_from, time.first_from)

    def _until(self, known: Known, after: datetime | None) -> int:
        """The last minute in which rows of a concept may end."""
        time = self._time()
        until = GREATEST if time.last_to is None else time.last_to
        if after is not None:
            until = min(until, minute(after))
        if time.first_to is None or known.traits & LONG_TIME:
            return until
        return min(until, time.first_to + LONG // timedelta(minutes=1) + 1)


def walk_of(clauses: Clauses) -> Walk | None:
    """How the rows may be walked; None where no code chooses among them, or something else
    does so better."""
    hints = clauses.hints
    codes = next((each.codes for each in hints if each.codes is not None), None)
    if codes is None or clauses.narrow or clauses.few:
        return None
    return Walk(
        codes,
        tuple(each.sizes for each in hints if each.sizes is not None),
        tuple(each.times for each in hints if each.times is not None),
    )


def _grouped(found: Iterable[Row]) -> Iterable[Known]:
    units: dict[int, set[int]] = {}
    traits: dict[int, int] = {}
    for number, unit, trait in found:
        units.setdefault(number, set()).add(unit)
        traits[number] = traits.get(number, 0) | trait
    return (Known(number, frozenset(of), traits[number]) for number, of in units.items())


def _hull(found: Sequence[Bounds]) -> Bounds:
    made = found[0]
    for each in found[1:]:
        made = made.hull(each)
    return made


def _closed(found: Bounds) -> tuple[int, int, int, int]:
    """Bounds with an end wherever there is none."""
    return (
        LEAST if found.first_from is None else found.first_from,
        GREATEST if found.first_to is None else found.first_to,
        LEAST if found.last_from is None else found.last_from,
        GREATEST if found.last_to is None else found.last_to,
    )
