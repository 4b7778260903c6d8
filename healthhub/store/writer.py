"""Batch writes of what messages state: drafts are merged into rows, whatever their order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from healthhub import clock
from healthhub.model.ids import SHARED
from healthhub.model.resource import Body, Draft, Stamp
from healthhub.store import dictionary, elements, rows, types, wire
from healthhub.store.elements import Elements

Action = Literal["created", "updated", "unchanged"]
Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the drafts of one id. ``before`` is the patient key the row had, if the
    write moved it to another patient."""

    type: str
    id: UUID
    patient: UUID
    action: Action
    version: int
    body: Body
    before: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A current row, as the merge needs it."""

    patient: UUID
    version: int
    stamp: Stamp
    stamps: bytes | None
    deleted: bool
    settled: bool
    packed: bytes


def write(
    connection: Connection, drafts: Sequence[Draft], check: Callable[[Body], None]
) -> list[Written]:
    """Merge the drafts into the store, in the connection's transaction; one Written for each id.

    ``check`` sees merged bodies that no single draft had, and raises Unprocessable. Rows are
    locked in the order of (type, id). A new row that another writer makes at the same moment
    raises UniqueViolation: the caller tries again and finds it.

    A draft of a shared row (a doctor, a ward) that says what is known already neither locks nor
    touches it, so that workers do not wait for one another.
    """
    folded = _fold(drafts)
    shared = {key for key, found in folded.items() if found[-1].patient == SHARED}
    written = _known(connection, folded, shared) if shared else {}
    rest = {key: found for key, found in folded.items() if key not in written}
    current = _read(connection, rest, lock=True)
    updated = clock.now()
    new: list[rows.Current] = []
    changed: list[rows.Current] = []
    owners: list[UUID] = []
    restated: list[rows.Current] = []
    for key in sorted(rest, key=lambda key: (types.NUMBERS[key[0]], key[1])):
        row = current.get(key)
        version, action = _merged(key, rest[key], row, check)
        if row is None:
            new.append(version)
        elif action == "updated":
            changed.append(version)
            owners.append(row.patient)
        elif version.stamp != row.stamp or version.stamps != row.stamps:
            restated.append(version)
        before = row.patient if row and row.patient != version.patient else None
        written[key] = Written(
            version.type,
            version.id,
            version.patient,
            action,
            version.version,
            version.body,
            before,
        )
    rows.insert(connection, new, updated)
    rows.replace(connection, changed, owners, updated)
    rows.restamp(connection, restated)
    return list(written.values())


def _fold(drafts: Iterable[Draft]) -> dict[Key, list[Draft]]:
    """The drafts of each id, the weightiest last."""
    folded: dict[Key, list[Draft]] = {}
    for draft in drafts:
        folded.setdefault((draft.type, draft.id), []).append(draft)
    for found in folded.values():
        if len(found) > 1:
            found.sort(key=lambda draft: draft.stamp)
    return folded


def _merged(
    key: Key, drafts: list[Draft], row: _Row | None, check: Callable[[Body], None]
) -> tuple[rows.Current, Action]:
    """The next version of a row, and whether it says anything new."""
    resource_type, id_ = key
    newest = drafts[-1]
    if row is None and len(drafts) == 1 and not newest.erased:
        version = rows.Current(
            resource_type, id_, newest.patient, 1, newest.stamp, None, False, newest.body
        )
        return version, "created"
    old = wire.loads(dictionary.unpack(row.packed)) if row and not row.deleted else None
    state: Elements = {}
    if row is not None:
        others = elements.unpack_stamps(row.stamps)
        state = elements.of_body(old or {}, row.stamp, others)
    said = [draft for draft in drafts if not (row and row.deleted and draft.stamp <= row.stamp)]
    for draft in said:
        elements.merge(state, elements.of_draft(draft))
    stamp = max(newest.stamp, row.stamp) if row else newest.stamp
    body = elements.body_of(resource_type, newest.body["id"], state)
    source = newest.body.get("meta", {}).get("source")
    stamps = elements.pack_stamps(state, stamp)
    patient = newest.patient if row is None or newest.stamp >= row.stamp else row.patient
    number = row.version if row else 0
    current = rows.Current(resource_type, id_, patient, number, stamp, stamps, False, body)
    if row is not None and (not said or (old is not None and _same(old, body, row, patient))):
        current.deleted = row.deleted
        current.body = old or body
        return current, "unchanged"
    if source:
        body["meta"] = {"source": source} | body.get("meta", {})
    if len(said) > 1 or old is not None:
        check(body)
    current.version = number + 1
    return current, "created" if row is None else "updated"


_VOLATILE = ("versionId", "lastUpdated", "source")


def _same(old: Body, new: Body, row: _Row, patient: UUID) -> bool:
    if row.patient != patient:
        return False
    meta = {name: value for name, value in old["meta"].items() if name not in _VOLATILE}
    rest = {name: value for name, value in old.items() if name != "meta"}
    return (rest | {"meta": meta} if meta else rest) == new


_READ = """select r.type, r.id, r.patient_key, r.version, r.authority, r.event_at, r.message,
       r.stamps, r.deleted, r.updated < now(), r.body
  from unnest(%b::smallint[], %b::uuid[]) u(type, id) join resource r using (type, id)
 order by r.type, r.id"""


def _read(connection: Connection, keys: Iterable[Key], *, lock: bool) -> dict[Key, _Row]:
    numbers: list[int] = []
    ids: list[UUID] = []
    for resource_type, id_ in keys:
        numbers.append(types.NUMBERS[resource_type])
        ids.append(id_)
    if not ids:
        return {}
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_READ + (" for update of r" if lock else ""), (numbers, ids))
        return {(types.name(row[0]), row[1]): _row(row) for row in cursor}


def _row(row: tuple[Any, ...]) -> _Row:
    _, _, patient, version, authority, at, message, stamps, deleted, settled, packed = row
    stamp = Stamp(authority, at, message)
    return _Row(patient, version, stamp, stamps, deleted, settled, packed)


class _Recent:
    """What shared rows are known to say, as digests: most messages name the same doctors."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._digests: OrderedDict[Key, tuple[bytes, Written]] = OrderedDict()

    def get(self, key: Key, digest: bytes) -> Written | None:
        found = self._digests.get(key)
        if found is None or found[0] != digest:
            return None
        self._digests.move_to_end(key)
        return found[1]

    def put(self, key: Key, digest: bytes, written: Written) -> None:
        self._digests[key] = (digest, written)
        if len(self._digests) > self._size:
            self._digests.popitem(last=False)


_recent = _Recent(20_000)


def _known(
    connection: Connection, folded: dict[Key, list[Draft]], shared: set[Key]
) -> dict[Key, Written]:
    """The shared ids of which nothing new is said.

    Remembered only when read from the table as committed before this transaction began, so
    that a rollback cannot make the memory lie.
    """
    found: dict[Key, Written] = {}
    digests: dict[Key, bytes] = {}
    for key in shared:
        digests[key] = digest = _digest(folded[key])
        written = _recent.get(key, digest)
        if written is not None:
            found[key] = written
    missing = [key for key in shared if key not in found]
    for key, row in _read(connection, missing, lock=False).items():
        version, action = _merged(key, folded[key], row, lambda _: None)
        if action == "unchanged":
            found[key] = written = Written(
                key[0], key[1], row.patient, "unchanged", row.version, version.body
            )
            if row.settled:
                _recent.put(key, digests[key], written)
    return found


def _digest(drafts: list[Draft]) -> bytes:
    digest = blake2b(digest_size=16)
    for draft in drafts:
        said = {name: value for name, value in draft.body.items() if name != "meta"}
        digest.update(bytes([draft.stamp.authority]) + wire.dumps(said))
    return digest.digest()
