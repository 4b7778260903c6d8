"""A compiled mapping: what converts records, and explains how it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from healthhub.adapter_api.record import Place, Record
from healthhub.mapping import trace
from healthhub.mapping.definition import Block, Definition, applies
from healthhub.mapping.generator import Generator
from healthhub.mapping.program import Made, Merging, Program, Remarking, go
from healthhub.mapping.reads import t
from healthhub.mapping.run import Context, Run
from healthhub.mapping.trace import TracedRun
from healthhub.mapping.tree import Grouping, find
from healthhub.model.ids import SHARED


class Compiled:
    """One mapping, ready to run."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.name = definition.name
        self.version = definition.version
        self.adapter = definition.adapter
        self._code = _Code(definition, traced=False)
        self._traced: _Code | None = None

    def run(self, context: Context, record: Record, message: int, received: datetime) -> Run:
        """Convert a record."""
        program = self._code.program(record.kind)
        run = _MessageRun(
            context, record, program.grouping.build(record.segments), message, received
        )
        go(run, program)
        return run

    def trace(
        self, context: Context, record: Record, message: int, received: datetime
    ) -> TracedRun:
        """Convert a record, keeping for each element its rule and the places read."""
        if self._traced is None:
            self._traced = _Code(self.definition, traced=True)
        program = self._traced.program(record.kind)
        log: list[Place] = []
        twin = trace.traced(record, log)
        run = _TracedMessageRun(
            context, twin, program.grouping.build(twin.segments), message, received
        )
        run.begin(log)
        go(run, program)
        return run

    def nodes(self, record: Record) -> Any:
        """The tree of a record, as groups make it."""
        return self._code.program(record.kind).grouping.build(record.segments)

    @property
    def source(self) -> str:
        """The Python that the mapping was compiled to."""
        return self._code.source


class _Times:
    """The default time of a message, worked out once."""

    def default_at(self: Any, node: Any) -> str | None:
        """EVN-2, else MSH-7, else the adapter's, else the time of receipt."""
        known = self.__dict__.get("_default_at", self)
        if known is self:
            known = t(find(self.root, "EVN"), 2) or t(find(self.root, "MSH"), 7)
            known = known or self.record.at or None
            self.__dict__["_default_at"] = known
        return known

    def refs(
        self: Any,
        node: Any,
        each: str,
        kinds: Any,
        test: Callable[..., Any],
        ident: Callable[..., Any],
    ) -> list[dict[str, str]]:
        """References to what a block makes below a node."""
        on, excluded = kinds
        if not applies(on, self.kind) or (excluded and applies(excluded, self.kind)):
            return []
        below = [node] if each == "message" else self.under(node, each)
        found = [ident(self, inner) for inner in below if test(self, inner)]
        return [{"reference": i[2]} for i in dict.fromkeys(found) if i is not None]

    @property
    def nulled(self: Any) -> bool:
        """Whether the message holds an HL7 null at all."""
        known = self.__dict__.get("_nulled")
        if known is None:
            known = any('""' in segment.text for segment in self.record.segments)
            self.__dict__["_nulled"] = known
        return known


class _MessageRun(_Times, Run):
    pass


class _TracedMessageRun(_Times, TracedRun):
    pass


class _Code:
    """The executed Python of a definition, plain or traced."""

    def __init__(self, definition: Definition, *, traced: bool) -> None:
        self._definition = definition
        generator = Generator(definition, traced=traced)
        plan: list[tuple[Block, str, tuple[tuple[Any, str], ...]]] = []
        for block in definition.resources.values():
            if isinstance(block.each, str):
                plan.append((block, generator.block(block, 0), ()))
            else:
                paths = tuple(
                    (
                        path,
                        generator.block(
                            block, 1 + bool(path.component) + bool(path.subcomponent)
                        ),
                    )
                    for path in block.each
                )
                plan.append((block, "", paths))
        merges = [generator.merge(merge, n) for n, merge in enumerate(definition.merges)]
        remarks = [generator.remark(each, n) for n, each in enumerate(definition.remarks)]
        for name, data in definition.types.items():
            if not any(
                function.startswith(f"t_{generator.identifier(name)}_")
                for function in generator.functions
            ):
                generator.type(name, 1 if _relative(data) else 0)
        for name in definition.names:
            generator.name(name)
        self.source = "\n\n".join(generator.functions.values())
        scope: dict[str, Any] = {**generator.scope, "SHARED": SHARED}
        exec(compile(self.source, f"<mapping {definition.name}>", "exec"), scope)  # noqa: S102 - our own output
        self._blocks = [
            Made(
                block,
                scope[function] if function else None,
                tuple((path, scope[name]) for path, name in paths),
            )
            for block, function, paths in plan
        ]
        self._merges = [
            Merging(merge, scope[function])
            for merge, function in zip(definition.merges, merges, strict=True)
        ]
        self._remarks = [
            Remarking(remark, scope[function])
            for remark, function in zip(definition.remarks, remarks, strict=True)
        ]
        self._programs: dict[str, Program] = {}

    def program(self, kind: str) -> Program:
        """What runs for a kind of message."""
        found = self._programs.get(kind)
        if found is None:
            found = self._programs[kind] = Program(
                Grouping(self._definition.groups, kind),
                tuple(made for made in self._blocks if _runs(made.block, kind)),
                tuple(m for m in self._merges if applies(m.merge.on, kind)),
                tuple(r for r in self._remarks if applies(r.remark.on, kind)),
            )
        return found


def _runs(block: Block, kind: str) -> bool:
    return applies(block.on, kind) and not (block.excluded and applies(block.excluded, kind))


def _relative(data: Any) -> bool:
    return "segment=''" in repr((data.rules, data.value, data.when))
