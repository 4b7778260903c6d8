"""Which values hang on the whole message alone, whatever node they are asked of: those of a tree
that read it from its root. They are worked out once for a message, not for each of its entries.
"""

from __future__ import annotations

from healthhub.mapping.definition import Block, Definition
from healthhub.mapping.expressions import (
    Both,
    Call,
    Choice,
    Compare,
    Condition,
    Constant,
    Expression,
    Matches,
    Not,
    Path,
    Pipe,
    Valued,
    Word,
)
from healthhub.mapping.tree import TOP

OF_A_NODE = frozenset(("nth", "refs"))


class Rooted:
    """Judges the values of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._names: dict[str, bool] = {}
        self._trees = TOP not in definition.groups

    def block(self, block: Block) -> bool:
        """Whether a block has the same key from everywhere."""
        return block.each == "message" and all(self.value(part.value) for part in block.key)

    def value(self, value: Expression) -> bool:
        """Whether a value is the same from everywhere."""
        match value:
            case Constant():
                return True
            case Path(segment=segment):
                return self._trees and segment == TOP
            case Word(name):
                return self._name(name)
            case Call(name, arguments):
                return self._call(name, arguments)
            case Pipe(first, calls):
                return self.value(first) and all(
                    call.name not in ("ref", "link") and self._call(call.name, call.arguments)
                    for call in calls
                )
            case Choice(options):
                return all(
                    self.value(option) and (condition is None or self._condition(condition))
                    for option, condition in options
                )

    def _name(self, name: str) -> bool:
        named = self._definition.names.get(name)
        if named is None:
            return True  # a word for the message, or the name of a code table
        if name not in self._names:
            self._names[name] = False  # until it is known: it may stand for itself
            self._names[name] = self.value(named.value)
        return self._names[name]

    def _call(self, name: str, arguments: tuple[Expression, ...]) -> bool:
        if name in OF_A_NODE or name in self._definition.types:
            return False
        if name in ("ref", "link") and len(arguments) == 1:
            made = arguments[0]
            block = made.name if isinstance(made, Word) else ""
            found = self._definition.resources.get(block)
            return found is not None and self.block(found)
        return all(self.value(argument) for argument in arguments)

    def _condition(self, condition: Condition) -> bool:
        match condition:
            case Both(conditions):
                return all(map(self._condition, conditions))
            case Not(inner):
                return self._condition(inner)
            case Compare(value, others):
                return self.value(value) and all(map(self.value, others))
            case Valued(value) | Matches(value):
                return self.value(value)
