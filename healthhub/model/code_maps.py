"""What people have mapped beside the mappings' own code tables, and where a code was met."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a source code stands for. An empty ``code``: known, and maps to nothing; an empty
    ``system``: that of its table."""

    code: str
    display: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Solved:
    """An entry of the overlay: the version that a person has made of one code's map."""

    number: int
    mapping: str
    table: str
    code: str
    target: Target


@dataclass(frozen=True, slots=True)
class Overlay:
    """All entries in force; ``number`` is that of the latest version, 0 before the first."""

    number: int = 0
    entries: tuple[Solved, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message holds a code that its mapping's own tables lack.

    ``version`` is the overlay's entry that mapped it, 0 for none: then it is a gap. ``display``
    and ``unit`` are what the message calls it and measures it in.
    """

    table: str
    code: str
    version: int
    display: str = ""
    unit: str = ""
