"""Matching: each change, in order, with each subscription; a match becomes a numbered event.

A change and its events are dealt with in one transaction, so that a crash neither loses a
change nor enters it twice. Criteria are searches of the store itself, asked of the very version
that was stored (store.shadow), whatever has become of the resource since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from healthhub import identify
from healthhub.model.resource import Stored
from healthhub.store import changes, search, types
from healthhub.store.changes import Change
from healthhub.store.shadow import MOST, Shadow
from healthhub.subscriptions import table
from healthhub.subscriptions.table import Subscription
from healthhub.subscriptions.topics import Params, Topic, Trigger

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A change with what was stored and what was there before; ``before`` is none when the
    resource was made, or made again."""

    change: Change
    now: Stored
    before: Stored | None

    @property
    def interaction(self) -> str:
        """create, update or delete."""
        if self.now.deleted:
            return "delete"
        return "update" if self.before is not None else "create"


class Matcher:
    """Enters events for changes; ``apart`` is a connection for the store's shadow."""

    def __init__(
        self, conn: Connection, apart: Connection, topics: Mapping[str, Topic], base: str
    ) -> None:
        self._conn, self._shadow = conn, Shadow(apart)
        self._topics, self._base = topics, base

    def enter(self, found: Sequence[Change]) -> None:
        """Enter the events of these changes, in the caller's transaction."""
        subscriptions = [
            one
            for one in table.counting(self._conn)
            if any(types.NUMBERS[change.type] in one.types for change in found)
        ]
        if not subscriptions:
            return
        for seen in _rounds(self._seen(found)):
            judged = Judged(self._conn, self._shadow, seen, self._base)
            for one in subscriptions:
                matched = [each for each in seen if self._is_event(one, each, judged)]
                if matched:
                    table.enter(self._conn, one.id, [_entered(each) for each in matched])

    def _seen(self, found: Sequence[Change]) -> list[Seen]:
        keys = [(change.type, change.id, change.version) for change in found]
        before = [(name, key, version - 1) for name, key, version in keys if version > 1]
        stored = changes.versions(self._conn, (*keys, *before))
        seen: list[Seen] = []
        for change, (name, key, version) in zip(found, keys, strict=True):
            now = stored.get((name, key, version))
            old = stored.get((name, key, version - 1))
            if now is not None:
                alive = old is not None and not old.deleted
                seen.append(Seen(change, now, old if alive else None))
        return seen

    def _is_event(self, one: Subscription, seen: Seen, judged: Judged) -> bool:
        name = seen.now.type
        if types.NUMBERS[name] not in one.types:
            return False
        wanted = one.wanted
        if wanted.topic:
            topic = self._topics.get(wanted.topic)
            if topic is None or not any(
                _triggered(trigger, seen, judged)
                for trigger in topic.triggers
                if trigger.type == name and seen.interaction in trigger.interactions
            ):
                return False
        elif seen.now.deleted:
            return False
        last = seen.before if seen.now.deleted else seen.now
        return last is not None and all(
            judged.matches(params, last) for params in wanted.filters.get(name, ())
        )


def _entered(seen: Seen) -> tuple[str, UUID, int, bool, bool, Any]:
    change = seen.change
    created = seen.interaction == "create"
    return change.type, change.id, change.version, seen.now.deleted, created, change.at


def _rounds(found: Sequence[Seen]) -> Iterable[list[Seen]]:
    """In order, parted so that no resource comes twice in a part: its versions are laid out one
    at a time."""
    part: list[Seen] = []
    keys: set[tuple[str, UUID]] = set()
    for each in found:
        key = (each.now.type, each.now.id)
        if key in keys or len(part) == MOST:
            yield part
            part, keys = [], set()
        part.append(each)
        keys.add(key)
    if part:
        yield part


def _triggered(trigger: Trigger, seen: Seen, judged: Judged) -> bool:
    """http://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.resourceTrigger.queryCriteria"""
    tests: list[bool] = []
    if trigger.previous is not None:
        tests.append(
            trigger.on_create
            if seen.before is None
            else judged.matches(trigger.previous, seen.before)
        )
    if trigger.current is not None:
        tests.append(
            trigger.on_delete if seen.now.deleted else judged.matches(trigger.current, seen.now)
        )
    return all(tests) if trigger.both or not tests else any(tests)


class Judged:
    """Which of a round's versions match which search, each search asked once."""

    def __init__(
        self, conn: Connection, shadow: Shadow, seen: Sequence[Seen], base: str
    ) -> None:
        self._conn, self._shadow, self._base = conn, shadow, base
        self._now = {id(each.now): each.now for each in seen if not each.now.deleted}
        self._before = {id(each.before): each.before for each in seen if each.before}
        self._laid: Mapping[int, Stored] | None = None
        self._cover: dict[UUID, list[UUID]] = {}
        self._matched: dict[tuple[bool, str, Params], set[UUID]] = {}

    def matches(self, params: Params, stored: Stored) -> bool:
        """Whether a version of the round matches."""
        if not params:
            return True
        old = id(stored) in self._before
        key = (old, stored.type, params)
        found = self._matched.get(key)
        if found is None:
            versions = self._before if old else self._now
            found = self._matched[key] = self._search(versions, stored.type, params)
        return stored.id in found

    def _search(self, versions: Mapping[int, Stored], name: str, params: Params) -> set[UUID]:
        named = search.patient_references(name, params, self._base)
        for key in named - self._cover.keys():
            self._cover[key] = identify.cover(self._conn, key)
        if named:
            covered = {member for key in named for member in self._cover[key]}
            owners = {each.patient for each in versions.values() if each.type == name}
            if covered.isdisjoint(owners):
                return set()
        if self._laid is not versions:
            self._shadow.lay(list(versions.values()))
            self._laid = versions
        return self._shadow.matching(name, params, self._base)
