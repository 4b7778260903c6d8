"""What runs for one kind of message: blocks, merges and remarks, node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from healthhub.mapping import trace
from healthhub.mapping.definition import Block, MergeRule, Remark
from healthhub.mapping.functions.registry import Need
from healthhub.mapping.reads import vsf
from healthhub.mapping.trace import Piece, TracedRun
from healthhub.mapping.tree import INDEX, Grouping
from healthhub.model.resource import Merge

Step = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Made:
    """A block with its compiled functions: for a node, or for each level of its paths."""

    block: Block
    step: Step | None
    paths: tuple[tuple[Any, Step], ...] = ()


@dataclass(frozen=True, slots=True)
class Merging:
    """A merge with its compiled function."""

    merge: MergeRule
    keys: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Remarking:
    """A remark with its compiled condition."""

    remark: Remark
    applies: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Program:
    """What runs for one kind of message."""

    grouping: Grouping
    blocks: tuple[Made, ...]
    merges: tuple[Merging, ...]
    remarks: tuple[Remarking, ...]


def go(run: Any, program: Program) -> None:
    """Run a program on one message; the run gathers drafts, merges and findings."""
    there = run.root.memo[INDEX]
    for code, detail in run.record.mended:
        run.remark(code, run.root, Need("", ""), detail)
    for made in program.blocks:
        if made.step is not None:
            for node in run.nodes(made.block.each):
                made.step(run, node)
        else:
            for path, step in made.paths:
                if path.segment in there:
                    _through(run, made.block.name, path, step)
    _merge(run, program)
    for remarking in program.remarks:
        remark = remarking.remark
        for node in run.nodes(remark.each):
            if remarking.applies(run, node):
                run.remark(
                    "not-applied", node, Need(remark.at.text, str(remark.where)), remark.say
                )
    _say_if_nothing(run)


def _say_if_nothing(run: Any) -> None:
    if not run.drafts and not run.merges:
        names = " ".join(dict.fromkeys(segment.name for segment in run.record.segments))
        run.remark(
            "nothing",
            run.root,
            Need("MSH-9", ""),
            f"no resource came of this message: it holds only {names}, of which no block makes one",
        )


def _merge(run: Any, program: Program) -> None:
    for merging in program.merges:
        nodes = run.nodes(merging.merge.each)
        if merging.merge.pairs:
            _pair(run, merging, nodes)
            continue
        for node in nodes:
            found = merging.keys(run, node)
            if found is not None and found[0] != found[1]:
                run.merges.append(Merge(*found, undone=merging.merge.undone))


def _pair(run: Any, merging: Merging, nodes: Sequence[Any]) -> None:
    """Link the first node's patient with that of each other; which is named first means
    nothing (HL7 v2.5.1, 3.3.24 and 3.3.37), so the pair has one order whoever states it."""
    keys = [found for node in nodes if (found := merging.keys(run, node)) is not None]
    made = False
    for found in keys[1:]:
        one, other = sorted((keys[0][0], found[1]))
        if one != other:
            run.merges.append(Merge(one, other, found[2], undone=merging.merge.undone))
            made = True
    if not made:
        run.remark(
            "not-applied",
            run.root,
            Need("PID-3", str(merging.merge.where)),
            "the message links or unlinks two patients, and names only one: "
            "let its sender give both, each by a PID with its number",
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
