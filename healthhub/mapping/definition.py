"""A mapping as it is understood after reading: groups, names, types, codes, resources, merges,
and the types of resource that are taken as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from healthhub.mapping.expressions import Condition, Expression, Path, Target
from healthhub.mapping.place import Where


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``value`` None removes the target's rules of the base."""

    where: Where
    text: str
    target: Target
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Named:
    """A named value."""

    where: Where
    text: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Group:
    """Tolerant grouping of segments, or the elements that ``paths`` lead to (numbers of
    healthhub.adapter_api.paths), see docs/mapping-language.md."""

    name: str
    where: Where
    anchors: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    afresh: tuple[str, ...] = ()
    paths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DataType:
    """A data-type block: an object made by rules, or a scalar ``value``."""

    name: str
    where: Where
    makes: str = ""
    parameters: tuple[str, ...] = ()
    when: Condition | None = None
    value: Named | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A mapped code; an empty ``code`` means: known, and maps to nothing."""

    code: str
    display: str = ""
    system: str = ""
    version: int = 0
    """The overlay's version that says so; 0: the mapping itself."""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A code map."""

    name: str
    where: Where
    system: str = ""
    source_system: str = ""
    default: Code | None = None
    entries: dict[str, Code] = field(default_factory=dict[str, Code])


@dataclass(frozen=True, slots=True)
class Block:
    """What makes one kind of resource."""

    name: str
    where: Where
    type: str = ""
    each: str | tuple[Path, ...] = "message"
    on: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    when: Condition | None = None
    key: tuple[Named, ...] = ()
    at: Named | None = None
    authority: Named | None = None
    shared: bool = False
    optional: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeRule:
    """Two source patients become one (A40), or are parted again."""

    where: Where
    on: tuple[str, ...]
    each: str
    kept: tuple[Named, ...]
    replaced: tuple[Named, ...]
    when: Condition | None = None
    undone: bool = False
    pairs: bool = False
    """``kept`` is read at the first node of ``each``, ``replaced`` at each further one (A24)."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What the mapping knows that it does not do: told as a finding, with the place."""

    where: Where
    on: tuple[str, ...]
    each: str
    at: Path
    say: str
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What one kind of row is: its columns, and what tells one row from another.

    ``columns`` gives each column's other headings. ``key`` names one message; where ``row`` is
    given, all rows of one key make one message and ``row`` tells them apart. A child's rows
    stand in the messages of the table ``of`` that have the same ``on``.
    """

    name: str
    where: Where
    title: str = ""
    sources: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    key: tuple[str, ...] = ()
    row: tuple[str, ...] = ()
    patient: str = ""
    at: str = ""
    changed: str = ""
    numbers: tuple[str, ...] = ()
    header_rows: int = 1
    deleted: tuple[str, ...] = ()
    deleted_by: str = ""
    of: str = ""
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A type of resource that is taken as FHIR, as it came.

    ``owner`` are the elements that name its patient (``itself``: it is the patient); none: it
    is of no patient; ``optional``: it may be of none. ``profile`` is the hub's profile by the
    code of a category, or under ``""``. ``codes`` are the tables by which its coded elements
    are mapped where they have the sender's own codes alone. ``withdrawn`` is what it says once it was deleted (None
    empties an element), beside ``unknown``, what R4 demands of it where nothing else is known.
    """

    name: str
    where: Where
    owner: tuple[str, ...] = ()
    optional: bool = False
    profile: dict[str, str] = field(default_factory=dict[str, str])
    codes: dict[str, str] = field(default_factory=dict[str, str])
    withdrawn: dict[str, Any] = field(default_factory=dict[str, Any])
    unknown: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole mapping, with what it extends taken in."""

    name: str
    where: Where
    version: str
    title: str = ""
    adapter: str = "hl7v2"
    extends: str = ""
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    names: dict[str, Named] = field(default_factory=dict[str, Named])
    types: dict[str, DataType] = field(default_factory=dict[str, DataType])
    codes: dict[str, CodeTable] = field(default_factory=dict[str, CodeTable])
    resources: dict[str, Block] = field(default_factory=dict[str, Block])
    merges: tuple[MergeRule, ...] = ()
    remarks: tuple[Remark, ...] = ()
    tables: dict[str, Table] = field(default_factory=dict[str, "Table"])
    take: dict[str, Taken] = field(default_factory=dict[str, Taken])


def applies(patterns: tuple[str, ...], kind: str) -> bool:
    """Whether a message kind is among ``patterns`` (``ADT``, ``ADT^A01``); none means all."""
    return not patterns or kind in patterns or kind.partition("^")[0] in patterns
