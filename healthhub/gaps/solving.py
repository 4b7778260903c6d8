"""Solving a gap, taking it back, setting it aside: each by name, with a reason, and logged."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from healthhub import keep
from healthhub.errors import Conflict, InvalidRequest
from healthhub.keep.code_maps import Version
from healthhub.keep.gaps import Gap
from healthhub.mapping.definition import CodeTable
from healthhub.mapping.functions.codes import Lookup, loose
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Solved, Target
from healthhub.terms import LOINC

LONGEST = 200
_LOINC = re.compile(r"(\d{1,7})-(\d)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gap is solved: the mapping of its source, the table, and all gaps that the same
    entry solves (the same code of other sources of that mapping)."""

    mapping: str
    table: CodeTable
    code: str
    gaps: tuple[Gap, ...]
    version: Version | None

    @property
    def number(self) -> int:
        """The latest version of the code's map; 0: it was never mapped."""
        return self.version.number if self.version else 0

    @property
    def target(self) -> Target | None:
        """What the code is mapped to now."""
        return self.version.target if self.version else None

    @property
    def messages(self) -> int:
        """Stored messages that hold the code."""
        return sum(gap.messages for gap in self.gaps)


def place(
    conn: psycopg.Connection, library: Library, mappings: Mapping[str, str], gap: Gap
) -> Place:
    """Where a gap is solved. ``mappings`` is the mapping of each source by the settings."""
    name = mappings.get(gap.source)
    if name is None:
        raise Conflict(
            f"the source {gap.source} is no longer in the settings; add it again before its "
            "codes are mapped"
        )
    table = library.definition(name).codes.get(gap.table)
    if table is None:
        raise Conflict(f"the mapping {name} no longer has a code table {gap.table}")
    return at(conn, library, mappings, name, table, gap.code)


def at(
    conn: psycopg.Connection,
    library: Library,
    mappings: Mapping[str, str],
    name: str,
    table: CodeTable,
    code: str,
) -> Place:
    """The place of a code in a table of a mapping."""
    heirs = [s for s, mapping in mappings.items() if name in library.lineage(mapping)]
    gaps = [
        each
        for each in keep.gaps.of_sources(conn, heirs, table.name)
        if loose(each.code) == loose(code)
    ]
    spelt = keep.code_maps.spelling(conn, name, table.name, code, loose)
    version = keep.code_maps.current(conn, name, table.name, spelt)
    return Place(name, table, spelt, tuple(gaps), version)


def checked(table: CodeTable, code: str, target: Target) -> Target:
    """The target as it is entered; InvalidRequest when it cannot be one."""
    if Lookup(table).find(code) is not None:
        raise Conflict(
            f"the mapping's own table {table.name} has this code by now; change it there"
        )
    found = Target(target.code.strip(), target.display.strip(), target.system.strip())
    if not found.code or len(found.code) > LONGEST or re.search(r"\s", found.code):
        raise InvalidRequest("give the code that it stands for", expression="code")
    if len(found.display) > LONGEST or len(found.system) > LONGEST:
        raise InvalidRequest(
            "a name or system has at most 200 characters", expression="display"
        )
    if found.system and not re.fullmatch(r"(?:https?://|urn:)\S+", found.system):
        raise InvalidRequest("a code system is named by its URI", expression="system")
    if (found.system or table.system) == LOINC and not is_loinc(found.code):
        raise InvalidRequest(
            f"{found.code} is no LOINC code: its check digit is wrong; look it up again",
            expression="code",
        )
    return found


def is_loinc(code: str) -> bool:
    """Whether a text has the form of a LOINC code and its check digit (Mod 10) is right.

    https://loinc.org/kb/users-guide/introduction/ (LOINC Users' Guide, appendix C)
    """
    parts = _LOINC.fullmatch(code)
    if parts is None:
        return False
    total = 0
    for place_, digit in enumerate(reversed(parts[1])):
        doubled = int(digit) * (2 if place_ % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(parts[2])


def solve(
    conn: psycopg.Connection, where: Place, target: Target, *, who: str, why: str, seen: int
) -> int:
    """Map a code from now on, and what is stored in the background; gives the version.

    ``seen`` is the version that the person saw (0: none).
    """
    _reasoned(why)
    good = checked(where.table, where.code, target)
    wanted = Solved(seen, where.mapping, where.table.name, where.code, good)
    number = keep.code_maps.enter(
        conn, wanted, who=who, why=why, messages=where.messages, loose=loose
    )
    _log(conn, number, "map", where.messages, who, why)
    return number


def undo(conn: psycopg.Connection, number: int, where: Place, *, who: str, why: str) -> int:
    """Go back to what the code was before a version; gives the new version. Conflict when that
    version is not the latest of its code."""
    _reasoned(why)
    history = keep.code_maps.history(conn, where.mapping, where.table.name, where.code)
    if not history or history[0].number != number:
        raise Conflict("this version is not the latest of its code; undo the latest first")
    before = history[1].target if len(history) > 1 else None
    if history[0].target is None and before is None:
        raise Conflict("the code was unknown before, too; there is nothing to go back to")
    wanted = Solved(number, where.mapping, where.table.name, where.code, before or Target(""))
    made = keep.code_maps.enter(
        conn,
        wanted,
        who=who,
        why=why,
        messages=where.messages,
        loose=loose,
        unknown=before is None,
        undoes=number,
    )
    _log(conn, made, "unmap", where.messages, who, why)
    return made


def set_aside(
    conn: psycopg.Connection, gaps: Sequence[Gap], *, who: str, why: str, back: bool = False
) -> None:
    """Take gaps off the queue: no code of a standard stands for them; or put them back."""
    _reasoned(why)
    for gap in gaps:
        keep.gaps.set_aside(conn, gap.id, who=who, why="" if back else why)


def _reasoned(why: str) -> None:
    if not why.strip():
        raise InvalidRequest("say why: a reason is kept with every change", expression="reason")


def _log(
    conn: psycopg.Connection, number: int, action: str, messages: int, who: str, why: str
) -> None:
    keep.note(conn, who, action, why.strip(), json.dumps({"version": number}), messages)
