"""Compiles calls: functions, data types, code tables, references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthhub.errors import MappingError
from healthhub.mapping import advice
from healthhub.mapping.definition import Block
from healthhub.mapping.expressions import Call, Constant, Expression, Path, Word
from healthhub.mapping.functions import FUNCTIONS, Function, codes
from healthhub.mapping.functions.codes import Lookup
from healthhub.model.r4.shape import resources

if TYPE_CHECKING:
    from healthhub.mapping.generator import Generator
    from healthhub.mapping.values import Values

LEVELS = {"^": 1, "&": 2, "\\0": 3}


class Calls:
    """Writes calls for one generator."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def call(self, values: Values, call: Call, item: str | None, separator: str) -> str:
        """A call as a Python expression; ``item`` is what is piped in, None if nothing is."""
        name = call.name
        if name in self.generator.definition.types:
            return self._type(values, call, item, separator)
        if name in ("code", "coding", "concept"):
            return self._table(values, call, item, separator)
        if name in ("ref", "link"):
            return self._reference(values, call, item, separator)
        if name == "refs":
            raise MappingError("refs gives several references; its target must end in []")
        if name == "nth":
            helper = self.generator.helper(("nth", call.arguments), call.arguments)
            return f"run.nth(node, {helper!r}, {helper})"
        if name == "erase":
            raise MappingError("erase() stands alone: element <- erase() if condition")
        function = FUNCTIONS.get(name)
        if function is None:
            raise MappingError(self.generator.unknown_function(name))
        return self._function(values, function, call, item, separator)

    def _function(
        self, values: Values, function: Function, call: Call, item: str | None, separator: str
    ) -> str:
        given = len(call.arguments) + (1 if item and function.takes == "nothing" else 0)
        if not function.least <= given <= function.most:
            raise MappingError(f"{function.name} is used as {function.usage}")
        if item is None and function.takes != "nothing":
            raise MappingError(f"{function.name} is used as {function.usage}")
        if separator == "node":
            raise MappingError(f"{function.name} works on a field, not on a whole segment")
        arguments: list[str] = ["run", "node", values.body.need] if function.asks else []
        if item is not None:
            arguments.append(item)
        if function.takes == "value":
            arguments.append(f"'{separator}'")
        for argument in call.arguments:
            arguments.append(self._argument(values, argument, raw=function.raw))
        name = f"f_{function.name}"
        self.generator.scope[name] = function.make
        return f"{name}({', '.join(arguments)})"

    def _argument(self, values: Values, argument: Expression, *, raw: bool) -> str:
        if raw and isinstance(argument, Path) and argument.field and argument.segment:
            found = values.body.new("r")
            if not argument.filters and not argument.repetition:
                values.body.line(f"{found} = {values.iterable(argument, 'v1')}")  # pyright: ignore[reportPrivateUsage]
                if self.generator.traced:
                    values.body.line(f"run.read({found})")
                return found
            values.body.line(f"{found} = {values.iterable(argument, 'vs')}")  # pyright: ignore[reportPrivateUsage]
            if self.generator.traced:
                values.body.line(f"if {found}: run.read({found}[0])")
            return f"({found}[0] if {found} else None)"
        return values.one(argument)

    def _type(self, values: Values, call: Call, item: str | None, separator: str) -> str:
        generator = self.generator
        data = generator.definition.types[call.name]
        if len(call.arguments) > len(data.parameters):
            stated = ", ".join(data.parameters) or "none"
            raise MappingError(f"the type {call.name} has these parameters: {stated}")
        need = values.body.need
        parameters = "".join(f", {values.one(a)}" for a in call.arguments)
        if item is None or separator == "node":
            function = generator.type(call.name, 0)
            return f"{function}(run, {item or 'node'}, {need}{parameters})"
        function = generator.type(call.name, LEVELS[separator])
        return f"{function}(run, node, {need}, {item}{parameters})"

    def _table(self, values: Values, call: Call, item: str | None, separator: str) -> str:
        usage = FUNCTIONS[call.name].usage
        if item is None or len(call.arguments) > 1:
            raise MappingError(f"{call.name} is used as {usage}")
        if separator == "node":
            raise MappingError(f"{call.name} works on a field, not on a whole segment")
        name = f"f_{call.name}"
        self.generator.scope[name] = getattr(codes, call.name)
        arguments = f"run, node, {values.body.need}, {item}, '{separator}'"
        if not call.arguments:
            if call.name == "code":
                raise MappingError(f"code is used as {usage}")
            return f"{name}({arguments})"
        return f"{name}({arguments}, {self._lookup(call.arguments[0])})"

    def _lookup(self, argument: Expression) -> str:
        name = argument.name if isinstance(argument, Word) else None
        if isinstance(argument, Constant) and isinstance(argument.value, str):
            name = argument.value
        table = self.generator.definition.codes.get(name) if name else None
        if table is None:
            known = self.generator.definition.codes
            raise MappingError(
                f"there is no code table {name!r}{advice.nearest(name or '', known)}"
            )
        variable = f"T_{self.generator.identifier(table.name)}"
        if variable not in self.generator.scope:
            self.generator.scope[variable] = Lookup(table)
        return variable

    def _block(self, argument: Expression) -> Block | None:
        name = argument.name if isinstance(argument, Word) else None
        if isinstance(argument, Path) and not argument.field:
            name = argument.segment
        return self.generator.definition.resources.get(name) if name else None

    def _reference(self, values: Values, call: Call, item: str | None, separator: str) -> str:
        """``ref`` and ``link``: of a block, of a block by a value, or by type and key."""
        if not call.arguments:
            raise MappingError(f"{call.name} is used as {FUNCTIONS[call.name].usage}")
        block = self._block(call.arguments[0])
        body = values.body
        ident = body.new("i")
        if block is not None and len(call.arguments) == 1:
            if item is None:
                function = self.generator.ident(block, 0)
                body.line(f"{ident} = {function}(run, {self.generator.home(block)})")
            elif separator == "node":
                body.line(f"{ident} = {self.generator.ident(block, 0)}(run, {item})")
            else:
                function = self.generator.ident(block, LEVELS[separator])
                body.line(f"{ident} = {function}(run, node, {item})")
        else:
            kind = call.arguments[0]
            if not isinstance(kind, Word) or not kind.name[0].isupper():
                name = kind.name if isinstance(kind, Word) else ""
                known = self.generator.definition.resources
                raise MappingError(
                    f"{call.name} needs one of these blocks, or Type and key"
                    f"{advice.nearest(name, known)}"
                )
            if kind.name not in resources():
                raise MappingError(
                    f"{kind.name} is no resource type of FHIR R4{advice.close(kind.name, resources())}"
                )
            keys = [values.variable(a) for a in call.arguments[1:]]
            if item is not None:
                keys.insert(0, item)
            if not keys:
                raise MappingError(
                    f"there is no block {kind.name!r}; or give {kind.name} a key"
                )
            test = " and ".join(f"{key} is not None" for key in keys)
            texts = ", ".join(f"plain({key})" for key in keys)
            body.line(f"{ident} = run.ident({kind.name!r}, {texts}) if {test} else None")
        shape = f"{ident}[2]" if call.name == "link" else f"{{'reference': {ident}[2]}}"
        return f"(None if {ident} is None else {shape})"

    def references(self, values: Values, arguments: tuple[Expression, ...]) -> str:
        """``refs``: an expression that gives the list of references."""
        block = self._block(arguments[0]) if len(arguments) == 1 else None
        if block is None or not isinstance(block.each, str):
            known = ", ".join(
                sorted(
                    b.name
                    for b in self.generator.definition.resources.values()
                    if isinstance(b.each, str)
                )
            )
            raise MappingError(f"refs needs one of these blocks: {known}")
        ident, test = self.generator.ident(block, 0), self.generator.test(block)
        home = "run.root" if block.each == "message" else "node"
        kinds = self.generator.constant((block.on, block.excluded))
        return f"run.refs({home}, {block.each!r}, {kinds}, {test}, {ident})"
