"""The paths that a value begins with: where it comes from, for findings and erasures."""

from __future__ import annotations

from healthhub.mapping.expressions import Choice, Constant, Expression, Path, Pipe


def paths_of(value: Expression | None) -> list[Path]:
    """The paths that a value begins with."""
    match value:
        case Path():
            return [value]
        case Pipe(first, _):
            return paths_of(first)
        case Choice(options):
            return [path for option, _ in options for path in paths_of(option)]
        case _:
            return []


def first_path(value: Expression | None) -> str:
    """The first path that a value begins with; empty if it begins with none."""
    if isinstance(value, Constant):
        return ""
    found = paths_of(value)
    return found[0].text if found else ""
