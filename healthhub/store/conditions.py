"""One search parameter with its value as a condition in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from healthhub import clock
from healthhub.errors import InvalidRequest, UnknownParameter
from healthhub.model.ids import row_id
from healthhub.model.resource import Body
from healthhub.store import dates, index, spelling, types
from healthhub.store.parameters import Parameter


@dataclass(slots=True)
class Clauses:
    """The conditions of a search, joined by AND. ``driven``: one of them has an index that
    finds few rows."""

    type: int
    sql: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    driven: bool = False
    narrow: bool = False

    def __post_init__(self) -> None:
        """Only current resources of the type."""
        self.sql += ["r.type = %(type)b", "not r.deleted"]
        self.values["type"] = self.type

    def add(self, sql: str, *values: Any, driven: bool = False) -> None:
        """One condition; ``{0}``, ``{1}`` in it stand for the values."""
        names = []
        for value in values:
            name = f"v{len(self.values)}"
            self.values[name] = value
            names.append(f"%({name})b")
        self.sql.append(sql.format(*names))
        self.driven = self.driven or driven

    def patients(self, keys: list[Any]) -> None:
        """Rows of these patients alone."""
        self.add("r.patient_key = any({0}::uuid[])", keys, driven=True)
        self.narrow = True

    def where(self) -> str:
        """All conditions. Within a patient the index over everyone's tokens is of no use, and
        ``is true`` keeps the planner from it."""
        return " and ".join(
            f"({sql}) is true" if self.narrow and sql.startswith("r.tokens") else sql
            for sql in self.sql
        )


def split(value: str) -> list[str]:
    """The alternatives of a value: parted by commas that no backslash escapes."""
    parts = re.split(r"(?<!\\),", value)
    return [re.sub(r"\\([,|$\\])", r"\1", part) for part in parts if part]


def unknown_modifier(parameter: Parameter, modifier: str) -> UnknownParameter:
    """The error for a modifier that a parameter does not have."""
    return UnknownParameter(
        f"{parameter.name} has no modifier :{modifier[:32]} here", expression=parameter.name
    )


def add(
    clauses: Clauses, parameter: Parameter, modifier: str, value: str, base_url: str
) -> None:
    """Add the condition of one parameter."""
    texts = split(value)
    if not texts:
        raise InvalidRequest(
            f"{parameter.name} has no value; give one or leave it out",
            expression=parameter.name,
        )
    if modifier == "missing" and parameter.bit:
        _missing(clauses, parameter, texts)
    elif parameter.name == "_id":
        _ids(clauses, parameter, modifier, texts)
    elif parameter.kind == "date":
        _dates(clauses, parameter, modifier, texts)
    elif parameter.kind == "identifier":
        _identifiers(clauses, parameter, modifier, texts)
    elif parameter.kind in ("string", "phone"):
        _strings(clauses, parameter, modifier, texts)
    elif parameter.kind == "uri":
        raise UnknownParameter(
            "_source cannot be searched here; the console finds messages and what they made",
            expression="_source",
        )
    else:
        _tokens(clauses, parameter, modifier, texts, base_url)


def _ids(clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]) -> None:
    if modifier:
        raise unknown_modifier(parameter, modifier)

    keys = [row_id(types.name(clauses.type), text) for text in texts]
    clauses.add("r.id = any({0}::uuid[])", keys, driven=True)


def _tokens(
    clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str], base_url: str
) -> None:
    if parameter.kind == "reference":
        if modifier and modifier not in parameter.targets:
            raise unknown_modifier(parameter, modifier)
        found = [h for text in texts for h in _reference(parameter, modifier, text, base_url)]
    else:
        if modifier not in ("", "not"):
            raise unknown_modifier(parameter, modifier)
        found = [h for text in texts for h in _code(parameter, text)]
    if modifier == "not":
        clauses.add("not r.tokens && {0}::bigint[]", found)
    else:
        clauses.add("r.tokens && {0}::bigint[]", found, driven=True)


def _missing(clauses: Clauses, parameter: Parameter, texts: list[str]) -> None:
    if texts not in (["true"], ["false"]):
        raise InvalidRequest(
            f"{parameter.name}:missing is true or false", expression=parameter.name
        )
    way = "=" if texts == ["true"] else "<>"
    clauses.add(f"r.present & {{0}}::bigint {way} 0", parameter.bit)


def _code(parameter: Parameter, text: str) -> Iterator[int]:
    """``code``, ``system|code`` and ``|code`` (http://hl7.org/fhir/R4/search.html#token)."""
    system, bar, code = text.rpartition("|")
    yield index.token(parameter.name, _whole(parameter, text))
    if system or not bar:
        yield index.token(parameter.name, index.ANY_SYSTEM + code)


def _whole(parameter: Parameter, text: str) -> str:
    if text.endswith("|"):
        raise InvalidRequest(
            f"{parameter.name}={text[:80]} asks for all codes of a system; name a code",
            expression=parameter.name,
        )
    return text


def _reference(parameter: Parameter, modifier: str, text: str, base_url: str) -> Iterator[int]:
    local = text.removeprefix(base_url.rstrip("/") + "/") if base_url else text
    if "/" in local:
        yield index.token(parameter.name, local)
        return
    for target in (modifier,) if modifier else parameter.targets:
        yield index.token(parameter.name, f"{target}/{local}")


def _identifiers(
    clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]
) -> None:
    if modifier:
        raise unknown_modifier(parameter, modifier)
    kind = types.name(clauses.type)
    ways: list[str] = []
    values: list[int] = []
    for text in texts:
        system, bar, value = _whole(parameter, text).rpartition("|")
        way = f"i.hash = {{{len(values)}}}"
        values.append(index.identifier(kind, value))
        if bar:
            way += f" and i.system = {{{len(values)}}}"
            values.append(index.token("", system))
        ways.append(way)
    clauses.add(
        "(r.patient_key, r.id) in (select i.patient_key, i.id from resource_identifier i"  # noqa: S608
        f" where {' or '.join(ways)})",
        *values,
        driven=True,
    )


