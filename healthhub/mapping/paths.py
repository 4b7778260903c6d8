"""The paths that a value begins with: where it comes from, for findings and erasures."""

from __future__ import annotations

from collections.abc import Mapping

from healthhub.mapping.definition import Named
from healthhub.mapping.expressions import Choice, Constant, Expression, Path, Pipe, Word

NONE: Mapping[str, Named] = {}
DEEP = 8
"""Names that stand for names, at most."""


def paths_of(
    value: Expression | None, names: Mapping[str, Named] = NONE, depth: int = DEEP
) -> list[Path]:
    """The paths that a value begins with; through ``names``, if they are given."""
    match value:
        case Path():
            return [value]
        case Pipe(first, _):
            return paths_of(first, names, depth)
        case Choice(options):
            return [path for option, _ in options for path in paths_of(option, names, depth)]
        case Word(name) if depth and name in names:
            return paths_of(names[name].value, names, depth - 1)
        case _:
            return []


def first_path(value: Expression | None, names: Mapping[str, Named] = NONE) -> str:
    """The first path that a value begins with; empty if it begins with none."""
    if isinstance(value, Constant):
        return ""
    found = paths_of(value, names)
    return found[0].text if found else ""
