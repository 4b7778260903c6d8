"""Compiles a definition to Python: one function for each block, key, name and data type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from healthhub.errors import MappingError
from healthhub.mapping import advice, reads, trace
from healthhub.mapping.blocks import Blocks
from healthhub.mapping.calls import Calls
from healthhub.mapping.definition import Block, Definition, MergeRule, Named, Remark, Rule
from healthhub.mapping.elements import Reading, tree
from healthhub.mapping.expressions import Expression
from healthhub.mapping.functions import FUNCTIONS, Need
from healthhub.mapping.kept import Steady, cells
from healthhub.mapping.objects import Objects
from healthhub.mapping.paths import first_path
from healthhub.mapping.place import located
from healthhub.mapping.rooted import Rooted
from healthhub.mapping.tree import above, around, find
from healthhub.mapping.values import WORDS, Values
from healthhub.mapping.writing import Body, Shape
from healthhub.terms.forms import looks_like

PLAIN = ("t", "tc", "tf", "ts", "tsf", "vs", "vsf", "v1", "cut", "rt", "rts", "rv", "rvs", "wt")


def plain(value: Any) -> str:
    """A value as conditions compare it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def as_list(value: Any) -> list[Any] | None:
    """One value as all values."""
    return None if value is None else [value]


def has(segments: Any, number: int) -> bool:
    """Whether a field holds anything."""
    for segment in segments:
        field = segment.field(number)
        if field and field != '""':
            return True
    return False


