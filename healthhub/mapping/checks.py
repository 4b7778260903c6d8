"""Checks a mapping's targets against FHIR R4: elements exist, and lists are filled as lists."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from healthhub.errors import MappingError
from healthhub.mapping.definition import Definition, Rule
from healthhub.mapping.expressions import Step
from healthhub.mapping.place import wrong


def targets(definition: Definition) -> list[MappingError]:
    """All targets of blocks and data types that FHIR R4 does not have, with their places."""
    found: list[MappingError] = []
    for block in definition.resources.values():
        if _fields(block.type) is None:
            found.append(wrong(block.where, f"{block.type} is no resource type of FHIR R4"))
            continue
        found += _problems(block.rules, block.type)
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
            found += _problems(data.rules, model)
    return found


def _problems(rules: tuple[Rule, ...], model: str) -> list[MappingError]:
    problems = ((rule, _problem(rule, model)) for rule in rules)
    return [wrong(rule.where, text, rule.text) for rule, text in problems if text]


def _problem(rule: Rule, model: str) -> str:
    """What is wrong with a rule's target; empty if nothing is."""
    at: str | None = model
    for step in rule.target.steps:
        fields = _fields(at) if at else None
        if fields is None:
            return f"{at or 'a plain value'} has no parts such as {step.name}"
        if step.name not in fields:
            return f"{at} has no element {step.name}"
        at, many = fields[step.name]
        problem = _list_or_not(step, many)
        if problem:
            return problem
    return ""


def _list_or_not(step: Step, many: bool) -> str:
    if many and step.label is None:
        return f"{step.name} is a list; write {step.name}[] or {step.name}[word]"
    if not many and step.label is not None:
        return f"{step.name} is no list; write it without brackets"
    return ""


def _inner(model: str, name: str) -> str | None:
    fields = _fields(model)
    return fields[name][0] if fields and name in fields else None


@cache
def _fields(model: str) -> dict[str, tuple[str | None, bool]] | None:
    """Element name to its model (None for a primitive) and whether it is a list."""
    try:
        found: Any = get_fhir_model_class(model)
    except (KeyError, LookupError, ImportError, ValueError):
        return None
    fields: dict[str, tuple[str | None, bool]] = {}
    for name, info in found.model_fields.items():
        kind, many = _kind(info.annotation)
        fields[str(info.alias or name)] = (kind, many)
    return fields


def _kind(annotation: Any) -> tuple[str | None, bool]:
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
    return (model if name.endswith("Type") and model else None), many
