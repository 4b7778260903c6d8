"""The tables of a mapping: read from its file, and the numbers of the columns its rules name."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from healthhub.errors import MappingError
from healthhub.mapping.advice import nearest
from healthhub.mapping.definition import Definition, Table
from healthhub.mapping.expressions import Path
from healthhub.mapping.place import Where, wrong
from healthhub.mapping.yaml_file import Item

STATE = "_state"
"""The column that every row has: ``gone`` where the source no longer holds the row."""


def table(base: Table | None, name: str, item: Item) -> Table:
    """A table as a file states it, laid over the base's."""
    base = base or Table(name, item.where)
    columns = dict(base.columns)
    stated = item.get("columns")
    for column, headings in stated.items() if stated else []:
        known = columns.get(column, ())
        columns[column] = (*known, *(h.text for h in headings.list() if h.text not in known))
    deleted = item.get("deleted")
    rows, deleted_by = item.get("header_rows"), base.deleted_by
    if deleted is not None:
        column = deleted.get("column")
        deleted_by = column.text if column else ""
    found = replace(
        base,
        where=item.where,
        title=_text(item, "title", base.title),
        sources=_words(item, "from", base.sources),
        columns=columns,
        key=_words(item, "key", base.key),
        row=_words(item, "row", base.row),
        patient=_text(item, "patient", base.patient),
        at=_text(item, "at", base.at),
        changed=_text(item, "changed", base.changed),
        numbers=_words(item, "numbers", base.numbers),
        header_rows=int(rows.text) if rows else base.header_rows,
        deleted=_words(deleted, "values", base.deleted) if deleted else base.deleted,
        deleted_by=deleted_by,
        of=_text(item, "of", base.of),
        on=_words(item, "on", base.on),
    )
    _check(found)
    return found


def _text(item: Item, key: str, base: str) -> str:
    found = item.get(key)
    return found.text if found else base


def _words(item: Item, key: str, base: tuple[str, ...]) -> tuple[str, ...]:
    found = item.get(key)
    return tuple(part.text for part in found.list()) if found else base


def _check(found: Table) -> None:
    """A table whose parts name columns that it does not have cannot be read."""
    if not found.key:
        raise wrong(
            found.where, f"the table {found.name} needs a key: the columns that name a row"
        )
    if found.of and not found.on:
        raise wrong(
            found.where, f"the table {found.name} is of {found.of}; say on which columns"
        )
    named = (*found.key, *found.row, *found.numbers, *found.on)
    for column in (*named, found.patient, found.at, found.changed, found.deleted_by):
        if column and column not in found.columns:
            raise wrong(found.where, _unknown(found, column))


def _unknown(found: Table, column: str) -> str:
    return (
        f"there is no column {column!r} in table {found.name}{nearest(column, found.columns)}"
    )


def number(found: Table, column: str) -> int:
    """The field that a column is: from 1 in the order of the table; the state comes last."""
    if column == STATE:
        return len(found.columns) + 1
    try:
        return list(found.columns).index(column) + 1
    except ValueError:
        raise MappingError(_unknown(found, column)) from None


def numbered(definition: Definition) -> Definition:
    """The definition with a field number in each path that names a column."""
    for child in definition.tables.values():
        if child.of and child.of not in definition.tables:
            raise wrong(
                child.where,
                f"there is no table {child.of}{nearest(child.of, definition.tables)}",
            )
    return replace(
        definition,
        **{
            part: _resolved(getattr(definition, part), definition, definition.where)
            for part in ("names", "types", "resources", "merges")
        },
    )


def _resolved(value: Any, definition: Definition, where: Where) -> Any:
    """A part of the definition with its paths resolved; ``where`` is the place last passed."""
    if isinstance(value, Path):
        return _path(value, definition, where) if value.column else value
    if isinstance(value, tuple):
        return tuple(
            _resolved(part, definition, where) for part in cast(tuple[Any, ...], value)
        )
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        return {key: _resolved(part, definition, where) for key, part in entries.items()}
    if not is_dataclass(value) or isinstance(value, (type, Where)):
        return value
    here = getattr(value, "where", where)
    changed: dict[str, Any] = {}
    for field in fields(value):
        before = getattr(value, field.name)
        after = _resolved(before, definition, here)
        if after is not before and after != before:
            changed[field.name] = after
    return replace(cast(Any, value), **changed) if changed else value


def _path(path: Path, definition: Definition, where: Where) -> Path:
    found = definition.tables.get(path.segment)
    if found is None:
        known = nearest(path.segment, definition.tables)
        raise wrong(
            where, f"there is no table {path.segment}{known}; declare it under `tables`"
        )
    try:
        return replace(path, field=number(found, path.column))
    except MappingError as error:
        raise wrong(where, error.message, path.text) from None