class Generator:
    """Collects functions while compiling; ``source`` and ``scope`` are what to execute."""

    def __init__(self, definition: Definition, *, traced: bool = False) -> None:
        self.definition = definition
        self.traced = traced
        self.reading = Reading(definition)
        self.rooted = Rooted(definition)
        self.steady = Steady(definition)
        self.shelves = 0
        self.functions: dict[str, str] = {}
        self.scope: dict[str, Any] = {
            "above": above,
            "cells": cells,
            "find": find,
            "around": around,
            "plain": plain,
            "as_list": as_list,
            "has": has,
            "looks_like": looks_like,
        }
        source: Any = trace if traced else reads
        self.scope |= {name: getattr(source, name) for name in PLAIN}
        self._constants: dict[Any, str] = {}
        self._identifiers: dict[str, str] = {}
        self._orders: dict[int, int] = {}
        self._pending: list[str] = []
        self.each = ""
        self._calls = Calls(self)
        self._blocks = Blocks(self)

    # -- naming ---------------------------------------------------------------------------

    def identifier(self, name: str) -> str:
        """A Python identifier for a name of the mapping."""
        found = self._identifiers.get(name)
        if found is None:
            found = re.sub(r"\W", "_", name)
            while found in self._identifiers.values():
                found += "_"
            self._identifiers[name] = found
        return found

    def constant(self, value: Any) -> str:
        """The global variable that holds a constant."""
        found = self._constants.get(value)
        if found is None:
            found = self._constants[value] = f"C{len(self._constants)}"
            self.scope[found] = value
        return found

    def shelf(self) -> int:
        """The number of a shelf for one more element that is kept."""
        self.shelves += 1
        return self.shelves - 1

    def rule_need(self, rule: Rule) -> str:
        """The constant that tells where a rule stands and what it reads."""
        return self.constant(
            Need(self.each + first_path(rule.value, self.definition.names), str(rule.where))
        )

    def need(self, rule: Rule, shape: Shape) -> str:
        """What functions called by a rule say in findings: in a data type, the outer rule."""
        return shape.need if shape.need == "w" else self.rule_need(rule)

    def order_of(self, rule: Rule) -> int:
        """The rule's place in its block."""
        return self._orders[id(rule)]

    # -- functions ------------------------------------------------------------------------

    def name(self, name: str) -> str:
        """The function of a named value."""
        function = f"n_{self.identifier(name)}"
        if function not in self.functions:
            self._guard(name)
            named = self.definition.names[name]
            self.functions[function] = self._valued(function, named)
            self._pending.pop()
        return function

    def _guard(self, name: str) -> None:
        if name in self._pending:
            chain = " -> ".join([*self._pending, name])
            raise MappingError(f"{name!r} stands for itself ({chain}); break the circle")
        self._pending.append(name)

    def _valued(self, function: str, named: Named) -> str:
        """A function of a node that gives a value, worked out once for each node."""
        body = Body(f"{function}(run, node)", Shape(need=self.named_need(named)))
        if not self.traced:
            names = self.read_of([named.value])
            body.remember(function, rooted=self.rooted.value(named.value), names=names)
        try:
            found = Values(self, body).one(named.value)
        except MappingError as error:
            raise located(error, named.where, named.text) from None
        body.line(f"r = {found}")
        if not self.traced:
            body.line(f"node.memo[{function!r}] = r")
        body.line("return r")
        return body.source()

    def read_of(self, values: Sequence[Expression]) -> str:
        """The constant that holds the segments that values are read of; empty if they hang on
        more than these."""
        found = self.steady.segments(values)
        return self.constant(found) if found else ""

    def named_need(self, named: Named) -> str:
        """The constant that tells where a named value stands and what it reads."""
        path = first_path(named.value, self.definition.names)
        return self.constant(Need(path, str(named.where)))

    def helper(self, key: tuple[Any, ...], values: Sequence[Expression]) -> str:
        """A function that gives a tuple of texts, for nth and checks."""
        function = f"h_{self.constant(key)}"
        if function not in self.functions:
            self.functions[function] = ""
            body = Body(f"{function}(run, node)", Shape(need=self.constant(Need("", ""))))
            compiler = Values(self, body)
            found = ", ".join(f"plain({compiler.one(value)})" for value in values)
            body.line(f"return ({found},)")
            self.functions[function] = body.source()
        return function

    def type(self, name: str, level: int) -> str:
        """The function of a data type for values of a level."""
        function = f"t_{self.identifier(name)}_{level}"
        if function in self.functions:
            return function
        self.functions[function] = ""
        data = self.definition.types[name]
        parameters = "".join(f", p_{self.identifier(p)}=None" for p in data.parameters)
        value = "" if level == 0 else ", v"
        shape = Shape(level, data.parameters, need="w")
        body = Body(f"{function}(run, node, w{value}{parameters})", shape)
        values = Values(self, body)
        try:
            if data.when is not None:
                body.line(f"if not {values.condition(data.when)}: return None")
            if data.value is not None:
                body.line(f"return {values.one(data.value.value)}")
        except MappingError as error:
            raise located(error, data.where, f"type {name}") from None
        if data.value is None:
            self.order(data.rules)
            element = tree(data.rules)
            reads_message = self.reading.within(element, data.parameters)
            objects = Objects(self, values)
            body.line("o = {}")
            if reads_message:
                body.line("d = False")
                objects.flags.append("d")
            objects.fill(element, "o")
            body.line("return o if d and o else None" if reads_message else "return o or None")
        self.functions[function] = body.source()
        return function

    def order(self, rules: tuple[Rule, ...]) -> None:
        """Note the places of a block's or type's rules."""
        self._orders |= {id(rule): order for order, rule in enumerate(rules)}

    # -- blocks ---------------------------------------------------------------------------

    def ident(self, block: Block, level: int) -> str:
        """The function that derives a block's id from a node, or from a value of a level."""
        return self._blocks.ident(block, level)

    def test(self, block: Block) -> str:
        """The function that tells whether a block applies to a node."""
        return self._blocks.test(block)

    def block(self, block: Block, level: int) -> str:
        """The function that makes a block's resource from a node (and a value)."""
        return self._blocks.block(block, level)

    def merge(self, merge: MergeRule, number: int) -> str:
        """The function that gives kept and replaced patient of a node."""
        return self._blocks.merge(merge, number)

    def remark(self, remark: Remark, number: int) -> str:
        """The function that tells whether a remark applies to a node."""
        return self._blocks.remark(remark, number)

    def home(self, block: Block) -> str:
        """The node from which another node's reference to a block reads the key."""
        return self._blocks.home(block)

    # -- calls ----------------------------------------------------------------------------

    def call(self, values: Values, call: Any, item: str | None, separator: str) -> str:
        """A function call as a Python expression."""
        return self._calls.call(values, call, item, separator)

    def references(self, values: Values, arguments: tuple[Expression, ...]) -> str:
        """The references to all that a block makes below a node."""
        return self._calls.references(values, arguments)

    # -- errors ---------------------------------------------------------------------------

    def unknown_function(self, name: str) -> str:
        """The advice for a function that does not exist."""
        known = [*FUNCTIONS, *self.definition.types]
        return f"there is no function or type {name!r}{advice.close(name, known)}"

    def unknown_word(self, name: str) -> str:
        """The advice for a word that stands for nothing."""
        known = [*WORDS, *self.definition.names]
        meant = advice.of_word(name) or advice.close(name, known)
        return (
            f"there is no name {name!r}{meant}; define it under `names`, or put "
            "a text into quotes"
        )
