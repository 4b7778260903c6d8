"""A compiled mapping: what converts records, and explains how it did."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from healthhub.adapter_api.record import Place, Record
from healthhub.mapping import trace
from healthhub.mapping.definition import Block, Code, CodeTable, Definition, applies
from healthhub.mapping.functions.codes import Lookup
from healthhub.mapping.generator import Generator
from healthhub.mapping.kept import Kept
from healthhub.mapping.overlay import fill, stamped
from healthhub.mapping.program import Made, Merging, Program, Remarking, go
from healthhub.mapping.reads import t
from healthhub.mapping.run import Context, Run
from healthhub.mapping.trace import TracedRun
from healthhub.mapping.tree import Grouping, find
from healthhub.model.code_maps import Overlay
from healthhub.model.ids import SHARED


class Compiled:
    """One mapping, ready to run. ``lineage``: itself, then what it extends, step by step."""

    def __init__(self, definition: Definition, lineage: Sequence[str] = ()) -> None:
        self.definition = definition
        self.name = definition.name
        self.version = definition.version
        self.adapter = definition.adapter
        self.lineage = tuple(lineage) or (definition.name,)
        self._plain = self._code = _Code(definition, traced=False)
        self._traced: _Code | None = None
        self._lookups: dict[str, Lookup] = {}
        self._filled: Mapping[str, CodeTable] = {}

    def overlaid(self, overlay: Overlay) -> Compiled:
        """The same mapping with what people have mapped beside it. This one stays as it is, so
        that a message under way never sees two versions.

        An entry fills what the tables lack and never overrides them; one for this mapping wins
        over one for a mapping that it extends.
        """
        filled = fill(self.definition, self.lineage, overlay)
        twin = copy.copy(self)
        twin._filled, twin._lookups, twin._traced = filled, {}, None
        twin.version = stamped(self.definition.version, *filled.values())
        twin._code = self._plain.with_tables(filled)
        return twin

    def entry(self, table: str, code: str) -> Code | None:
        """What the mapping, with its overlay, makes of a code; None: the code is unknown."""
        found = self._lookups.get(table)
        if found is None:
            own = self._filled.get(table) or self.definition.codes.get(table)
            if own is None:
                return None
            found = self._lookups[table] = Lookup(own)
        return found.find(code)

    def run(self, context: Context, record: Record, message: int, received: datetime) -> Run:
        """Convert a record."""
        program = self._code.program(record.kind)
        run = _MessageRun(
            context, record, program.grouping.build(record.segments), message, received
        )
        run.kept = self._code.kept(context)
        go(run, program)
        return run

    def trace(
        self, context: Context, record: Record, message: int, received: datetime
    ) -> TracedRun:
        """Convert a record, keeping for each element its rule and the places read."""
        if self._traced is None:
            self._traced = _Code(self.definition, traced=True).with_tables(self._filled)
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
        self._shelves = generator.shelves
        self._plan, self._merging, self._remarking = plan, merges, remarks
        self._constants: dict[str, Any] = {**generator.scope, "SHARED": SHARED}
        self._executable = compile(self.source, f"<mapping {definition.name}>", "exec")
        self._bind(self._constants)

    def with_tables(self, tables: Mapping[str, CodeTable]) -> _Code:
        """The same code over other code tables; it is not compiled again."""
        if not tables:
            return self
        twin = copy.copy(self)
        twin._bind(
            {
                name: Lookup(tables[held.table.name])
                if isinstance(held, Lookup) and held.table.name in tables
                else held
                for name, held in self._constants.items()
            }
        )
        return twin

    def _bind(self, constants: dict[str, Any]) -> None:
        scope = dict(constants)
        exec(self._executable, scope)  # noqa: S102 - our own output
        definition = self._definition
        self._blocks = [
            Made(
                block,
                scope[function] if function else None,
                tuple((path, scope[name]) for path, name in paths),
            )
            for block, function, paths in self._plan
        ]
        self._merges = [
            Merging(merge, scope[function])
            for merge, function in zip(definition.merges, self._merging, strict=True)
        ]
        self._remarks = [
            Remarking(remark, scope[function])
            for remark, function in zip(definition.remarks, self._remarking, strict=True)
        ]
        self._programs: dict[str, Program] = {}
        self._kept: dict[Context, Kept] = {}

    def kept(self, context: Context) -> Kept:
        """What is kept of what this code made for a source."""
        found = self._kept.get(context)
        if found is None:
            found = self._kept[context] = Kept(self._shelves)
        return found

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
