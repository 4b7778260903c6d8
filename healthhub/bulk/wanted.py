"""What an export is of, as its job keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from healthhub.store import types

Level = Literal["system", "Patient", "Group"]
Filter = Sequence[tuple[str, str]]
TRANSIENT = frozenset({"Parameters", "OperationOutcome"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """``types``: none for all. ``filters``: for a type the searches of which a resource must
    match one. ``patients``: FHIR ids, none for all. ``elements``: top-level elements, none for
    all; a name with a type (Patient.name) is for that type alone."""

    level: Level
    group: str = ""
    patients: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: datetime | None = None
    filters: Mapping[str, Sequence[Filter]] = field(default_factory=dict)
    elements: tuple[str, ...] = ()

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        found = asdict(self)
        found["since"] = None if self.since is None else self.since.isoformat()
        return found

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Wanted:
        """From JSON."""
        since = kept["since"]
        return cls(
            kept["level"],
            kept["group"],
            tuple(kept["patients"]),
            tuple(kept["types"]),
            None if since is None else datetime.fromisoformat(since),
            {
                name: [[(pair[0], pair[1]) for pair in one] for one in several]
                for name, several in kept["filters"].items()
            },
            tuple(kept["elements"]),
        )

    def numbered(self) -> list[str]:
        """The types to go through, always in the same order."""
        wanted = self.types or types.NAMES
        return sorted(
            (name for name in dict.fromkeys(wanted) if name not in TRANSIENT),
            key=lambda name: types.NUMBERS[name],
        )

    def elements_of(self, resource_type: str) -> frozenset[str]:
        """The elements that a type's resources are cut down to; none for all."""
        found: set[str] = set()
        for name in self.elements:
            kind, dot, element = name.rpartition(".")
            if not dot or kind == resource_type:
                found.add(element)
        return frozenset(found)
