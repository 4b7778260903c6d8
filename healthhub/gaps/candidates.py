"""What a table's codes can be mapped to: what other tables and people chose, and code lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from healthhub.gaps import names
from healthhub.mapping.definition import CodeTable
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Overlay, Target
from healthhub.terms import lists
from healthhub.terms.lists import Listed

MOST_SEEN = 60
"""Candidates that an index hands over to be weighed."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where a candidate is used already: mapping, its code there, whether a person chose it."""

    mapping: str
    code: str
    by_person: bool = False


@dataclass(slots=True)
class Candidate:
    """A target with all that is known of it. ``low`` and ``high`` span what is usual, in
    ``unit`` (UCUM); None: not known."""

    target: Target
    names: list[str] = field(default_factory=list[str])
    uses: list[Use] = field(default_factory=list[Use])
    unit: str = ""
    low: float | None = None
    high: float | None = None


class Index:
    """The candidates of one table, found by name or code without looking at each."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = list(candidates)
        self._by_key: dict[str, list[int]] = {}
        self._by_code: dict[str, list[int]] = {}
        for place, candidate in enumerate(self.candidates):
            for key in dict.fromkeys(k for n in candidate.names for k in names.keys(n)):
                self._by_key.setdefault(key, []).append(place)
            for use in candidate.uses:
                self._by_code.setdefault(names.plain(use.code), []).append(place)

    def like(self, code: str, display: str) -> list[Candidate]:
        """Those that share a name, part of one, or the code with what is looked for."""
        shared: Counter[int] = Counter()
        for name in (display, code):
            for key in dict.fromkeys(names.keys(name)) if name else ():
                for place in self._by_key.get(key, ()):
                    shared[place] += 10 if key.startswith("=") else 1
        for place in self._by_code.get(names.plain(code), ()):
            shared[place] += 10
        return [self.candidates[place] for place, _ in shared.most_common(MOST_SEEN)]

    def all_if_few(self) -> list[Candidate]:
        """Every candidate of a short list, for a person to choose from."""
        return self.candidates if len(self.candidates) <= MOST_SEEN else []


def index(library: Library, overlay: Overlay, table: CodeTable) -> Index:
    """The candidates for a table: its own targets, those of tables of its name or into its code
    system in any mapping, what people chose there, and the system's list where the hub has it."""
    found = _Gathered(table.system)
    for mapping, other in _tables(library, table):
        for source, code in other.entries.items():
            if code.code:
                system = code.system or other.system
                made = found.of(Target(code.code, code.display, system))
                made.uses.append(Use(mapping, source))
                if not source.isascii():
                    _name(made, source)
    for entry in overlay.entries:
        if entry.table == table.name and entry.target.code:
            found.of(entry.target).uses.append(Use(entry.mapping, entry.code, by_person=True))
    for listed in lists.of_system(table.system, library.folder) if table.system else ():
        _describe(found.of(Target(listed.code, listed.name, table.system)), listed)
    return Index(found.by_code.values())


class _Gathered:
    """Candidates by system and code; a target of the table's own system names none."""

    def __init__(self, system: str) -> None:
        self._system = system
        self.by_code: dict[tuple[str, str], Candidate] = {}

    def of(self, target: Target) -> Candidate:
        """The candidate of a target, which may give it its name."""
        key = (target.system or self._system, target.code)
        known = self.by_code.get(key)
        if known is None:
            system = "" if key[0] == self._system else key[0]
            known = self.by_code[key] = Candidate(Target(target.code, target.display, system))
        if target.display and not known.target.display:
            known.target = Target(target.code, target.display, known.target.system)
        _name(known, target.display)
        return known


def _tables(library: Library, table: CodeTable) -> Iterator[tuple[str, CodeTable]]:
    for mapping in library.names():
        for other in library.definition(mapping).codes.values():
            same = other.name == table.name
            if same or (table.system and other.system == table.system):
                yield mapping, other


def _name(candidate: Candidate, name: str) -> None:
    if name and name not in candidate.names:
        candidate.names.append(name)


def _describe(candidate: Candidate, listed: Listed) -> None:
    for name in (listed.name, *listed.more):
        _name(candidate, name)
    candidate.unit, candidate.low, candidate.high = listed.unit, listed.low, listed.high


def mappings_of(uses: Sequence[Use]) -> list[str]:
    """The mappings among uses, each once."""
    return list(dict.fromkeys(use.mapping for use in uses))
