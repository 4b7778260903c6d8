"""Fill a store with many patients, quickly: a loaded city is copied under other ids and numbers.

What the copies hold is what the store's own index makes of the city's resources; the entries that
depend on an id or a number are made anew for each copy. Rows go in by COPY through the store's
own writer, from several processes, and indexes are built afterwards.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg

from healthhub.store import dictionary, entries, hashes, index, pairs, referred, rows, wire

_SHARED = rb"(?<!Practitioner/)(?<!Organization/)(?<!Location/)"
_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# A value that is a text stands only in identifiers and contact points.
_PART = re.compile(rb'(%b%b|(?<="value":")[^"\\]+(?="))' % (_SHARED, _UUID))
_KEY = re.compile(_UUID)
_RESIDENT = re.compile(rb"\d{17}[\dX]")
_ORDINAL = re.compile(r"\d+$")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11643: the weights of a resident number's check digit."""
_TABLES = ("resource", "resource_identifier", "resource_text")


class Copy:
    """One copy of the city: its patients' ids and numbers under this name."""

    def __init__(self, name: str) -> None:
        digest = bytearray(sha256(name.encode()).digest()[:16])
        digest[6] &= 0x0F  # a UUID's version and variant stay as they are
        digest[8] &= 0x3F
        self._mask = int.from_bytes(digest, "big")
        self._name = name.encode()
        self._known: dict[bytes, bytes] = {}
        ordinal = _ORDINAL.search(name)
        self._areas = 1 + int(ordinal[0]) if ordinal else digest[0]

    def of(self, body: bytes) -> bytes:
        """The body of the copy's resource."""
        return self.joined(_PART.split(body))

    def joined(self, parts: list[bytes]) -> bytes:
        """The same of a body that ``_PART`` has split."""
        made = parts.copy()
        made[1::2] = [self.part(each) for each in parts[1::2]]
        return b"".join(made)

    def part(self, old: bytes) -> bytes:
        """An id or a number of the copy."""
        new = self._known.get(old)
        if new is None:
            if _KEY.fullmatch(old):
                new = str(self.key(UUID(old.decode()))).encode()
            else:
                new = self._number(old)
            self._known[old] = new
        return new

    def key(self, old: UUID) -> UUID:
        """A row's key."""
        return UUID(int=old.int ^ self._mask)

    def _number(self, old: bytes) -> bytes:
        if not _RESIDENT.fullmatch(old):
            return b"%b-%b" % (old, self._name)
        # Another area of the province: birthday and sex stay, and no two copies share a number.
        area = (int(old[2:6]) + self._areas) % 10_000
        body = b"%b%04d%b" % (old[:2], area, old[6:17])
        rest = sum(w * (digit - 48) for w, digit in zip(_WEIGHTS, body, strict=True)) % 11
        return body + b"10X98765432"[rest : rest + 1]


@dataclass(frozen=True, slots=True)
class Template:
    """A row of the city: its columns, its body in parts, and what is made anew for a copy."""

    columns: tuple[Any, ...]
    body: list[bytes]
    fixed: tuple[int, ...]
    tokens: tuple[tuple[str, bytes, bytes], ...]
    """Field, what stands before the id or number, and the id or number itself."""
    identifiers: tuple[tuple[str, bytes, int, int | None], ...]
    texts: tuple[tuple[str, str, bytes | None], ...]
    """Field, form, and for a phone or other contact what the form is made of."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a filling took."""

    copies: int
    rows: int
    seconds: float
    indexing: float


def fill(dsn: str, copies: int, processes: int = 2) -> Filled:
    """Add so many copies of what the store holds of patients; persons are not copied."""
    started = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        templates = _templates(connection)
        definitions = _drop_indexes(connection)
        _set(connection, "autovacuum_enabled = off")
        context = multiprocessing.get_context("fork")
        workers = [
            context.Process(target=_write, args=(dsn, templates, range(n, copies, processes)))
            for n in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            if worker.exitcode:
                raise RuntimeError("a process that fills the store has failed")
        written = time.perf_counter()
        _reset(connection, "autovacuum_enabled")
        _make_indexes(connection, definitions)
    ended = time.perf_counter()
    return Filled(copies, copies * len(templates), written - started, ended - written)


def _templates(connection: psycopg.Connection) -> list[Template]:
    """The rows of patients as they lie in the table, golden Patients left out."""
    dictionary.learn(connection.execute(dictionary.ALL).fetchall())
    recorder = _Recorder()
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select patient_key, id, event_at, message, updated, at_start, at_end, present,"
            " version, type, authority, deleted, tokens, spans, stamps, body, concept from resource r"
            " where patient_key <> '00000000-0000-0000-0000-000000000000' and not deleted"
            "   and not exists (select from person p where p.person_key = r.id) order by r.ctid"
        )
        with recorder:
            return [recorder.template(row) for row in cursor]


