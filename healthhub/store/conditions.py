"""The conditions of a search in SQL: clauses over one type's rows, and texts cut as FHIR cuts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from healthhub.errors import InvalidRequest, UnknownParameter
from healthhub.store import types
from healthhub.store.parameters import Parameter

T = TypeVar("T")
Codes = Sequence[tuple[str, str]]
"""System and code of each concept."""


class Unresolved(InvalidRequest):
    """The search names a resource (a ValueSet, a List) that must be read before it can run."""

    def __init__(self, kind: str, name: str, way: str = "in") -> None:
        super().__init__(
            f"the search needs the {kind} that it names, which is not at hand; run it whole",
            expression=kind,
        )
        self.key = (kind, name, way)


def covering(keys: str) -> str:
    """Patients (``keys`` selects them) and whom they stand for, where they are golden: one that
    was joined into another goes on standing for the whole person."""
    return (
        f"with recursive met (id) as materialized ({keys}), heir (id, successor) as ("  # noqa: S608
        "select p.person_key, p.successor from person p join met on p.person_key = met.id"
        " union select p.person_key, p.successor"
        " from person p join heir on p.person_key = heir.successor)"
        " select id from met union select id from heir"
        " union select l.patient_key from person_link l join heir on l.person_key = heir.id"
    )


@dataclass(slots=True)
class Context:
    """What a search knows besides its parameters.

    ``base_url`` is the hub's own address; ``known`` what was read for the search: concepts of
    value sets, ids in lists.
    """

    base_url: str = ""
    known: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def local(self, text: str) -> str:
        """A reference without the hub's own address."""
        base = self.base_url.rstrip("/") + "/"
        return text.removeprefix(base) if self.base_url else text


@dataclass(frozen=True, slots=True)
class Amount:
    """What is asked for: a comparison with the span from ``low`` to ``high``.

    ``unit`` is None for any, else its name as rows have it.
    """

    prefix: str
    unit: str | None
    low: int
    high: int


Period = tuple[str, datetime, datetime]
"""A prefix and the span of a date that is asked for."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a condition says of a row's code, value or time, for who walks rows by these.

    ``codes``: tokens of the code, of which the row has one; ``sizes`` and ``times``: comparisons,
    of which its value or its clinical date passes one. None: the condition says nothing of it.
    """

    codes: tuple[int, ...] | None = None
    sizes: tuple[Amount, ...] | None = None
    times: tuple[Period, ...] | None = None


NO_HINT = Hint()


@dataclass(slots=True)
class Clauses:
    """Conditions on the rows of one type, joined by AND; ``row`` is their alias in SQL.

    ``driven``: one of them has an index that finds its rows. ``narrow``: the patients are given.
    ``few``: it is known that only some rows are found, as by an identifier. ``hints``: what the
    conditions say of code, value and time; ``beside``: another condition is driven than a code's.
    """

    type: str
    row: str = "r"
    sql: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    driven: bool = False
    narrow: bool = False
    few: bool = False
    hints: list[Hint] = field(default_factory=list)
    beside: bool = False

    def __post_init__(self) -> None:
        """Only current resources of the type."""
        if self.type:
            number = types.NUMBERS[self.type]
            self.sql.append(f"{self.row}.type = {self.value(number)}")
        self.sql.append(f"not {self.row}.deleted")

    def inner(self, resource_type: str) -> Clauses:
        """Conditions on the rows of another type, for use in a subquery."""
        depth = self.values["depth"] = self.values.get("depth", 0) + 1
        return Clauses(resource_type, f"s{depth}", values=self.values)

    def value(self, value: Any) -> str:
        """A placeholder for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"%({name})b"

    def add(
        self, sql: str, *, driven: bool = False, few: bool = False, hint: Hint = NO_HINT
    ) -> None:
        """One condition."""
        self.sql.append(sql)
        self.hints.append(hint)
        self.beside = self.beside or (driven and hint.codes is None)
        self.driven = self.driven or driven
        self.few = self.few or few

    def patients(self, keys: Sequence[UUID]) -> None:
        """Rows of these patients alone."""
        self.add(self.of_patients(keys), driven=True)
        self.narrow = True

    def of_patients(self, keys: Sequence[UUID]) -> str:
        """Rows of these patients, of golden ones all that they stand for."""
        given = f"{self.value(list(keys))}::uuid[]"
        golden = f"select from person p where p.person_key = any({given})"
        covered = covering(f"select unnest({given})")
        # As a rule none is golden: one look tells, at a tenth of the cost of following all ties.
        return (
            f"{self.row}.patient_key = any(case when exists ({golden})"
            f" then array({covered}) else {given} end)"
        )

    def where(self, *, fetched: bool = False) -> str:
        """All conditions; ``fetched`` when all matches are read and not met in an order.

        ``is true`` keeps the planner from an index. Within a patient the one over everyone's
        tokens is of no use; and where tokens find the rows, to look up all rows of a type
        besides, only to keep what is in both, costs more than all the rest.
        """
        tokens, kind = f"{self.row}.tokens &&", f"{self.row}.type ="
        idle = tokens if self.narrow else kind
        driving = any(sql.lstrip("(").startswith(tokens) for sql in self.sql)
        if not (self.narrow or (fetched and driving)):
            return " and ".join(self.sql)
        return " and ".join(
            f"({sql}) is true" if sql.startswith(idle) else sql for sql in self.sql
        )

    def filters(self) -> str:
        """All conditions for rows that another index finds, in a form that asks no index for
        itself and of which the planner does not think that few rows pass."""
        return f"coalesce({' and '.join(self.sql)}, false)"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. ``driven``: an index finds its rows, ``few`` of them. ``patients``: it is
    but a choice of patients."""

    sql: str
    driven: bool = True
    patients: tuple[UUID, ...] | None = None
    few: bool = False
    hint: Hint = NO_HINT


