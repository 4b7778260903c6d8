"""Which source fields a mapping reads: worked out from its rules, without running them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from healthhub.mapping.definition import Block, DataType, Definition, Rule, applies
from healthhub.mapping.expressions import (
    Both,
    Call,
    Choice,
    Compare,
    Condition,
    Expression,
    Matches,
    Not,
    Path,
    Pipe,
    Valued,
    Word,
)


@dataclass(slots=True)
class Sources:
    """Collects the paths of blocks, through names and data types."""

    definition: Definition
    _names: dict[str, frozenset[Path]] = field(default_factory=dict[str, frozenset[Path]])
    _types: dict[str, frozenset[Path]] = field(default_factory=dict[str, frozenset[Path]])

    def of_block(self, block: Block) -> frozenset[Path]:
        """All absolute paths that a block reads."""
        found: set[Path] = set()
        if isinstance(block.each, tuple):
            found.update(block.each)
        elif block.each.isupper():
            found.add(Path(block.each, block.each))
        for part in (*block.key, block.at, block.authority):
            if part is not None:
                found.update(self._of(part.value))
        if block.when is not None:
            found.update(self._of_condition(block.when))
        found.update(self._of_rules(block.rules))
        return frozenset(found)

    def for_kind(self, kind: str) -> frozenset[Path]:
        """All absolute paths that are read of a kind of message."""
        found: set[Path] = set()
        for block in self.definition.resources.values():
            if applies(block.on, kind) and not (
                block.excluded and applies(block.excluded, kind)
            ):
                found |= self.of_block(block)
        for merge in self.definition.merges:
            if applies(merge.on, kind):
                for part in (*merge.kept, *merge.replaced):
                    found.update(self._of(part.value))
        for remark in self.definition.remarks:
            if applies(remark.on, kind):
                found.add(remark.at)
        return frozenset(found)

    def of_type(self, data: DataType) -> frozenset[Path]:
        """All paths that a data type reads; relative ones too."""
        known = self._types.get(data.name)
        if known is None:
            self._types[data.name] = frozenset()
            found = set(self._of_rules(data.rules))
            if data.value is not None:
                found.update(self._of(data.value.value))
            if data.when is not None:
                found.update(self._of_condition(data.when))
            known = self._types[data.name] = frozenset(found)
        return known

    def _of_rules(self, rules: Iterable[Rule]) -> Iterator[Path]:
        for rule in rules:
            if rule.value is not None:
                yield from self._of(rule.value)

    def _of(self, value: Expression) -> Iterator[Path]:
        match value:
            case Path():
                yield value
            case Word(name):
                yield from self._of_name(name)
            case Call(name, arguments):
                yield from self._of_call(name)
                for argument in arguments:
                    yield from self._of(argument)
            case Pipe(first, calls):
                yield from self._of(first)
                for call in calls:
                    yield from self._of(call)
            case Choice(options):
                for option, condition in options:
                    yield from self._of(option)
                    if condition is not None:
                        yield from self._of_condition(condition)
            case _:
                return

    def _of_name(self, name: str) -> frozenset[Path]:
        known = self._names.get(name)
        if known is None:
            self._names[name] = frozenset()
            named = self.definition.names.get(name)
            known = frozenset(self._of(named.value)) if named else frozenset[Path]()
            self._names[name] = known
        return known

    def _of_call(self, name: str) -> Iterator[Path]:
        data = self.definition.types.get(name)
        if data is not None:
            yield from (path for path in self.of_type(data) if path.segment)

    def _of_condition(self, condition: Condition) -> Iterator[Path]:
        match condition:
            case Valued(value) | Matches(value):
                yield from self._of(value)
            case Compare(value, others):
                yield from self._of(value)
                for other in others:
                    yield from self._of(other)
            case Not(inner):
                yield from self._of_condition(inner)
            case Both(conditions):
                for inner in conditions:
                    yield from self._of_condition(inner)
