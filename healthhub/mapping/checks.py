"""Checks a mapping's targets against FHIR R4: elements exist, and lists are filled as lists."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from healthhub.errors import MappingError
from healthhub.mapping.definition import Definition, Rule
from healthhub.mapping.expressions import Step
from healthhub.mapping.kinds import misfit
from healthhub.mapping.place import wrong


def targets(definition: Definition) -> list[MappingError]:
    """All targets of blocks and data types that FHIR R4 does not have, with their places."""
    found: list[MappingError] = []
    for block in definition.resources.values():
        found += _problems(definition, block.rules, block.type)
    for data in definition.types.values():
        kind = data.makes.replace(".", " ").split()
        if not data.rules or not kind:
            continue
        model = kind[0]
        for part in kind[1:]:
            model = _inner(model, part) or ""
        if not model or _fields(model) is None:
            found.append(wrong(data.where, f"{data.makes} is no data type of FHIR R4"))
        else:
            found += _problems(definition, data.rules, model)
    return found


def _problems(
    definition: Definition, rules: tuple[Rule, ...], model: str
) -> list[MappingError]:
    problems = ((rule, _problem(definition, rule, model)) for rule in rules)
    return [wrong(rule.where, text, rule.text) for rule, text in problems if text]


def _problem(definition: Definition, rule: Rule, model: str) -> str:
    """What is wrong with a rule's target, or with what it is given; empty if nothing is."""
    at: str | type = model
    for step in rule.target.steps:
        fields = _fields(at) if isinstance(at, str) else None
        if fields is None:
            before = at if isinstance(at, str) else "a plain value"
            return f"{before} has no parts such as {step.name}"
        if step.name not in fields:
            return f"{at} has no element {step.name}{_similar(step.name, fields)}"
        at, many = fields[step.name]
        problem = _list_or_not(step, many)
        if problem:
            return problem
    reason = misfit(definition, rule.value, at) if rule.value is not None else ""
    return f"{rule.target.steps[-1].name} {reason}" if reason else ""


def _similar(name: str, fields: Iterable[str]) -> str:
    """The element that was probably meant, or the choices of one such as deceased[x]."""
    plain = [field for field in fields if "_" not in field]
    choices = [field for field in plain if re.fullmatch(name + "[A-Z][A-Za-z]+", field)]
    close = choices or get_close_matches(name, plain, 1)
    return f"; did you mean {' or '.join(sorted(close))}?" if close else ""


def _list_or_not(step: Step, many: bool) -> str:
    if many and step.label is None:
        return f"{step.name} is a list; write {step.name}[] or {step.name}[word]"
    if not many and step.label is not None:
        return f"{step.name} is no list; write it without brackets"
    return ""


def _inner(model: str, name: str) -> str | None:
    fields = _fields(model)
    found = fields[name][0] if fields and name in fields else None
    return found if isinstance(found, str) else None


@cache
def _fields(model: str) -> dict[str, tuple[str | type, bool]] | None:
    """Element name to its model (a Python type for a primitive) and whether it is a list."""
    try:
        found: Any = get_fhir_model_class(model)
    except (KeyError, LookupError, ImportError, ValueError):
        return None
    fields: dict[str, tuple[str | type, bool]] = {}
    for name, info in found.model_fields.items():
        kind, many = _kind(info.annotation)
        fields[str(info.alias or name)] = (kind, many)
    return fields


def _kind(annotation: Any) -> tuple[str | type, bool]:
    many = False
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (list, typing.List):  # noqa: UP006 - fhir.resources spells it so
            many = True
            annotation = arguments[0]
        elif arguments and origin is not None:
            inner = [a for a in arguments if a is not type(None)]
            annotation = inner[0]
        else:
            break
    name = getattr(annotation, "__name__", "")
    model = name.removesuffix("Type")
    if name.endswith("Type") and model:
        return model, many
    return (annotation if isinstance(annotation, type) else str), many
