"""Compiles resource blocks and merges: condition, id, patient, elements, stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthhub.errors import MappingError
from healthhub.mapping.definition import Block, MergeRule, Named, Remark
from healthhub.mapping.elements import tree
from healthhub.mapping.expressions import Path
from healthhub.mapping.functions import Need
from healthhub.mapping.objects import Objects
from healthhub.mapping.paths import first_path, paths_of
from healthhub.mapping.place import located
from healthhub.mapping.values import Values
from healthhub.mapping.writing import Body, Shape

if TYPE_CHECKING:
    from healthhub.mapping.generator import Generator

EVENT_TIME = Need("EVN-2", "")


class Blocks:
    """Writes the functions of blocks for one generator."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def ident(self, block: Block, level: int) -> str:
        """The function that derives a block's id from a node, or from a value of a level."""
        function = f"i_{self.generator.identifier(block.name)}_{level}"
        if function in self.generator.functions:
            return function
        self.generator.functions[function] = ""
        head = f"{function}(run, node{'' if level == 0 else ', v'})"
        body = Body(
            head, Shape(level, need=self.generator.constant(Need("", str(block.where))))
        )
        memo = level == 0 and not self.generator.traced
        if memo:
            names = self.generator.read_of([part.value for part in block.key])
            body.remember(function, rooted=self.generator.rooted.block(block), names=names)
            body.line(f"node.memo[{function!r}] = None")
        values = Values(self.generator, body)
        keys: list[str] = []
        for part in block.key:
            try:
                body.need = self.generator.named_need(part)
                variable = body.new("k")
                body.line(f"{variable} = {values.one(part.value)}")
            except MappingError as error:
                raise located(error, part.where, part.text) from None
            body.line(f"if {variable} is None: return None")
            keys.append(f"plain({variable})")
        body.line(f"r = run.ident({block.type!r}, {', '.join(keys)})")
        if memo:
            body.line(f"node.memo[{function!r}] = r")
        body.line("return r")
        self.generator.functions[function] = body.source()
        return function

    def test(self, block: Block) -> str:
        """The function that tells whether a block applies to a node."""
        function = f"w_{self.generator.identifier(block.name)}"
        if function not in self.generator.functions:
            body = Body(
                f"{function}(run, node)",
                Shape(need=self.generator.constant(Need("", str(block.where)))),
            )
            if block.when is not None:
                try:
                    body.line(f"return {Values(self.generator, body).condition(block.when)}")
                except MappingError as error:
                    raise located(error, block.where, f"when of {block.name}") from None
            else:
                body.line("return True")
            self.generator.functions[function] = body.source()
        return function

    def block(self, block: Block, level: int) -> str:
        """The function that makes a block's resource from a node (and a value)."""
        function = f"b_{self.generator.identifier(block.name)}_{level}"
        need = self.generator.constant(Need(_key_path(block), str(block.where)))
        value = "" if level == 0 else ", v"
        body = Body(f"{function}(run, node{value})", Shape(level, need=need))
        values = Values(self.generator, body)
        self._opening(block, level, need, value, values)
        body.settle()
        self.generator.order(block.rules)
        objects = Objects(self.generator, values)
        if not self.generator.traced:
            body.line("K = run.kept.shelves")
        body.line(f"b = {{'resourceType': {block.type!r}, 'id': i[1]}}")
        nulls = self._nulls(block)
        erased = (
            f"run.nulls(node, {self.generator.constant(nulls)}) if run.nulled else []"
            if nulls
            else "[]"
        )
        body.line(f"er = {erased}")
        self.generator.each = block.each[0].text if isinstance(block.each, tuple) else ""
        objects.make(tree(block.rules), "b")
        self.generator.each = ""
        body.mark = ""  # of what the stamp reads no element is made
        at, authority = self._stamp(block, values)
        timing = (
            self.generator.named_need(block.at)
            if block.at
            else self.generator.constant(EVENT_TIME)
        )
        body.line(f"stamp = run.stamp({authority}, {at}, node, {timing})")
        body.line(f"run.add({block.type!r}, i, patient, stamp, b, er)")
        if self.generator.traced:
            body.line("run.close(i[2])")
        self.generator.functions[function] = body.source()
        return function

    def _opening(self, block: Block, level: int, need: str, value: str, values: Values) -> None:
        """Condition, id and patient; nothing is made without them."""
        body = values.body
        if block.when is not None:
            try:
                body.line(f"if not {values.condition(block.when)}: return")
            except MappingError as error:
                raise located(error, block.where, f"when of {block.name}") from None
            body.settle()
        body.line(f"i = {self.ident(block, level)}(run, node{value})")
        with body.deeper("if i is None:"):
            if not block.optional:
                detail = (
                    f"{block.name} ({block.type}) has no business number, so it was not made"
                )
                body.line(f"run.remark('no-key', node, {need}, {detail!r})")
            body.line("return")
        patient = self.generator.definition.resources.get("patient")
        if block.shared:
            body.line("patient = SHARED")
        elif patient is None or block.name == "patient":
            body.line("patient = i[0]")
        else:
            body.line(f"owner = {self.ident(patient, 0)}(run, {self.home(patient)})")
            with body.deeper("if owner is None:"):
                detail = f"{block.name} ({block.type}) belongs to a patient without a number"
                body.line(f"run.remark('no-patient', node, {need}, {detail!r})")
                body.line("return")
            body.line("patient = owner[0]")

    def home(self, block: Block) -> str:
        """The node from which another node's reference to a block reads the key."""
        each = block.each
        if isinstance(each, str) and each in self.generator.definition.groups:
            return f"around(node, {each!r})"
        return "node"

    def _stamp(self, block: Block, values: Values) -> tuple[str, str]:
        body = values.body
        body.line(f"at = {self._part(block.at, values, 'run.default_at(node)')}")
        return "at", self._part(block.authority, values, "1")

    def _part(self, named: Named | None, values: Values, default: str) -> str:
        """A named part of a block as a Python expression."""
        if named is None:
            return default
        try:
            return values.one(named.value)
        except MappingError as error:
            raise located(error, named.where, named.text) from None

    def _nulls(self, block: Block) -> tuple[tuple[Path, str], ...]:
        """Which elements are erased when which path holds the HL7 null."""
        found: dict[tuple[Path, str], None] = {}
        for rule in block.rules:
            first, *rest = rule.target.steps
            name = first.name
            if first.label is None and rest and rest[0].label is None:
                name = f"{name}.{rest[0].name}"
            for path in paths_of(rule.value):
                if path.segment and path.field and not path.filters:
                    found[(path, name)] = None
        return tuple(found)

    def merge(self, merge: MergeRule, number: int) -> str:
        """The function that gives kept and replaced patient of a node."""
        function = f"m_{number}"
        need = self.generator.constant(Need("MRG-1", str(merge.where)))
        body = Body(f"{function}(run, node)", Shape(need=need))
        values = Values(self.generator, body)
        if merge.when is not None:
            body.line(f"if not {values.condition(merge.when)}: return None")
        sides: list[str] = []
        for keys in (merge.kept, merge.replaced):
            parts: list[str] = []
            for part in keys:
                try:
                    variable = body.new("k")
                    body.line(f"{variable} = {values.one(part.value)}")
                except MappingError as error:
                    raise located(error, part.where, part.text) from None
                body.line(f"if {variable} is None: return None")
                parts.append(f"plain({variable})")
            sides.append(f"run.ident('Patient', {', '.join(parts)})[0]")
        stamp = f"run.stamp(1, run.default_at(node), node, {need})"
        body.line(f"return ({sides[0]}, {sides[1]}, {stamp})")
        self.generator.functions[function] = body.source()
        return function

    def remark(self, remark: Remark, number: int) -> str:
        """The function that tells whether a remark applies to a node."""
        function = f"w_{number}"
        need = self.generator.constant(Need(remark.at.text, str(remark.where)))
        body = Body(f"{function}(run, node)", Shape(need=need))
        values = Values(self.generator, body)
        body.line(f"return {values.condition(remark.when) if remark.when else True}")
        self.generator.functions[function] = body.source()
        return function


def _key_path(block: Block) -> str:
    if isinstance(block.each, tuple):
        return block.each[0].text
    for part in reversed(block.key):
        found = first_path(part.value)
        if found:
            return found
    return block.each if block.each.isupper() else ""
