"""Code lists as data: those that mappings/national/terms/lists.csv names, packed where they are long.

A list is a CSV with the header ``code,name`` and, where known, ``english``, ``names`` (other
names, separated by |), ``unit``, ``low`` and ``high`` (what is usual); a map has ``source,target``.
Each is read when it is first asked for, and then kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import zstandard

from healthhub.errors import MappingError
from healthhub.terms.code_system import CodeSystem, Concept

Body = dict[str, Any]
FOLDER = Path("national") / "terms"
REGISTER = "lists.csv"
HEADER = "file,kind,url,version,name,title,content,source,target,licence".split(",")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the register. ``kind`` is codes or map; ``content`` complete or fragment, as FHIR
    means them; ``source`` and ``target`` are the code systems of a map."""

    file: str
    kind: str
    url: str
    version: str
    name: str
    title: str
    content: str
    source: str
    target: str
    licence: str

    @property
    def head(self) -> Body:
        """The resource without its codes."""
        body: Body = {
            "resourceType": "CodeSystem" if self.kind == "codes" else "ConceptMap",
            "url": self.url,
            "name": self.name,
            "title": self.title,
            "status": "active",
            "copyright": self.licence,
        }
        if self.version:
            body["version"] = self.version
        if self.kind == "codes":
            body |= {"content": self.content, "caseSensitive": True}
        return body


@dataclass(frozen=True, slots=True)
class Listed:
    """A code of a list. ``low`` and ``high`` are the usual values in ``unit``."""

    code: str
    name: str
    english: str = ""
    more: tuple[str, ...] = ()
    unit: str = ""
    low: float | None = None
    high: float | None = None


class ListedSystem(CodeSystem):
    """A code system made of a list; a concept is made when it is asked for."""

    def __init__(self, entry: Entry, listed: Mapping[str, Listed]) -> None:
        super().__init__(entry.head)
        self._listed = listed

    def __iter__(self) -> Iterator[Concept]:
        return (self._concept(one) for one in self._listed.values())

    def find(self, code: str) -> Concept | None:
        """The concept of a code; None when the list has none."""
        one = self._listed.get(code)
        return None if one is None else self._concept(one)

    def _concept(self, one: Listed) -> Concept:
        more = (
            {"designation": [{"language": "en", "value": one.english}]} if one.english else None
        )
        return Concept(self.url, one.code, one.name, self.version, more)


@lru_cache(maxsize=4)
def register(mappings: Path) -> Mapping[str, Entry]:
    """The lists and maps by their address."""
    path = mappings / FOLDER / REGISTER
    if not path.is_file():
        return MappingProxyType({})
    with path.open(encoding="utf-8", newline="") as rows:
        found = [
            Entry(*(row.get(name) or "" for name in HEADER)) for row in csv.DictReader(rows)
        ]
    return MappingProxyType({entry.url: entry for entry in found})


@lru_cache(maxsize=32)
def _codes(url: str, mappings: Path) -> Mapping[str, Listed]:
    entry = register(mappings).get(url)
    if entry is None or entry.kind != "codes":
        return MappingProxyType({})
    found = (_listed(row) for row in _rows(mappings, entry))
    return MappingProxyType({one.code: one for one in found})


def of_system(url: str, mappings: Path) -> Collection[Listed]:
    """The codes of a system that the hub has as a list; none for another."""
    return _codes(url, mappings).values()


def head(kind: str, url: str, mappings: Path) -> Body | None:
    """The CodeSystem or ConceptMap of an address, without its codes."""
    entry = register(mappings).get(url)
    if entry is None or entry.head["resourceType"] != kind:
        return None
    return entry.head


def system(url: str, mappings: Path) -> CodeSystem | None:
    """The code system of an address, if it is a list."""
    entry = register(mappings).get(url)
    if entry is None or entry.kind != "codes":
        return None
    return ListedSystem(entry, _codes(url, mappings))


def maps(mappings: Path) -> list[Entry]:
    """The maps between lists."""
    return [entry for entry in register(mappings).values() if entry.kind == "map"]


def about(entry: Entry, codes: Collection[str], mappings: Path) -> Body:
    """A map as a ConceptMap that holds what it says of some codes, on either side: the whole
    would be tens of thousands of elements."""
    forwards, backwards = _pairs(entry.url, mappings)
    names = _codes(entry.target, mappings)
    wanted = {code: forwards[code] for code in codes if code in forwards}
    wanted |= {one: forwards[one] for code in codes for one in backwards.get(code, ())}
    elements = []
    for code, target in wanted.items():
        how = "equivalent" if code == target else "relatedto"
        goal: Body = {"code": target, "equivalence": how}
        if target in names:
            goal["display"] = names[target].name
        elements.append({"code": code, "target": [goal]})
    group = {"source": entry.source, "target": entry.target, "element": elements}
    return entry.head | {"group": [group] if elements else []}


@lru_cache(maxsize=8)
def _pairs(url: str, mappings: Path) -> tuple[Mapping[str, str], Mapping[str, list[str]]]:
    forwards: dict[str, str] = {}
    backwards: dict[str, list[str]] = {}
    for row in _rows(mappings, register(mappings)[url]):
        forwards[row["source"]] = row["target"]
        backwards.setdefault(row["target"], []).append(row["source"])
    return MappingProxyType(forwards), MappingProxyType(backwards)


def _rows(mappings: Path, entry: Entry) -> Iterator[dict[str, str]]:
    path = mappings / FOLDER / entry.file
    if not path.is_file():
        raise MappingError(
            f"national/terms/{REGISTER} names {entry.file}, which is not there; add the file or "
            "take the line out",
            expression=entry.file,
        )
    with path.open("rb") as held:
        plain = (
            zstandard.ZstdDecompressor().stream_reader(held) if path.suffix == ".zst" else held
        )
        with io.TextIOWrapper(plain, encoding="utf-8", newline="") as text:
            yield from csv.DictReader(text)


def _listed(row: Mapping[str, str]) -> Listed:
    more = tuple(name for name in (row.get("names") or "").split("|") if name)
    english = row.get("english") or ""
    low, high = ((float(row[end]) if row.get(end) else None) for end in ("low", "high"))
    return Listed(
        row["code"],
        row["name"],
        english,
        (*more, english) if english else more,
        row.get("unit") or "",
        low,
        high,
    )