class _Recorder:
    """Notes which texts the index makes its hashes of."""

    def __enter__(self) -> None:
        self._said: dict[int, tuple[str, str]] = {}
        self._true = hashes.token, hashes.reference
        self._put(self._token, self._reference)

    def __exit__(self, *_: object) -> None:
        self._put(*self._true)

    def _put(self, token: Callable[..., int], reference: Callable[..., int]) -> None:
        for room in (entries, pairs, referred):
            room.__dict__.update(token=token)
        referred.__dict__.update(reference=reference)

    def _forget(self) -> None:
        """What the index remembers it makes no hash of, and each hash is to be noted."""
        for room in (entries, referred):
            for held in vars(room).values():
                if hasattr(held, "cache_clear"):
                    held.cache_clear()

    def _token(self, field: str, value: str) -> int:
        hashed = hashes.token(field, value)
        self._said[hashed] = field, value
        return hashed

    def _reference(self, field: str, resource_type: str, key: UUID) -> int:
        return self._token(field, f"{resource_type}/{key}")

    def template(self, row: Sequence[Any]) -> Template:
        """A row with its entries parted into those that stay and those that do not."""
        self._said.clear()
        self._forget()
        body = dictionary.unpack(row[15])
        parts = _PART.split(body)
        changing = set(parts[1::2])
        made = index.of(wire.reload(body))
        fixed: list[int] = []
        tokens: list[tuple[str, bytes, bytes]] = []
        for hashed in made.tokens:
            field, value = self._said[hashed]
            for mark in (b"|", b"/"):
                before, found, last = value.encode().rpartition(mark)
                if last in changing:
                    tokens.append((field, before + found, last))
                    break
            else:
                fixed.append(hashed)
        identifiers = [
            (self._said[hashed][0], self._said[hashed][1].encode(), system, kind)
            for hashed, system, kind in made.identifiers
        ]
        contacts = {entries.phone(each.decode()): each for each in changing}
        texts = tuple(
            (field, form, contacts.get(form) if "|" in field else None)
            for field, form in made.texts
        )
        return Template(
            (*row[:15], row[16]), parts, tuple(fixed), tuple(tokens), tuple(identifiers), texts
        )


def _write(dsn: str, templates: list[Template], copies: range) -> None:
    """Write some copies, each in a transaction."""
    os.nice(1)
    with psycopg.connect(dsn) as connection:
        for number in copies:
            copy = Copy(str(number))
            rows.copy(connection, _rows(copy, templates))
            connection.commit()


def _rows(copy: Copy, templates: list[Template]) -> Iterator[rows.Row]:
    made: dict[tuple[str, bytes, bytes], int] = {}
    for each in templates:
        patient, key = copy.key(each.columns[0]), copy.key(each.columns[1])
        tokens = list(each.fixed)
        for token in each.tokens:
            hashed = made.get(token)
            if hashed is None:
                field, before, last = token
                text = (before + copy.part(last)).decode()
                hashed = made[token] = hashes.token.__wrapped__(field, text)
            tokens.append(hashed)
        tokens.sort()
        packed = dictionary.pack(copy.joined(each.body))
        yield rows.Row(
            (
                patient,
                key,
                *each.columns[2:12],
                tokens,
                each.columns[13],
                each.columns[14],
                packed,
                each.columns[15],
            ),
            [
                (hashes.token.__wrapped__(f, copy.part(v).decode()), system, kind, patient, key)
                for f, v, system, kind in each.identifiers
            ],
            [
                (
                    patient,
                    key,
                    each.columns[9],
                    field,
                    form if raw is None else entries.phone(copy.part(raw).decode()),
                )
                for field, form, raw in each.texts
            ],
        )


def _drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Take the indexes of the search tables away; what makes them again."""
    found = connection.execute(
        "select i.indexrelid::regclass::text, i.indrelid::regclass::text,"
        "       pg_get_indexdef(i.indexrelid), c.conname, pg_get_constraintdef(c.oid)"
        "  from pg_index i left join pg_constraint c on c.conindid = i.indexrelid"
        " where i.indrelid::regclass::text = any(%s)",
        (list(_TABLES),),
    ).fetchall()
    definitions = []
    for name, table, definition, constraint, how in found:
        if constraint:
            connection.execute(f"alter table {table} drop constraint {constraint}")  # type: ignore[arg-type]
            definitions.append(f"alter table {table} add constraint {constraint} {how}")
        else:
            connection.execute(f"drop index {name}")  # type: ignore[arg-type]
            definitions.append(definition)
    return definitions


def _set(connection: psycopg.Connection, option: str) -> None:
    for table in _TABLES:
        connection.execute(f"alter table {table} set ({option})")  # type: ignore[arg-type]


def _reset(connection: psycopg.Connection, option: str) -> None:
    for table in _TABLES:
        connection.execute(f"alter table {table} reset ({option})")  # type: ignore[arg-type]


def _make_indexes(connection: psycopg.Connection, definitions: Sequence[str]) -> None:
    connection.execute("set maintenance_work_mem = '1GB'")
    for definition in definitions:
        connection.execute(definition)  # type: ignore[arg-type]
    for table in _TABLES:
        connection.execute(f"vacuum (analyze) {table}")  # type: ignore[arg-type]
