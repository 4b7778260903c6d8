"""A mapping's code tables filled with what people have mapped beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from healthhub.mapping.definition import Code, CodeTable, Definition
from healthhub.mapping.functions.codes import Lookup
from healthhub.model.code_maps import Overlay


def fill(
    definition: Definition, lineage: Sequence[str], overlay: Overlay
) -> dict[str, CodeTable]:
    """The tables that change. An entry fills what a table lacks and never overrides it; one for
    the mapping itself wins over one for a mapping that it extends (``lineage``, nearest first)."""
    far = {name: place for place, name in enumerate(lineage)}
    mine = [entry for entry in overlay.entries if entry.mapping in far]
    filled: dict[str, CodeTable] = {}
    for entry in sorted(mine, key=lambda e: (-far[e.mapping], e.number)):
        table = definition.codes.get(entry.table)
        if table is None or Lookup(table).find(entry.code) is not None:
            continue
        target = entry.target
        code = Code(target.code, target.display, target.system, entry.number)
        held = filled.get(entry.table, table)
        filled[entry.table] = replace(held, entries=held.entries | {entry.code: code})
    return filled


def stamped(version: str, *tables: CodeTable) -> str:
    """A mapping's version with that of the latest entry that people have made: ``1.0+7``."""
    numbers = [code.version for table in tables for code in table.entries.values()]
    newest = max(numbers, default=0)
    return f"{version}+{newest}" if newest else version
