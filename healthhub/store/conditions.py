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
    if parameter.name == "_id":
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
    column = "r.codes" if parameter.wide else "r.tokens"
    if parameter.kind == "reference":
        if modifier and modifier not in parameter.targets:
            raise unknown_modifier(parameter, modifier)
        found = [h for text in texts for h in _reference(parameter, modifier, text, base_url)]
    else:
        if modifier not in ("", "not"):
            raise unknown_modifier(parameter, modifier)
        found = [h for text in texts for h in _code(parameter, text)]
    negated = "not " if modifier == "not" else ""
    clauses.add(
        negated + column + " && {0}::bigint[]", found, driven=parameter.wide and not negated
    )


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
    clauses.add(
        "(r.patient_key, r.id) in (select i.patient_key, i.id from resource_identifier i"
        " where i.hash = any({0}::bigint[]))",
        [index.identifier(kind, _whole(parameter, text)) for text in texts],
        driven=True,
    )


def _strings(clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]) -> None:
    if modifier not in ("", "exact", "contains"):
        raise unknown_modifier(parameter, modifier)
    patterns = []
    for text in texts:
        plain = (
            (spelling.digits(text) or spelling.normal(text))
            if parameter.kind == "phone"
            else spelling.normal(text)
        )
        escaped = re.sub(r"([\\%_])", r"\\\1", plain)
        before = "%" if modifier == "contains" else ""
        patterns.append(before + escaped + ("" if modifier == "exact" else "%"))
    clauses.add(
        "(r.patient_key, r.id) in (select t.patient_key, t.id from resource_text t"
        " where t.type = {0} and t.parameter = {1} and t.value like any({2}::text[]))"
        if len(patterns) > 1
        else "(r.patient_key, r.id) in (select t.patient_key, t.id from resource_text t"
        " where t.type = {0} and t.parameter = {1} and t.value like {2}::text)",
        clauses.type,
        parameter.name,
        patterns if len(patterns) > 1 else patterns[0],
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


def _dates(clauses: Clauses, parameter: Parameter, modifier: str, texts: list[str]) -> None:
    if modifier:
        raise unknown_modifier(parameter, modifier)
    if parameter.name == "_lastUpdated":
        start = end = "r.updated"
        given = "true"
    else:
        start = "coalesce(r.at_start, '-infinity')"
        end = "coalesce(r.at_end, 'infinity')"
        given = "(r.at_start is not null or r.at_end is not null)"
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
    for value in index.values_of(parameter.path)(body):
        if isinstance(value, dict) and isinstance(value.get("reference"), str):
            yield value["reference"]
