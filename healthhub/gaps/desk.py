"""What a person who solves gaps has before them: one gap with all that is known of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from healthhub import keep
from healthhub.convert import Converter
from healthhub.convert.met import Met
from healthhub.errors import Conflict, HubError
from healthhub.gaps import candidates, preview, proposals, solving
from healthhub.gaps.candidates import Index
from healthhub.gaps.preview import Preview
from healthhub.gaps.proposals import Proposal, Sought
from healthhub.gaps.solving import Place
from healthhub.keep.code_maps import Version
from healthhub.keep.gaps import Gap
from healthhub.mapping.definition import CodeTable
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Overlay, Target
from healthhub.settings import Source

INDEXES = 32


@dataclass(frozen=True, slots=True)
class Sheet:
    """A gap, where it is solved, how it was met, what it could be, and how its map came to be.
    ``remaining``: messages that the version under way has still to be applied to."""

    gap: Gap
    place: Place
    samples: tuple[tuple[int, Met], ...]
    proposals: tuple[Proposal, ...]
    choices: tuple[Target, ...]
    history: tuple[Version, ...]
    remaining: int


class Desk:
    """The mappings of a hub with what people have mapped beside them; shared by threads."""

    def __init__(self, mappings: Path, sources: Mapping[str, Source]) -> None:
        self.library = Library(mappings)
        self.mappings = {name: source.mapping for name, source in sources.items()}
        self._sources = sources
        self._plain: dict[str, Converter] = {}
        self._now: tuple[int, dict[str, Converter]] = (-1, {})
        self._indexes = OrderedDict[tuple[int, str, str], Index]()
        self._lock = threading.Lock()

    def place(self, conn: psycopg.Connection, gap: int) -> Place:
        """Where a gap is solved."""
        return solving.place(conn, self.library, self.mappings, keep.gaps.get(conn, gap))

    def named(self, conn: psycopg.Connection, mapping: str, table: str, code: str) -> Place:
        """The place of a code that is named by mapping and table."""
        found = self.library.definition(mapping).codes.get(table)
        if found is None:
            raise HubError(f"the mapping {mapping} has no code table {table}")
        return solving.at(conn, self.library, self.mappings, mapping, found, code)

    def sheet(self, conn: psycopg.Connection, gap: int) -> Sheet:
        """All of a gap."""
        found = keep.gaps.get(conn, gap)
        where = solving.place(conn, self.library, self.mappings, found)
        overlay = keep.code_maps.overlay(conn)
        met = preview.samples(conn, where, self.converters(overlay))
        index = self.index(overlay, where.table)
        sought = Sought(where.mapping, found.code, found.display, tuple(m for _, m in met))
        history = keep.code_maps.history(conn, where.mapping, where.table.name, where.code)
        return Sheet(
            found,
            where,
            tuple(met),
            tuple(proposals.propose(sought, index, self.library.terms)),
            tuple(candidate.target for candidate in index.all_if_few()),
            tuple(history),
            self.remaining(conn, where),
        )

    def preview(self, conn: psycopg.Connection, where: Place, target: Target | None) -> Preview:
        """What a target would change; None: what it would change if the code were unknown."""
        overlay = keep.code_maps.overlay(conn)
        if target is not None:
            target = solving.checked(where.table, where.code, target)
        return preview.preview(conn, where, target, overlay, self.converters(overlay))

    def solve(
        self,
        conn: psycopg.Connection,
        where: Place,
        target: Target,
        *,
        who: str,
        why: str,
        seen: int,
    ) -> int:
        """Map a code; gives the version. Conflict when messages could then not be stored, or
        would leave resources behind."""
        found = self.preview(conn, where, target)
        if found.parked or found.strays:
            raise Conflict(
                f"{found.parked} messages could then not be stored and {found.strays} resources "
                "would get another id; choose another target, or change the mapping itself"
            )
        return solving.solve(conn, where, target, who=who, why=why, seen=seen)

    def left(self, conn: psycopg.Connection, version: Version) -> int:
        """Messages that a version has still to be applied to; 0 where its place is no more."""
        if version.finished is not None:
            return 0
        try:
            where = self.named(conn, version.mapping, version.table, version.code)
        except HubError:
            return 0
        return self.remaining(conn, where)

    def remaining(self, conn: psycopg.Connection, where: Place) -> int:
        """Messages that the version under way has still to be applied to."""
        if where.version is None or where.version.finished is not None:
            return 0
        number = where.version.number if where.version.target else 0
        return sum(keep.gaps.remaining(conn, gap.id, number) for gap in where.gaps)

    def converters(self, overlay: Overlay) -> dict[str, Converter]:
        """The converters of all sources whose mapping can be read."""
        with self._lock:
            number, found = self._now
            if number != overlay.number:
                found = {n: c.overlaid(overlay) for n, c in self._bare().items()}
                self._now = (overlay.number, found)
            return found

    def index(self, overlay: Overlay, table: CodeTable) -> Index:
        """What the codes of a table can stand for; kept until somebody maps a code."""
        key = (overlay.number, table.name, table.system)
        with self._lock:
            found = self._indexes.get(key)
            if found is None:
                found = self._indexes[key] = candidates.index(self.library, overlay, table)
                while len(self._indexes) > INDEXES:
                    self._indexes.popitem(last=False)
            return found

    def _bare(self) -> dict[str, Converter]:
        if not self._plain:
            for name, source in self._sources.items():
                try:
                    self._plain[name] = Converter(name, source, self.library)
                except HubError:
                    continue  # its messages are parked with what is wrong; it has no gaps to solve
        return self._plain
