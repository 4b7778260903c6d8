"""The parts of a rule once it has been read: paths, constants, words, calls, choices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """``5=X|Y`` or ``4.1!=X``: a repetition counts if its component has one of the words."""

    component: int
    subcomponent: int
    equal: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """``PID-3[5=X].1``; a relative path has no segment. ``field`` 0 with a segment asks
    whether the segment is there. ``repetition`` counts from 1; 0 means all. A path that names a
    column (``PAT-hzxm``) has its field's number once the mapping's tables are known."""

    text: str
    segment: str
    field: int = 0
    component: int = 0
    subcomponent: int = 0
    repetition: int = 0
    filters: tuple[Filter, ...] = ()
    column: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, number or truth value written in the rule."""

    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Word:
    """A name, a parameter, or one of the built-in words."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipe:
    """A value sent through functions."""

    first: Expression
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Values in order of preference, each with its condition."""

    options: tuple[tuple[Expression, Condition | None], ...]


Expression = Path | Constant | Word | Call | Pipe | Choice


@dataclass(frozen=True, slots=True)
class Valued:
    """True if the value is there."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Compare:
    """``=``, ``!=`` (negated) and ``in``: is the value one of those?"""

    value: Expression
    others: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """Does the value have the shape of a named pattern?"""

    value: Expression
    pattern: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All (``and``) or any (``or``) of several conditions."""

    conditions: tuple[Condition, ...]
    every: bool


Condition = Valued | Compare | Matches | Not | Both


@dataclass(frozen=True, slots=True)
class Step:
    """One element of a target. ``label`` is None for a plain element, empty for ``[]``."""

    name: str
    label: str | None = None
    url: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The FHIR element that a rule fills."""

    text: str
    steps: tuple[Step, ...]
