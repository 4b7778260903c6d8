"""What of the official v2-to-FHIR tables a mapping covers, and what its samples leave unread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from healthhub.adapter_api import BadMessage, find
from healthhub.adapter_api.record import Record, Segment
from healthhub.adapter_api.record import Row as RowSegment
from healthhub.convert.converter import Converter
from healthhub.convert.samples import RECEIVED, Sample, SampleSource, raws
from healthhub.errors import MappingError
from healthhub.mapping import columns
from healthhub.mapping.definition import Definition, applies
from healthhub.mapping.library import Library
from healthhub.mapping.sources import Sources
from healthhub.mapping.tables import bind, of_tables

_SEGMENT = re.compile(r"_ ?([A-Z][A-Z0-9]{2})\[([A-Za-z]+)(?:[-.]([^\]]*))?\]")
_MESSAGE = re.compile(r"_ ?([A-Z]{3})_([A-Z0-9]{3})")
_ADAPTER = {("MSH", n) for n in (1, 2, 7, 9, 10, 12, 18)} | {("EVN", 2)}
"""Fields that the adapter and the stamp read whatever the mapping says."""
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-(\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One official map: how many of its fields have a target, and which of them are not read
    for that resource, or not at all."""

    map: str
    fields: int
    elsewhere: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def covered(self) -> int:
        """Fields read by a block of the very resource."""
        return self.fields - len(self.elsewhere) - len(self.missing)


def segments(definition: Definition, tables: Path) -> list[Row]:
    """Coverage of the segment maps (segments/*.csv)."""
    sources = Sources(definition)
    by_type: dict[str, set[tuple[str, int]]] = {}
    for block in definition.resources.values():
        read = {(path.segment, path.field) for path in sources.of_block(block)}
        by_type.setdefault(block.type, set()).update(read)
    anywhere = set[tuple[str, int]]().union(*by_type.values())
    rows: list[Row] = []
    for file in sorted((tables / "segments").glob("*.csv")):
        match = _SEGMENT.search(file.name)
        if match is None:
            continue
        wanted = _mapped_fields(file)
        own = by_type.get(match[2], set())
        elsewhere = [f for f in wanted if f not in own and f in anywhere]
        missing = [f for f in wanted if f not in own and f not in anywhere]
        name = match[0].lstrip("_ ")
        rows.append(Row(name, len(wanted), _names(elsewhere), _names(missing)))
    return rows


def _mapped_fields(file: Path) -> list[tuple[str, int]]:
    """The fields of an official segment map that have a FHIR target."""
    table = pd.read_csv(file, header=None, skiprows=2, dtype=str, keep_default_na=False)
    found: dict[tuple[str, int], None] = {}
    for identifier, target in zip(table[1], table[9], strict=True):
        match = _FIELD.match(identifier.strip())
        if match and target.strip():
            found[(match[1], int(match[2]))] = None
    return list(found)


