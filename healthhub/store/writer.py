"""Batch writes of what messages state: drafts are merged into rows, whatever their order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID
from weakref import WeakKeyDictionary

from psycopg import Connection

from healthhub import clock
from healthhub.model.ids import SHARED
from healthhub.model.resource import Body, Draft, Stamp
from healthhub.store import dictionary, elements, gathered, rows, types, wire
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
    body: Body | None


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
    olds: list[rows.Before] = []
    restated: list[rows.Current] = []
    for key in sorted(rest, key=lambda key: (types.NUMBERS[key[0]], key[1])):
        row = current.get(key)
        version, action = _merged(key, rest[key], row, check)
        if row is None:
            new.append(version)
        elif action == "updated":
            changed.append(version)
            olds.append(rows.Before(row.patient, row.body))
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
    rows.replace(connection, changed, olds, updated)
    rows.restamp(connection, restated)
    return list(written.values())


def _fold(drafts: Iterable[Draft]) -> dict[Key, list[Draft]]:
    """The drafts of each id, the weightiest last."""
    folded: dict[Key, list[Draft]] = {}
    for draft in drafts:
        weighed = _weighed(draft) if draft.patient == SHARED else draft
        found = folded.setdefault((draft.type, draft.id), [])
        if not found or found[-1] is not weighed:  # one that a message states twice
            found.append(weighed)
    for found in folded.values():
        if len(found) > 1:
            found.sort(key=lambda draft: (elements.rank(draft.stamp), draft.patient))
    return folded


def _weighed(draft: Draft) -> Draft:
    """A mention of a shared row counts for its whole day: thousands of messages name the same
    ward, and each but the first of a day then says nothing new."""
    if draft.stamp.authority:
        return draft
    day = draft.stamp.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return replace(draft, stamp=replace(draft.stamp, at=day))


def _merged(
    key: Key, drafts: list[Draft], row: _Row | None, check: Callable[[Body], None]
) -> tuple[rows.Current, Action]:
    """The next version of a row, and whether it says anything new."""
    resource_type, id_ = key
    newest = drafts[-1]
    alone = row is None and len(drafts) == 1 and resource_type not in gathered.LISTS
    if alone and not newest.erased:
        version = rows.Current(
            resource_type, id_, newest.patient, 1, newest.stamp, None, False, newest.body
        )
        return version, "created"
    old = row.body if row else None
    state: Elements = {}
    if row is not None:
        others = elements.unpack_stamps(row.stamps)
        state = elements.of_body(old or {}, row.stamp, others)
    said = [draft for draft in drafts if not (row and row.deleted and _older(draft, row))]
    elements.take_back(state, {draft.stamp.message for draft in said})
    for draft in said:
        elements.merge(state, elements.of_draft(draft))
    stamp, patient = _weightiest(drafts, row)
    body = elements.body_of(resource_type, newest.body["id"], state)
    source = newest.body.get("meta", {}).get("source")
    stamps = elements.pack_stamps(state, stamp)
    number = row.version if row else 0
    current = rows.Current(resource_type, id_, patient, number, stamp, stamps, False, body)
    if row is not None and (
        not said or (old is not None and row.patient == patient and _same(old, body))
    ):
        current.deleted = row.deleted
        current.body = old or body
        return current, "unchanged"
    if source:
        body["meta"] = {"source": source} | body.get("meta", {})
    if not any(_content(draft.body) == _content(body) for draft in said):
        check(gathered.thinned(body))
    current.version = number + 1
    return current, "created" if row is None else "updated"


_VOLATILE = ("versionId", "lastUpdated", "source")


def _older(draft: Draft, row: _Row) -> bool:
    return elements.rank(draft.stamp) <= elements.rank(row.stamp)


def _weightiest(drafts: list[Draft], row: _Row | None) -> tuple[Stamp, UUID]:
    """The stamp of the row, and the patient that the weightiest statement names. One that names
    none (a deletion gives no more than type and id) leaves the row with its patient."""
    newest = drafts[-1]
    named = next((d.patient for d in reversed(drafts) if d.patient != SHARED), SHARED)
    if row is None:
        return newest.stamp, named
    ours, theirs = elements.rank(newest.stamp), elements.rank(row.stamp)
    if ours == theirs:
        return row.stamp, max(named, row.patient)
    stamp = newest.stamp if ours > theirs else row.stamp
    if SHARED in (named, row.patient):
        return stamp, max(named, row.patient)
    return stamp, named if ours > theirs else row.patient


def _content(body: Body) -> Body:
    """A body without what belongs to the version and not to the resource."""
    meta = {n: value for n, value in body.get("meta", {}).items() if n not in _VOLATILE}
    rest = {name: value for name, value in body.items() if name != "meta"}
    return rest | {"meta": meta} if meta else rest


def _same(old: Body, new: Body) -> bool:
    """Whether nothing changed; 1.5 and 1.50 are equal numbers, and yet differ."""
    content = _content(old)
    return content == new and wire.canonical(content) == wire.canonical(new)


_READ = """select r.type, r.id, r.patient_key, r.version, r.authority, r.event_at, r.message,
       r.stamps, r.deleted, age(r.xmin) > 0, r.body
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
    body = None if deleted else wire.reload(dictionary.unpack(packed))
    return _Row(patient, version, stamp, stamps, deleted, settled, body)


class _Recent:
    """What shared rows are known to say, as digests of drafts that they hold already.

    Such a draft says nothing new ever after: merging only adds. Remembered only once it was
    read from a row that an earlier transaction wrote, so that no rollback can make it a lie;
    each connection remembers for itself, as it belongs to one database.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[bytes, int] = OrderedDict()

    def get(self, digest: bytes) -> int | None:
        version = self._versions.get(digest)
        if version is not None:
            self._versions.move_to_end(digest)
        return version

    def put(self, digest: bytes, version: int) -> None:
        self._versions[digest] = version
        if len(self._versions) > _REMEMBERED:
            self._versions.popitem(last=False)


_REMEMBERED = 20_000
_recent: WeakKeyDictionary[Connection, _Recent] = WeakKeyDictionary()


def forget(connection: Connection) -> None:
    """What shared rows say must be read anew: what is said of them is about to change, because
    a map has changed, and may go back to what it was."""
    _recent.pop(connection, None)


def _known(
    connection: Connection, folded: dict[Key, list[Draft]], shared: set[Key]
) -> dict[Key, Written]:
    """The shared ids of which nothing new is said, found without a lock."""
    recent = _recent.setdefault(connection, _Recent())
    found: dict[Key, Written] = {}
    digests: dict[Key, bytes] = {}
    for key in shared:
        digests[key] = _digest(key, folded[key])
        version = recent.get(digests[key])
        if version is not None:
            body = folded[key][-1].body
            found[key] = Written(key[0], key[1], SHARED, "unchanged", version, body)
    missing = [key for key in shared if key not in found]
    for key, row in _read(connection, missing, lock=False).items():
        merged, action = _merged(key, folded[key], row, lambda _: None)
        if action == "unchanged" and (merged.stamp, merged.stamps) == (row.stamp, row.stamps):
            found[key] = Written(
                key[0], key[1], row.patient, "unchanged", row.version, merged.body
            )
            if row.settled:
                recent.put(digests[key], row.version)
    return found


def _digest(key: Key, drafts: list[Draft]) -> bytes:
    digest = blake2b(key[1].bytes + key[0].encode(), digest_size=16)
    for draft in drafts:
        digest.update(repr((elements.rank(draft.stamp), draft.erased)).encode())
        digest.update(wire.canonical(_content(draft.body)))
    return digest.digest()
