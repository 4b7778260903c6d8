"""What kind of value a rule gives, and whether the FHIR element that it fills takes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal

from healthhub.mapping.definition import Definition
from healthhub.mapping.expressions import Call, Choice, Constant, Expression, Path, Pipe, Word
from healthhub.mapping.functions import FUNCTIONS

TEXT = "text"
COMPLEX = {
    "coding": "Coding",
    "coding_of": "Coding",
    "concept": "CodeableConcept",
    "concept_of": "CodeableConcept",
    "quantity": "Quantity",
    "range": "Range",
    "ratio": "Ratio",
    "reference_range": "ObservationReferenceRange",
    "days": "Duration",
    "ref": "Reference",
    "refs": "Reference",
}
"""Functions that make a data type of FHIR."""
PRIMITIVE = {
    "date": "date",
    "any_date": "date",
    "date_time": "dateTime",
    "near": "dateTime",
    "later": "dateTime",
    "instant": "instant",
    "time": "time",
    "integer": "number",
    "positive": "number",
    "unsigned": "number",
    "minutes": "number",
    "age_at": "number",
    "decimal": "decimal",
    "over": "decimal",
    "boolean": "boolean",
}
"""Functions that make a primitive other than text."""
UNKNOWN = {"erase"}
WANTS: dict[type, tuple[str, frozenset[str]]] = {
    bool: ("true or false; add | boolean", frozenset({"boolean"})),
    int: ("a whole number; add | integer", frozenset({"number"})),
    Decimal: ("a number; add | decimal", frozenset({"number", "decimal"})),
    date: ("a date; add | date", frozenset({"date"})),
    datetime: (
        "a time; add | date_time or | instant",
        frozenset({"date", "dateTime", "instant"}),
    ),
    time: ("a time of day; add | time", frozenset({"time"})),
}
"""What a primitive element is, and the kinds that fit it."""
FAMILY = {"Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity"}


def misfit(definition: Definition, value: Expression, element: str | type) -> str:
    """Why a value does not fit an element of this data type or primitive; empty if it does, or
    if that can be known only from the message."""
    for kind in _kinds(definition, value, frozenset()):
        if isinstance(element, str):
            if kind == element or (kind == "Quantity" and element in FAMILY):
                continue
            if kind == TEXT or kind in PRIMITIVE.values() or kind[0].isupper():
                made = "a text" if kind == TEXT else f"a {kind}"
                return f"takes a {element}, not {made}; send it through a type that makes one"
        elif kind[0].isupper():
            return f"takes a plain value, not a {kind}; use code(table), or name a part of it"
        elif element in WANTS and kind not in WANTS[element][1]:
            return f"is {WANTS[element][0]}"
    return ""


def _kinds(definition: Definition, value: Expression, names: frozenset[str]) -> Iterator[str]:
    """The kinds that a value may give: text, a primitive, or a data type in capitals."""
    match value:
        case Path():
            if value.segment:
                yield TEXT
        case Constant(plain):
            yield from _of_constant(plain)
        case Word(name):
            named = definition.names.get(name)
            if named is not None and name not in names:
                yield from _kinds(definition, named.value, names | {name})
        case Call(name):
            yield from _of_call(definition, name, names)
        case Pipe(_, calls):
            yield from _of_call(definition, calls[-1].name, names)
        case Choice(options):
            for option, _ in options:
                yield from _kinds(definition, option, names)


def _of_constant(plain: str | int | bool) -> Iterator[str]:
    """A text that begins with a year may be a date: nothing is said of it."""
    if isinstance(plain, bool):
        yield "boolean"
    elif isinstance(plain, int):
        yield "number"
    elif not plain[:4].isdigit():
        yield TEXT


def _of_call(definition: Definition, name: str, names: frozenset[str]) -> Iterator[str]:
    data = definition.types.get(name)
    if data is not None and data.value is not None:
        yield from _kinds(definition, data.value.value, names)
    elif data is not None:
        if data.makes:
            yield "".join(part[0].upper() + part[1:] for part in data.makes.split("."))
    elif name in COMPLEX or name in PRIMITIVE:
        yield COMPLEX.get(name) or PRIMITIVE[name]
    elif name in FUNCTIONS and name not in UNKNOWN:
        yield TEXT