def _names(fields: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{segment}-{number}" for segment, number in fields)


def messages(definition: Definition, tables: Path) -> list[Row]:
    """Coverage of the message maps (messages/*.csv): segment[resource] pairs made."""
    rows: list[Row] = []
    sources = Sources(definition)
    for file in sorted((tables / "messages").glob("*.csv")):
        match = _MESSAGE.search(file.name)
        if match is None:
            continue
        kind = f"{match[1]}^{match[2]}"
        made: set[tuple[str, str]] = set()
        for block in definition.resources.values():
            if applies(block.on, kind) and not (
                block.excluded and applies(block.excluded, kind)
            ):
                made |= {(path.segment, block.type) for path in sources.of_block(block)}
        wanted = _message_maps(file)
        segment_names = {segment for segment, _ in made}
        absent = [pair for pair in wanted if pair not in made]
        elsewhere = [pair for pair in absent if pair[0] in segment_names]
        missing = [pair for pair in absent if pair[0] not in segment_names]
        rows.append(Row(kind, len(wanted), _pairs(elsewhere), _pairs(missing)))
    return rows


def _message_maps(file: Path) -> list[tuple[str, str]]:
    table = pd.read_csv(file, header=None, skiprows=2, dtype=str, keep_default_na=False)
    found: dict[tuple[str, str], None] = {}
    for text in table[10]:
        for segment, resource in re.findall(r"([A-Z][A-Z0-9]{2})\[([A-Z][A-Za-z]+)", text):
            found[(segment, resource)] = None
    return list(found)


def _pairs(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{segment}[{resource}]" for segment, resource in pairs)


@dataclass(frozen=True, slots=True)
class Unread:
    """A field that samples fill and no rule reads for their kind of message; ``field`` 0: the
    whole segment is read by none. Of a tree ``segment`` is the path of the place. ``name`` is
    the field's number, or the heading of a table's column."""

    segment: str
    field: int
    kinds: tuple[str, ...]
    samples: int
    name: str


def unread(library: Library, name: str, found: Iterable[Sample]) -> list[Unread]:
    """The valued fields of samples that no rule reads, and segments that none reads."""
    definition = library.definition(name)
    sources = Sources(definition)
    roles = frozenset(_roles(definition)) | _ADAPTER
    read: dict[str, frozenset[tuple[str, int]]] = {}
    seen: dict[tuple[str, int, str], tuple[set[str], set[Path]]] = {}
    for sample in found:
        for record in _records(definition, sample, library):
            if record.kind not in read:
                paths = sources.for_kind(record.kind)
                read[record.kind] = frozenset((p.segment, p.field) for p in paths) | roles
            if record.valued is None:
                places = [p for s in record.segments for p in _unread_of(s, read[record.kind])]
            else:
                tree = _unread_places(record, library, definition.name, sample)
                places = [(path, 0, "") for path in tree]
            for place in places:
                kinds, paths_seen = seen.setdefault(place, (set(), set()))
                kinds.add(record.kind)
                paths_seen.add(sample.path)
    return [
        Unread(segment, number, tuple(sorted(kinds)), len(paths), name)
        for (segment, number, name), (kinds, paths) in sorted(seen.items())
    ]


def _unread_places(
    record: Record, library: Library, mapping: str, sample: Sample
) -> Iterator[str]:
    """The places of a tree that hold something and that no element of the outcome came from."""
    source = SampleSource(mapping, sample.charset)
    told = Converter("sample", source, library).explain(1, sample.path.read_bytes(), RECEIVED)
    came = {re.sub(r"\[\d+\]", "", path) for each in told for path in each.paths}
    for place in dict.fromkeys(record.valued() if record.valued is not None else ()):
        element = place.rpartition("/@")[0] if "/@" in place else place
        if place not in came and element not in came:
            yield place


def _roles(definition: Definition) -> Iterator[tuple[str, int]]:
    """The columns that the cutting of rows reads: keys, time, what marks a deleted row."""
    for table in definition.tables.values():
        roles = (*table.key, *table.row, *table.on, *table.numbers)
        for column in (*roles, table.patient, table.at, table.changed, table.deleted_by):
            if column:
                yield table.name, columns.number(table, column)


def _records(definition: Definition, sample: Sample, library: Library) -> Iterator[Record]:
    """The records of a sample, their fields numbered."""
    if sample.rejected:
        return
    adapter = find(definition.adapter)
    feed = SampleSource(definition.name, sample.charset)
    known = of_tables(definition.tables)
    try:
        for raw in raws(library, definition.name, sample):
            if isinstance(raw, bytes):
                yield bind(adapter.read(raw, feed), known)
    except BadMessage as error:
        raise MappingError(
            f"{sample.path.name}: {error.message}; a sample in another charset than UTF-8 "
            "says so in its name, such as visit.gb18030.hl7"
        ) from None


def _unread_of(
    segment: Segment, read: frozenset[tuple[str, int]]
) -> Iterator[tuple[str, int, str]]:
    """The valued fields of a segment that are not among those read; 0 for all of it."""
    whole = all(name != segment.name for name, _ in read)
    row = segment if isinstance(segment, RowSegment) else None
    for number, text in enumerate(segment.fields[1:], 1):
        set_id = row is None and number == 1 and text.isdigit()
        if text and text != '""' and not set_id and (segment.name, number) not in read:
            name = row.headings[number] if row else str(number)
            yield (segment.name, 0, "") if whole else (segment.name, number, name)