def either(conditions: Sequence[Condition]) -> Condition:
    """Any of the conditions."""
    if len(conditions) == 1:
        return conditions[0]
    if not conditions:
        return Condition("false")
    joined = " or ".join(f"({each.sql})" for each in conditions)
    return Condition(
        f"({joined})",
        all(each.driven for each in conditions),
        few=all(each.few for each in conditions),
        hint=Hint(
            _joined([each.hint.codes for each in conditions]),
            _joined([each.hint.sizes for each in conditions]),
            _joined([each.hint.times for each in conditions]),
        ),
    )


def _joined(alternatives: Sequence[tuple[T, ...] | None]) -> tuple[T, ...] | None:
    """All alternatives; None where one of the conditions says nothing."""
    found: list[T] = []
    for each in alternatives:
        if each is None:
            return None
        found += each
    return tuple(found)


def cut(text: str, sign: str, most: int = 0) -> list[str]:
    """The text parted at each sign that no backslash escapes; escapes stay in the parts.

    http://hl7.org/fhir/R4/search.html#escaping
    """
    if "\\" not in text:
        return text.split(sign, most or -1)
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == sign and (not most or len(parts) < most):
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def plain(text: str) -> str:
    """The text without its escapes."""
    if "\\" not in text:
        return text
    return re.sub(r"\\([,|$\\])", r"\1", text)


def alternatives(parameter: str, value: str) -> list[str]:
    """The values joined by commas, escapes still in them; InvalidRequest when there is none."""
    texts = [part for part in cut(value, ",") if part]
    if not texts:
        raise InvalidRequest(
            f"{parameter} has no value; give one or leave it out", expression=parameter
        )
    return texts


def system_and_code(text: str) -> tuple[str | None, str]:
    """The parts of a token; the system is None when there is no bar."""
    parts = cut(text, "|", 1)
    return (None, plain(parts[0])) if len(parts) == 1 else (plain(parts[0]), plain(parts[1]))


def unknown_modifier(parameter: Parameter, modifier: str) -> UnknownParameter:
    """The error for a modifier that a parameter does not have."""
    return UnknownParameter(
        f"{parameter.name} has no modifier :{modifier[:32]} here", expression=parameter.name
    )


def overlap(clauses: Clauses, tokens: Sequence[int], *, code: bool = False) -> Condition:
    """Rows that have one of the tokens; ``code``: they are of the code that rows are walked by."""
    found = clauses.value(sorted(set(tokens)))
    hint = Hint(codes=tuple(tokens)) if code else NO_HINT
    return Condition(f"{clauses.row}.tokens && {found}::bigint[]", hint=hint)
