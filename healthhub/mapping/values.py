"""Compiles values and conditions: paths, constants, names, calls, choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from healthhub.errors import MappingError
from healthhub.mapping.conditions import Conditions
from healthhub.mapping.expressions import (
    Call,
    Choice,
    Condition,
    Constant,
    Expression,
    Path,
    Pipe,
    Word,
)
from healthhub.mapping.functions import FUNCTIONS
from healthhub.mapping.writing import SEPARATORS, Body

if TYPE_CHECKING:
    from healthhub.mapping.generator import Generator

Sink = Callable[[str], None]
WORDS = {
    "message": "run.kind",
    "event": "run.event",
    "received": "run.received",
    "source": "run.source",
    "namespace": "run.namespace",
    "original": "run.original",
    "endpoint": "run.endpoint",
}


class Values:
    """Writes into one function what yields values. ``one`` gives a Python expression that may
    be None; ``each`` writes a loop around what ``sink`` writes for every value."""

    def __init__(self, generator: Generator, body: Body) -> None:
        self.generator = generator
        self.body = body

    def one(self, value: Expression) -> str:
        """The first value, as a Python expression."""
        match value:
            case Path():
                return self._text(value)
            case Constant(constant):
                return repr(constant)
            case Word(name):
                return self._word(name)
            case Call():
                return self._call(value, None, "")
            case Pipe():
                return self._pipe(value)
            case Choice():
                return self._choice(value)

    def variable(self, value: Expression) -> str:
        """As ``one``, held in a variable."""
        found = self.one(value)
        if found.isidentifier() and found not in ("None", "True", "False"):
            return found
        name = self.body.new()
        self.body.line(f"{name} = {found}")
        return name

    def each(self, value: Expression, sink: Sink) -> None:
        """All values, in order."""
        match value:
            case Path(segment=segment, field=field) if segment and field:
                self._loop(self.iterable(value, "ts"), sink)
            case Pipe(first, calls):
                first_call = self._spec(calls[0].name)
                if isinstance(first, Path) and first.segment and first_call != "all":
                    separator = self._separator(first)
                    self._loop(
                        self._source(first, first_call),
                        lambda x: self._chain(x, calls, separator, self._if(sink)),
                    )
                else:
                    self._given(self.variable(value), sink)
            case Choice(options):
                self._each_choice(options, sink)
            case Call("refs", arguments):
                self._loop(self.generator.references(self, arguments), sink)
            case _:
                self._given(self.variable(value), sink)

    def _given(self, variable: str, sink: Sink) -> None:
        with self.body.deeper(f"if {variable} is not None:"):
            sink(variable)

    def _if(self, sink: Sink) -> Sink:
        return lambda x: self._given(x, sink)

    def _loop(self, iterable: str, sink: Sink) -> None:
        variable = self.body.new()
        with self.body.deeper(f"for {variable} in {iterable}:"):
            if self.generator.traced:
                if self.body.mark:
                    self.body.line(f"{self.body.mark} = run.mark()")
                self.body.line(f"run.read({variable})")
            sink(variable)

    def _each_choice(
        self, options: tuple[tuple[Expression, Condition | None], ...], sink: Sink
    ) -> None:
        body = self.body
        found = body.new("g") if len(options) > 1 else ""
        if found:
            body.line(f"{found} = False")
        for index, (option, condition) in enumerate(options):
            tests = [f"not {found}"] if index else []
            with body.deeper(f"if {tests[0]}:" if tests else "if True:"):
                test = self.condition(condition) if condition else "True"
                with body.deeper(f"if {test}:"):
                    self._forget()

                    def noted(x: str, index: int = index) -> None:
                        sink(x)
                        if found and index < len(options) - 1:
                            body.line(f"{found} = True")

                    self.each(option, noted)

    def _forget(self) -> None:
        """What a condition read is not where the value comes from."""
        if self.generator.traced and self.body.mark:
            self.body.line(f"run.reset({self.body.mark})")

    def _choice(self, value: Choice) -> str:
        result = self.body.new()
        self.body.line(f"{result} = None")
        for index, (option, condition) in enumerate(value.options):
            with self.body.deeper(f"if {result} is None:" if index else "if True:"):
                test = self.condition(condition) if condition else "True"
                with self.body.deeper(f"if {test}:"):
                    self._forget()
                    self.body.line(f"{result} = {self.one(option)}")
        return result

    def _pipe(self, value: Pipe) -> str:
        body, first, calls = self.body, value.first, value.calls
        gathers = next((i for i, c in enumerate(calls) if i and self._spec(c.name) == "all"), 0)
        if gathers:
            return self._gathered(Pipe(first, calls[:gathers]), calls[gathers:])
        result = body.new()
        takes = self._spec(calls[0].name)
        body.line(f"{result} = None")

        def keep(x: str) -> None:
            body.line(f"{result} = {x}")

        if isinstance(first, Path) and first.segment and takes != "all":
            item = body.new()

            def finish(x: str) -> None:
                with body.deeper(f"if {x} is not None:"):
                    keep(x)
                    body.line("break")

            with body.deeper(f"for {item} in {self._source(first, takes)}:"):
                if self.generator.traced:
                    body.line(f"run.read({item})")
                self._chain(item, calls, self._separator(first), finish)
            return result
        whole = takes in ("value", "all")
        if isinstance(first, Path):
            start = self.relative_value(first) if not first.segment and whole else ""
            if takes == "all":
                start = self._all(first)
            separator = self._separator(first) if whole else "\\0"
            item = body.new()
            body.line(f"{item} = {start or self._text(first)}")
        else:
            item, separator = self.variable(first), "\\0"
            if takes == "all":
                body.line(f"{item} = None if {item} is None else [{item}]")
        with body.deeper(f"if {item} is not None:"):
            if self.generator.traced and whole:
                body.line(f"run.read({item})")
            self._chain(item, calls, separator, keep)
        return result

    def _gathered(self, before: Pipe, calls: tuple[Call, ...]) -> str:
        """All that a pipe gives, handed at once to a function that takes all values."""
        body = self.body
        found, result = body.new(), body.new()
        body.line(f"{found} = []")
        mark, body.mark = body.mark, ""  # each value is read for the one that comes of all
        self.each(before, lambda x: body.line(f"{found}.append({x})"))
        body.mark = mark
        body.line(f"{result} = None")
        with body.deeper(f"if {found}:"):
            self._chain(found, calls, "\\0", lambda x: body.line(f"{result} = {x}"))
        return result

    def _chain(self, item: str, calls: tuple[Call, ...], separator: str, sink: Sink) -> None:
        if not calls:
            sink(item)
            return
        following = self.body.new()
        self.body.line(f"{following} = {self._call(calls[0], item, separator)}")
        if len(calls) == 1:
            sink(following)
            return
        with self.body.deeper(f"if {following} is not None:"):
            parted = "^" if calls[0].name == "named" else "\\0"
            self._chain(following, calls[1:], parted, sink)

    def _spec(self, name: str) -> str:
        """What a function takes: text, value, all, nothing, or node (a type, of a segment)."""
        if name in self.generator.definition.types or name in ("ref", "link"):
            return "value"
        function = FUNCTIONS.get(name)
        if function is None:
            raise MappingError(self.generator.unknown_function(name))
        return "text" if function.takes == "nothing" else function.takes

    def _source(self, path: Path, takes: str) -> str:
        """What a loop over a path goes through."""
        if not path.field:
            if takes == "text":
                raise MappingError(
                    f"{path.text} is a segment; name one of its fields, {path.text}-1"
                )
            segments = self.body.segment(path.segment)
            return f"[run.inner(node, s) for s in {segments}]"
        return self.iterable(path, "ts" if takes == "text" else "vs")

    def iterable(self, path: Path, shape: str) -> str:
        """A read of a path that gives all its texts (ts), values (vs) or the first (v1)."""
        segments = self.body.segment(path.segment)
        if path.filters or path.repetition:
            filters = self.generator.constant(path.filters)
            return (
                f"{shape}f({segments}, {path.field}, {path.repetition}, {filters}, "
                f"{path.component}, {path.subcomponent})"
            )
        return f"{shape}({segments}, {path.field}, {path.component}, {path.subcomponent})"

    def _all(self, path: Path) -> str:
        """All values of a path at once, or None."""
        if not path.segment:
            return f"as_list({self.relative_value(path)})"
        if not path.field:
            raise MappingError(
                f"{path.text} is a segment; name one of its fields, {path.text}-1"
            )
        return f"({self.iterable(path, 'vs')} or None)"

    def _separator(self, path: Path) -> str:
        if not path.segment:
            level = (
                self.body.shape.level
                + (1 if path.component else 0)
                + (1 if path.subcomponent else 0)
            )
        elif not path.field:
            return "node"
        else:
            level = 1 + (1 if path.component else 0) + (1 if path.subcomponent else 0)
        return SEPARATORS[min(level, 3)]

    def _text(self, path: Path) -> str:
        if not path.segment:
            return self._relative_text(path)
        segments = self.body.segment(path.segment)
        if not path.field:
            return f"({segments} or None)"
        if path.filters or path.repetition:
            filters = self.generator.constant(path.filters)
            return (
                f"tf({segments}, {path.field}, {path.repetition}, {filters}, "
                f"{path.component}, {path.subcomponent})"
            )
        if path.component > 1 or path.subcomponent > 1:
            return f"tc({segments}, {path.field}, {path.component}, {path.subcomponent})"
        return f"t({segments}, {path.field})"

    def _level(self, path: Path) -> int:
        if self.body.shape.level == 0:
            raise MappingError(
                f"{path.text} counts from a value, and there is none here; "
                "name the segment and field, such as PID-3.1"
            )
        return self.body.shape.level

    def _relative_text(self, path: Path) -> str:
        level = self._level(path)
        if not path.component:
            return f"wt(v, '{SEPARATORS[level]}')"
        if path.subcomponent:
            return f"rts({self.body.parts()}, {path.component}, {path.subcomponent})"
        return f"rt({self.body.parts()}, {path.component})"

    def relative_value(self, path: Path) -> str:
        """A relative path as a value with its parts."""
        self._level(path)
        if not path.component:
            return "v"
        if path.subcomponent:
            return f"rvs({self.body.parts()}, {path.component}, {path.subcomponent})"
        return f"rv({self.body.parts()}, {path.component})"

    def _word(self, name: str) -> str:
        if name in self.body.shape.parameters:
            return f"p_{self.generator.identifier(name)}"
        if name in self.generator.definition.names:
            return f"{self.generator.name(name)}(run, node)"
        if name in WORDS:
            return WORDS[name]
        raise MappingError(self.generator.unknown_word(name))

    def _call(self, call: Call, item: str | None, separator: str) -> str:
        return self.generator.call(self, call, item, separator)

    def condition(self, condition: Condition) -> str:
        """A condition as a Python expression."""
        return Conditions(self).condition(condition)
