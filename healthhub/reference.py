"""The reference of all settings, made from their declarations (docs/operations.md shows it)."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from healthhub.settings import PACKAGE_ROOT, Settings


def table() -> str:
    """A Markdown table: name, variable, default, meaning."""
    lines = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(Settings, "", "HEALTHHUB_")]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str, variable: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        section, key = _section(field.annotation)
        if section is None:
            shown = f"`{variable}{name.upper()}`" if "*" not in variable else "in the file"
            yield f"`{prefix}{name}`", shown, _default(field), _meaning(field)
        elif key:
            yield from _rows(section, f"{prefix}{name}.{key}.", f"{variable}*")
        else:
            yield from _rows(section, f"{prefix}{name}.", f"{variable}{name.upper()}__")


def _section(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The table that a field holds, and how its key is written when there are many of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    if get_origin(annotation) is dict:
        inner, _ = _section(get_args(annotation)[1])
        return inner, "NAME"
    if get_origin(annotation) in (Union, types.UnionType):
        found = [_section(each)[0] for each in get_args(annotation)]
        return next((each for each in found if each is not None), None), ""
    return None, ""


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    value = field.default
    if isinstance(value, Path) and value.is_relative_to(PACKAGE_ROOT):
        return f"`{value.relative_to(PACKAGE_ROOT)}` of the installation"
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
