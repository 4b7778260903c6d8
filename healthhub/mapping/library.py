"""All mappings of one folder, read and compiled when first asked for."""

from __future__ import annotations

import threading
from pathlib import Path

from healthhub.errors import MappingError
from healthhub.mapping.coherence import broken
from healthhub.mapping.compiled import Compiled
from healthhub.mapping.definition import Definition
from healthhub.mapping.reading import read
from healthhub.terms import Terms
from healthhub.terms import load as load_terms


class Library:
    """The mappings under one folder; each is read once, whichever threads ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._definitions: dict[str, Definition] = {}
        self._compiled: dict[str, Compiled] = {}
        self._reading: list[str] = []
        self._lock = threading.RLock()

    @property
    def terms(self) -> Terms:
        """Units and code systems of the folder."""
        return load_terms(self.folder)

    def names(self) -> list[str]:
        """The mappings that there are."""
        return sorted(
            path.parent.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("mapping.yaml")
        )

    def definition(self, name: str) -> Definition:
        """A mapping as read; MappingError names file, line and rule."""
        found = self._definitions.get(name)
        if found is not None:
            return found
        with self._lock:
            return self._definitions.get(name) or self._read(name)

    def _read(self, name: str) -> Definition:
        if not (self.folder / name / "mapping.yaml").is_file():
            known = ", ".join(self.names()) or "none"
            raise MappingError(
                f"there is no mapping {name!r} in {self.folder.name}/; there are: {known}"
            )
        if name in self._reading:
            chain = " -> ".join([*self._reading, name])
            raise MappingError(f"mappings extend each other in a circle: {chain}")
        self._reading.append(name)
        try:
            self._definitions[name] = read(self.folder, name, self.definition)
        finally:
            self._reading.remove(name)
        return self._definitions[name]

    def mapping(self, name: str) -> Compiled:
        """A mapping ready to run; MappingError names file, line and rule."""
        found = self._compiled.get(name)
        if found is None:
            with self._lock:
                found = self._compiled.get(name) or self._compile(name)
        return found

    def _compile(self, name: str) -> Compiled:
        definition = self.definition(name)
        for error in broken(definition):
            raise error
        found = self._compiled[name] = Compiled(definition, self.lineage(name))
        return found

    def lineage(self, name: str) -> tuple[str, ...]:
        """A mapping, then what it extends, step by step."""
        found = [name]
        while base := self.definition(found[-1]).extends:
            found.append(base)
        return tuple(found)
