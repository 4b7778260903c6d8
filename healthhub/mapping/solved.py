"""solved.csv of a mapping's folder: codes that people have mapped on a hub, as exported from there."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from healthhub.errors import MappingError
from healthhub.mapping.definition import Code, CodeTable, Definition

SOLVED = "solved.csv"
NEEDED = ("table", "source", "code")


def fill(definition: Definition, folder: Path) -> Definition:
    """The definition with the entries of its solved.csv, if there is one. They fill what its
    tables lack and never override them."""
    path = folder / SOLVED
    if not path.is_file():
        return definition
    tables: dict[str, CodeTable] = dict(definition.codes)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if any(name not in (rows.fieldnames or ()) for name in NEEDED):
            raise MappingError(
                f"{definition.name}/{SOLVED} must have the columns table, source, code"
            )
        for number, row in enumerate(rows, 2):
            table = tables.get(row["table"])
            if table is None:
                raise MappingError(
                    f"{definition.name}/{SOLVED}:{number}: the mapping has no code table "
                    f"{row['table']!r}; correct the line or take it out",
                    expression=f"{SOLVED}:{number}",
                )
            code = Code(row["code"], row.get("display") or "", row.get("system") or "")
            entries = {row["source"]: code} | table.entries
            tables[table.name] = replace(table, entries=entries)
    return replace(definition, codes=tables)
