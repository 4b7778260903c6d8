"""Conditions of date, number and quantity parameters: spans against spans.

http://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation

from healthhub import clock
from healthhub.errors import InvalidRequest
from healthhub.store import dates, units
from healthhub.store.concepts import is_size
from healthhub.store.conditions import (
    NO_HINT,
    Amount,
    Clauses,
    Condition,
    Hint,
    Period,
    alternatives,
    cut,
    either,
    plain,
    unknown_modifier,
)
from healthhub.store.hashes import half, span_key
from healthhub.store.parameters import Parameter
from healthhub.store.spans import EARLIEST, LATEST, as_integer, micros

_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")

# [s, e] of the row against [lo, hi] of the value.
_COMPARED = {
    "eq": "({s} >= {lo} and {e} <= {hi})",
    "ne": "not ({s} >= {lo} and {e} <= {hi})",
    "gt": "{e} > {hi}",
    "lt": "{s} < {lo}",
    "ge": "({e} > {hi} or ({s} >= {lo} and {e} <= {hi}))",
    "le": "({s} < {lo} or ({s} >= {lo} and {e} <= {hi}))",
    "sa": "{s} > {hi}",
    "eb": "{e} < {lo}",
    "ap": "({s} <= {hi} and {e} >= {lo})",
}
# What each demands of the row's end, in a form that the index over ends can answer.
_BOUND = {
    "eq": "{e} between {lo} and {hi} and ",
    "gt": "",
    "ge": "{e} >= {lo} and ",
    "sa": "{e} > {hi} and ",
    "eb": "",
    "ap": "{e} >= {lo} and ",
}


def of_date(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """A date, or part of one, with a prefix."""
    if modifier:
        raise unknown_modifier(parameter, modifier)
    row = clauses.row
    found = []
    times: list[Period] = []
    for text in alternatives(parameter.name, value):
        if not parameter.clinical and parameter.name != "_lastUpdated":
            found.append(_among(clauses, parameter, [dated(parameter, text)]))
            continue
        prefix, low, high = period(parameter, text)
        if parameter.name == "_lastUpdated":
            found.append(
                _compared(clauses, prefix, f"{row}.updated", f"{row}.updated", low, high)
            )
        else:
            start, end = f"{row}.at_start", f"{row}.at_end"
            one = _compared(clauses, prefix, start, end, low, high)
            found.append(f"{end} is not null and {one}")
            if any(place.many for place in parameter.places):
                found[-1] = _among(clauses, parameter, [dated(parameter, text)])
            else:
                times.append((prefix, low, high))
    hint = Hint(times=tuple(times)) if len(times) == len(found) else NO_HINT
    return replace(either([Condition(sql, driven=False) for sql in found]), hint=hint)


def _compared(
    clauses: Clauses, prefix: str, start: str, end: str, low: datetime, high: datetime
) -> str:
    names = {"s": start, "e": end, "lo": clauses.value(low), "hi": clauses.value(high)}
    return (_BOUND.get(prefix, "") + _COMPARED[prefix]).format(**names)


def period(parameter: Parameter, text: str) -> Period:
    """The prefix and the span of a date that is searched for."""
    match = _PREFIXED.fullmatch(plain(text))
    # An unescaped "+" of an offset arrives as a blank.
    span = dates.span(match[2].replace(" ", "+")) if match else None
    if match is None or span is None:
        raise InvalidRequest(
            f"{parameter.name} is a date: YYYY, YYYY-MM, YYYY-MM-DD or a dateTime, with a "
            "prefix such as ge if wished",
            expression=parameter.name,
        )
    low, high = (min(max(each, EARLIEST), LATEST) for each in span)
    if match[1] == "ap":  # a tenth of the time between the value and now, as R4 suggests
        slack = abs(clock.now() - low) / 10
        low, high = max(low, EARLIEST + slack) - slack, min(high, LATEST - slack) + slack
    return match[1] or "eq", low, high


def of_number(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """A number, whose digits say how exactly it is meant."""
    if modifier:
        raise unknown_modifier(parameter, modifier)
    asked = []
    for text in alternatives(parameter.name, value):
        asked.append(exact(*number(parameter, text)))
    return Condition(_among(clauses, parameter, asked), driven=False)


def exact(prefix: str, low: Decimal, high: Decimal) -> Amount:
    """A number that is asked for."""
    return Amount(prefix, None, as_integer(low), _below(prefix, low, high))


def dated(parameter: Parameter, text: str) -> Amount:
    """A date that is asked for."""
    prefix, low, high = period(parameter, text)
    return Amount(prefix, None, micros(low), micros(high))


def of_quantity(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """``number``, ``number|system|code`` or ``number||unit``; UCUM units are converted."""
    if modifier:
        raise unknown_modifier(parameter, modifier)
    asked = [
        amount
        for text in alternatives(parameter.name, value)
        for amount in quantities(parameter, text)
    ]
    hint = Hint(sizes=tuple(asked)) if is_size(clauses.type, parameter) else NO_HINT
    return Condition(_among(clauses, parameter, asked), driven=False, hint=hint)


def quantities(parameter: Parameter, text: str) -> Iterator[Amount]:
    """What a quantity asks for, once for each unit that it may be written in."""
    parts = [plain(part) for part in cut(text, "|")]
    if len(parts) not in (1, 3):
        raise InvalidRequest(
            f"{parameter.name} is number, number|system|code or number||unit",
            expression=parameter.name,
        )
    prefix, low, high = number(parameter, parts[0])
    _, system, code = (*parts, "", "")[:3]
    if not code:
        yield exact(prefix, low, high)
        return
    if system == units.UCUM:
        for unit, first, last in units.equal_amounts(low, high, units.plain(code)):
            name = f"{system}|{unit}"
            yield Amount(prefix, name, as_integer(first), _below(prefix, first, last))
        return
    names = [f"{system}|{code}"]
    if not system:
        names.append(f"{units.UCUM}|{units.plain(code)}")
    for name in names:
        yield Amount(prefix, name, as_integer(low), _below(prefix, low, high))


def number(parameter: Parameter, text: str) -> tuple[str, Decimal, Decimal]:
    """The prefix and the bounds of a number; those of eq and ne follow from its digits.

    100 is 99.5 to 100.5, 100.00 is 99.995 to 100.005, 1e2 is 95 to 105.
    http://hl7.org/fhir/R4/search.html#number
    """
    match = _PREFIXED.fullmatch(plain(text))
    written = match[2].strip() if match else ""
    try:
        value = Decimal(written) if _NUMBER.fullmatch(written) else None
    except InvalidOperation:
        value = None
    if match is None or value is None:
        raise InvalidRequest(
            f"{parameter.name} is a number such as 5.4, with a prefix such as gt if wished",
            expression=parameter.name,
        )
    prefix = match[1] or "eq"
    if prefix == "ap":  # a tenth of the value, as R4 suggests
        slack = abs(value) / 10
        return prefix, value - slack, value + slack
    if prefix in ("eq", "ne"):
        exponent = int(value.as_tuple().exponent)
        slack = Decimal(5).scaleb(exponent - (2 if exponent > 0 else 1))
        return prefix, value - slack, value + slack
    return prefix, value, value


def _below(prefix: str, low: Decimal, high: Decimal) -> int:
    """The last integer within: the upper bound of eq and ne is not part of the span. A value
    with more digits than a float has is still within its own."""
    if prefix not in ("eq", "ne"):
        return as_integer(high)
    return max(as_integer(high) - 1, as_integer((low + high) / 2))


def _among(clauses: Clauses, parameter: Parameter, asked: list[Amount]) -> str:
    return among(clauses, [place.path for place in parameter.places], asked)


def among(clauses: Clauses, fields: list[str], asked: list[Amount]) -> str:
    """Rows with a span, under one of the fields, that one of the comparisons fits."""
    ways = []
    for prefix in dict.fromkeys(amount.prefix for amount in asked):
        for named in (False, True):
            fitting = [
                amount
                for amount in asked
                if amount.prefix == prefix and (amount.unit is not None) is named
            ]
            if fitting:
                ways.append(_fits(clauses, fields, prefix, named, fitting))
    spans = f"{clauses.row}.spans"
    return (
        f"exists (select from generate_series(1, cardinality({spans}), 3) i"
        f" where {' or '.join(ways)})"
    )


def _fits(
    clauses: Clauses, fields: list[str], prefix: str, named: bool, asked: list[Amount]
) -> str:
    spans = f"{clauses.row}.spans"
    rows = [
        (span_key(field, amount.unit or "") if named else half(field), amount.low, amount.high)
        for field in fields
        for amount in asked
    ]
    key = f"{spans}[i]" if named else f"({spans}[i] >> 32)"
    compared = _COMPARED[prefix]
    if len(rows) == 1:
        wanted, low, high = (clauses.value(each) for each in rows[0])
        names = {"s": f"{spans}[i+1]", "e": f"{spans}[i+2]", "lo": low, "hi": high}
        return f"({key} = {wanted} and {compared.format(**names)})"
    keys, lows, highs = (clauses.value(list(column)) for column in zip(*rows, strict=True))
    names = {"s": f"{spans}[i+1]", "e": f"{spans}[i+2]", "lo": "u.lo", "hi": "u.hi"}
    return (
        f"({key} = any({keys}::bigint[]) and exists (select from"
        f" unnest({keys}::bigint[], {lows}::bigint[], {highs}::bigint[]) u(k, lo, hi)"
        f" where u.k = {key} and {compared.format(**names)}))"
    )
