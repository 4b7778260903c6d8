"""The shape of R4 (4.0.1) itself: elements that exist, lists, required codes, JSON types.

The models of fhir.resources are those of R4B (4.3.0), which has types and elements that R4 has
not, and they leave codes open. This walk over the official definitions closes both gaps.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, cast

from healthhub.errors import Unprocessable

DEEPEST = 40
"""Levels of nesting; the deepest of the official examples has 18."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What no FHIR string holds (http://hl7.org/fhir/R4/datatypes.html#string), and half characters."""
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")
_WHOLE = frozenset({"integer", "positiveInt", "unsignedInt"})


class _Kind(IntEnum):
    TEXT = 0
    CODE = 1
    OBJECT = 2
    BOOLEAN = 3
    NUMBER = 4
    WHOLE = 5
    RESOURCE = 6


_FORMS = {
    _Kind.TEXT: "this is text without control characters, and never empty",
    _Kind.BOOLEAN: "this is true or false, without quotes",
    _Kind.NUMBER: "this is a number, without quotes",
    _Kind.WHOLE: "this is a whole number, without quotes",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """An element: what it holds, whether many, its codes, and the type of an object."""

    kind: _Kind
    many: bool
    codes: frozenset[str] | None
    type: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is, written out only when something is wrong there."""

    above: _Place | None
    name: str

    def __str__(self) -> str:
        if self.above is None:
            return self.name
        return f"{self.above}{'' if self.name[0] == '[' else '.'}{self.name}"


_DATA: dict[str, Any] = {}
_RULES: dict[str, dict[str, _Rule]] = {}


def check(body: dict[str, Any]) -> None:
    """Raise Unprocessable, with the place, where the body has not the shape of R4."""
    kind = body.get("resourceType")
    if not isinstance(kind, str) or kind not in resources():
        raise Unprocessable(
            f"{_named(kind)} is no resource type of FHIR R4 (4.0.1); send one that is",
            expression="resourceType",
        )
    _object(body, kind, _Place(None, kind), 0)


def element(type_: str, name: str) -> tuple[str, bool] | None:
    """The type of an element of a type, and whether it is a list; None when there is none."""
    rule = _rules(type_).get(name)
    return None if rule is None else (rule.type, rule.many)


def choices(type_: str, name: str) -> list[str]:
    """The names that a choice element (``value[x]``) takes in JSON; empty if it is none."""
    found = [each for each in _rules(type_) if each.startswith(name)]
    return [each for each in found if each[len(name) : len(name) + 1].isupper()]


@cache
def resources() -> frozenset[str]:
    """The names of R4's resource types."""
    return frozenset(_data()["resources"])


def elements(name: str) -> dict[str, tuple[str, bool]]:
    """The elements of a type, or of an element that has its own (Patient.contact): what each
    holds, and whether many. Choices stand under each of their names (valueString)."""
    return {element: (rule.type, rule.many) for element, rule in _rules(name).items()}


def value_set(type_: str, element: str) -> str:
    """The value set whose codes an element must have; empty where others may be used."""
    row: list[Any] = _data()["types"].get(type_, {}).get(element, ())
    return row[2] if len(row) > 2 else ""


def _data() -> dict[str, Any]:
    if not _DATA:
        text = Path(__file__).with_name("definitions.json").read_text(encoding="utf-8")
        _DATA.update(json.loads(text))
    return _DATA


def _rules(name: str) -> dict[str, _Rule]:
    """The elements of a type, built at its first use."""
    if name not in _RULES:
        elements: dict[str, list[Any]] = _data()["types"].get(name, {})
        _RULES[name] = {element: _rule(*row) for element, row in elements.items()}
    return _RULES[name]


def _rule(type_: str, many: int, value_set: str = "") -> _Rule:
    codes = frozenset(_data()["codes"][value_set]) if value_set else None
    if type_ == "Resource":
        kind = _Kind.RESOURCE
    elif type_ in _data()["types"]:
        kind = _Kind.OBJECT
    elif type_ == "boolean":
        kind = _Kind.BOOLEAN
    elif type_ == "decimal":
        kind = _Kind.NUMBER
    elif type_ in _WHOLE:
        kind = _Kind.WHOLE
    else:
        kind = _Kind.TEXT if codes is None else _Kind.CODE
    return _Rule(kind, bool(many), codes, type_)


def _object(node: Any, type_: str, place: _Place, depth: int) -> None:
    if type(node) is not dict:
        raise _wrong(place, "this is an object in FHIR R4; write it as one")
    if not node or depth > DEEPEST:
        raise _wrong(place, "an object is never empty, and nested at most 40 deep")
    rules = _RULES.get(type_) or _rules(type_)
    for name, value in cast(dict[str, Any], node).items():
        rule = rules.get(name)
        if rule is None:
            _other(name, value, rules, place, depth)
        elif rule.many:
            if type(value) is not list or not value:
                raise _wrong(_Place(place, name), "this is a list in FHIR R4, and never empty")
            for index, item in enumerate(cast(list[Any], value)):
                if item is not None or rule.kind in (_Kind.OBJECT, _Kind.RESOURCE):
                    _value(item, rule, place, name, depth, index)
        else:
            _value(value, rule, place, name, depth)


def _value(
    value: Any, rule: _Rule, above: _Place, name: str, depth: int, index: int | None = None
) -> None:
    kind = rule.kind
    if kind is _Kind.TEXT and type(value) is str and value and not _CONTROL.search(value):
        return
    if kind is not _Kind.OBJECT and kind is not _Kind.RESOURCE and _is_form(value, rule):
        return
    place = _Place(above, name)
    if index is not None:
        place = _Place(place, f"[{index}]")
    if kind is _Kind.OBJECT:
        _object(value, rule.type, place, depth + 1)
        if rule.codes is not None:
            _bound(value, rule.codes, rule.type, place)
    elif kind is _Kind.RESOURCE:
        _resource(value, place, depth)
    elif rule.codes is not None:
        raise _wrong(place, f"this is one of {_listed(rule.codes)}")
    else:
        raise _wrong(place, _FORMS[kind])


def _is_form(value: Any, rule: _Rule) -> bool:
    """Whether a primitive has the JSON form, and the code, that its element wants."""
    match rule.kind:
        case _Kind.CODE:
            return type(value) is str and value in (rule.codes or ())
        case _Kind.BOOLEAN:
            return type(value) is bool
        case _Kind.NUMBER:
            return type(value) in (int, float) or isinstance(value, Decimal)
        case _:
            return rule.kind is _Kind.WHOLE and type(value) is int


def _resource(value: Any, place: _Place, depth: int) -> None:
    """A resource inside another (contained, Bundle.entry.resource, ...)."""
    inner = cast(dict[str, Any], value).get("resourceType") if type(value) is dict else None
    if not isinstance(inner, str) or inner not in resources():
        raise _wrong(place, "this is a resource of FHIR R4 with its resourceType")
    _object(value, inner, place, depth + 1)


def _other(name: str, value: Any, rules: dict[str, _Rule], place: _Place, depth: int) -> None:
    """resourceType, or the extensions of a primitive element under its name with "_"."""
    rule = rules.get(name[1:]) if name[:1] == "_" else None
    if rule is not None and rule.kind not in (_Kind.OBJECT, _Kind.RESOURCE):
        items = cast(list[Any], value) if rule.many and type(value) is list else [value]
        for item in items:
            if item is not None or not rule.many:
                _object(item, "Element", _Place(place, name), depth + 1)
    elif name != "resourceType" or "implicitRules" not in rules:
        advice = "FHIR R4 has no such element here; remove it or correct its name"
        raise _wrong(_Place(place, _named(name)), advice)


def _bound(value: Any, codes: frozenset[str], type_: str, place: _Place) -> None:
    """A required binding of a Coding, or of a CodeableConcept: one coding must fit.

    http://hl7.org/fhir/R4/terminologies.html#required
    """
    codings = [value] if type_ == "Coding" else cast(dict[str, Any], value).get("coding", ())
    if not any(coding.get("code") in codes for coding in codings):
        raise _wrong(place, f"this needs a coding with one of {_listed(codes)}")


def _listed(codes: frozenset[str]) -> str:
    shown = ", ".join(sorted(codes)[:12])
    return shown if len(codes) <= 12 else f"{shown}, ... ({len(codes)} codes)"


def _named(name: Any) -> str:
    """A name that is wrong, as it may be repeated: it could be a value that went astray."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "?"


def _wrong(place: _Place, advice: str) -> Unprocessable:
    return Unprocessable(f"{place}: {advice}", expression=str(place))
