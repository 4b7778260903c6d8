"""How much of a hand-written mapping a draft proposes: which column goes into which element."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from healthhub.drafting.tables import Drafted, blocks, names
from healthhub.mapping.definition import Definition
from healthhub.mapping.tables import plain

_READ = re.compile(r'\b([A-Z][A-Z0-9]{2})-(?:"([^"]+)"|([\w]+))')
_WORD = re.compile(r"\b(patient_number|visit)\b")

Column = Callable[[str, str], str]
Read = tuple[str, str, str]
"""Type of the resource, its element without names in brackets, a column."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What both say, what only the hand-written one says, what only the draft says."""

    both: frozenset[Read]
    missing: frozenset[Read]
    other: frozenset[Read]

    @property
    def found(self) -> float:
        """Share of the hand-written ones that the draft has."""
        return len(self.both) / max(1, len(self.both) + len(self.missing))

    @property
    def right(self) -> float:
        """Share of the draft's that the hand-written one has too."""
        return len(self.both) / max(1, len(self.both) + len(self.other))


def compare(tables: Collection[Drafted], hand: Definition, *, sure: bool = False) -> Compared:
    """Compare rules by what they read and where they put it; of the hand-written ones those of
    columns that the samples have. ``sure``: only what stands in the draft unasked."""
    known = [table for table in tables if table.kind]
    headings = {plain(heading) for table in known for heading in table.found.headings}
    spelt = {
        (name, plain(column)): {plain(column), *(plain(other) for other in others)}
        for name, table in hand.tables.items()
        for column, others in table.columns.items()
    }

    def column(table: str, name: str) -> str:
        """The heading of the samples that a rule's column stands under."""
        said = spelt.get((table, plain(name)), {plain(name)})
        return next(iter(sorted(said & headings)), "")

    by_hand = set(
        _reads(
            (
                (block.type, rule.text)
                for block in hand.resources.values()
                for rule in block.rules
                if rule.value is not None
            ),
            {name: named.text for name, named in hand.names.items()},
            column,
        )
    )
    drafted = set(
        _reads(
            (
                (block.type, rule.text)
                for block in blocks(known)
                for rule in block.rules
                if rule.stands or not sure
            ),
            names(known),
            lambda _, name: "" if name.startswith("_") else plain(name),
        )
    )
    return Compared(
        frozenset(by_hand & drafted), frozenset(by_hand - drafted), frozenset(drafted - by_hand)
    )


def _reads(
    rules: Iterable[tuple[str, str]], named: Mapping[str, str], column: Column
) -> Iterator[Read]:
    for type_, text in rules:
        target, arrow, said = text.partition(" <- ")
        if not arrow:
            continue
        element = re.sub(r"\[\w+\]", "", target).replace("[]", "").strip()
        said = _WORD.sub(lambda match: named.get(match[0], ""), said)
        for table, quoted, bare in _READ.findall(said):
            heading = column(table, quoted or bare)
            if heading and not heading.startswith("_"):
                yield type_, element, heading