def _strings(clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]) -> None:
    phone = parameter.kind == "phone"
    if modifier not in (("",) if phone else ("", "exact", "contains")):
        raise unknown_modifier(parameter, modifier)
    if modifier == "exact":
        exact = [index.token(f"{parameter.name}:exact", text) for text in texts]
        clauses.add("r.tokens && {0}::bigint[]", exact, driven=True)
        return
    ways: list[str] = []
    values: list[Any] = [clauses.type, parameter.name]
    for text in texts:
        number = len(values)
        if phone:
            ways.append(f"t.value = {{{number}}}")
            values.append(index.phone(text.rpartition("|")[2]))
        elif modifier == "contains":
            ways.append(f"position({{{number}}} in t.value) > 0")
            values.append(spelling.normal(text))
        else:
            ways.append(f"t.value >= {{{number}}} and t.value < {{{number + 1}}}")
            plain = spelling.normal(text)
            values += [plain, plain + "\U0010ffff"]
    clauses.add(
        "(r.patient_key, r.id) in (select t.patient_key, t.id from resource_text t"  # noqa: S608
        f" where t.type = {{0}} and t.parameter = {{1}} and ({' or '.join(ways)}))",
        *values,
        driven=True,
    )


_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.+)")

# [start, end] of the row against [{0}, {1}] of the value (http://hl7.org/fhir/R4/search.html#prefix);
# an open end of a period reaches into infinity.
_DATE = {
    "eq": "({s} >= {{0}} and {e} <= {{1}})",
    "ne": "not ({s} >= {{0}} and {e} <= {{1}})",
    "gt": "{e} > {{1}}",
    "lt": "{s} < {{0}}",
    "ge": "({e} > {{1}} or ({s} >= {{0}} and {e} <= {{1}}))",
    "le": "({s} < {{0}} or ({s} >= {{0}} and {e} <= {{1}}))",
    "sa": "{s} > {{1}}",
    "eb": "{e} < {{0}}",
    "ap": "({s} <= {{1}} and {e} >= {{0}})",
}


def ends(parameter: Parameter) -> tuple[str, str]:
    """Where a row holds the two ends of a date."""
    if parameter.slot == 0:
        return "r.at_start", "r.at_end"
    return f"r.moments[{parameter.slot * 2 - 1}]", f"r.moments[{parameter.slot * 2}]"


def _dates(clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]) -> None:
    if modifier:
        raise unknown_modifier(parameter, modifier)
    if parameter.name == "_lastUpdated":
        start = end = "r.updated"
        given = "true"
    else:
        first, last = ends(parameter)
        start = f"coalesce({first}, '-infinity')"
        end = f"coalesce({last}, 'infinity')"
        given = f"({first} is not null or {last} is not null)"
    alternatives: list[str] = []
    values: list[Any] = []
    for text in texts:
        match = _PREFIXED.fullmatch(text)
        span = dates.span(match[2].replace(" ", "+")) if match else None
        if match is None or span is None:
            raise InvalidRequest(
                f"{parameter.name}={text[:40]} is no date; write YYYY, YYYY-MM, YYYY-MM-DD or "
                "a dateTime, with a prefix such as ge if wished",
                expression=parameter.name,
            )
        low, high = span
        if match[1] == "ap":  # a tenth of the time between the value and now, as R4 suggests
            slack = abs(clock.now() - low) / 10
            low, high = max(low, _FIRST + slack) - slack, min(high, _LAST - slack) + slack
        clause = _DATE[match[1] or "eq"].format(s=start, e=end)
        alternatives.append(clause.format(f"{{{len(values)}}}", f"{{{len(values) + 1}}}"))
        values += [low, high]
    clauses.add(f"{given} and ({' or '.join(alternatives)})", *values)


def references(body: Body, parameter: Parameter) -> Iterator[str]:
    """The references that a parameter reads in a resource."""
    for value in index.reached(body, parameter.path):
        if isinstance(value, dict) and isinstance(value.get("reference"), str):
            yield value["reference"]
