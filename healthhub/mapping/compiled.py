"""A compiled mapping: what converts records, and explains how it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healthhub.adapter_api.record import Place, Record
from healthhub.mapping import trace
from healthhub.mapping.definition import Block, Definition, MergeRule, applies
from healthhub.mapping.functions.registry import Need
from healthhub.mapping.generator import Generator
from healthhub.mapping.reads import t, vsf
from healthhub.mapping.run import Context, Run
from healthhub.mapping.trace import Piece, TracedRun
from healthhub.mapping.tree import Grouping, find
from healthhub.model.ids import SHARED
from healthhub.model.resource import Merge

Step = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Made:
    """A block with its compiled functions: for a node, or for each level of its paths."""

    block: Block
    step: Step | None
    paths: tuple[tuple[Any, Step], ...] = ()


@dataclass(frozen=True, slots=True)
class _Merging:
    """A merge with its compiled function."""

    merge: MergeRule
    keys: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Program:
    """What runs for one kind of message."""

    grouping: Grouping
    blocks: tuple[_Made, ...]
    merges: tuple[_Merging, ...]


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
        _go(run, program)
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
        _go(run, program)
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
        """EVN-2, else MSH-7, else the time of receipt."""
        known = self.__dict__.get("_default_at", self)
        if known is self:
            known = t(find(self.root, "EVN"), 2) or t(find(self.root, "MSH"), 7)
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


def _go(run: Any, program: _Program) -> None:
    there = {segment.name for segment in run.record.segments}
    for made in program.blocks:
        if made.step is not None:
            for node in run.nodes(made.block.each):
                made.step(run, node)
        else:
            for path, step in made.paths:
                if path.segment in there:
                    _through(run, made.block.name, path, step)
    for merging in program.merges:
        for node in run.nodes(merging.merge.each):
            found = merging.keys(run, node)
            if found is not None and found[0] != found[1]:
                run.merges.append(Merge(*found, undone=merging.merge.undone))
    if not run.drafts and not run.merges:
        names = " ".join(dict.fromkeys(segment.name for segment in run.record.segments))
        run.remark(
            "nothing",
            run.root,
            Need("MSH-9", ""),
            f"no resource came of this message: it holds only {names}, of which no block makes one",
        )


def _through(run: Any, name: str, path: Any, step: Step) -> None:
    """A block for each repetition of a field, wherever its segment stands; equal ones once."""
    for node in run.nodes(path.segment):
        segments = node.segments[path.segment]
        if not segments[0].field(path.field):
            continue
        if isinstance(run, TracedRun):
            values: Sequence[str] = trace.vsf(
                segments,
                path.field,
                path.repetition,
                path.filters,
                path.component,
                path.subcomponent,
            )
        else:
            values = vsf(
                segments,
                path.field,
                path.repetition,
                path.filters,
                path.component,
                path.subcomponent,
            )
        for value in values:
            known = (name, str(value) if isinstance(value, Piece) else value)
            if known not in run.seen:
                run.seen.add(known)
                step(run, node, value)


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
            _Made(
                block,
                scope[function] if function else None,
                tuple((path, scope[name]) for path, name in paths),
            )
            for block, function, paths in plan
        ]
        self._merges = [
            _Merging(merge, scope[function])
            for merge, function in zip(definition.merges, merges, strict=True)
        ]
        self._programs: dict[str, _Program] = {}

    def program(self, kind: str) -> _Program:
        """What runs for a kind of message."""
        found = self._programs.get(kind)
        if found is None:
            found = self._programs[kind] = _Program(
                Grouping(self._definition.groups, kind),
                tuple(made for made in self._blocks if _runs(made.block, kind)),
                tuple(m for m in self._merges if applies(m.merge.on, kind)),
            )
        return found


def _runs(block: Block, kind: str) -> bool:
    return applies(block.on, kind) and not (block.excluded and applies(block.excluded, kind))


def _relative(data: Any) -> bool:
    return "segment=''" in repr((data.rules, data.value, data.when))
