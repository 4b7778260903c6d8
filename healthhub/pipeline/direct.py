"""Writes of FHIR clients: conditions, store and person index in one transaction.

One interaction is a transaction of one. All of a transaction's criteria are locked first, then
all rows it names in one order, and only then anything is written: transactions that touch the
same resources in different orders wait for one another and do not deadlock. Where two meet all
the same (in the person index, or over a new id), the transaction is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.errors import LockNotAvailable

from healthhub import identify
from healthhub.errors import Gone, InvalidRequest, NotFound, TryAgain
from healthhub.model.resource import Body, Stored
from healthhub.pipeline import attempts, conditional, marks
from healthhub.pipeline.conditional import Target
from healthhub.pipeline.intent import Intent, Outcome, at
from healthhub.pipeline.references import Links
from healthhub.store import direct as store
from healthhub.store.writer import Written

Connection = psycopg.Connection[Any]
Seal = Callable[[Connection, Sequence[Outcome]], None]
"""What else belongs to the transaction, done just before its commit."""

ATTEMPTS = 10


def perform(
    conn: Connection, intents: Sequence[Intent], base: str = "", seal: Seal | None = None
) -> list[Outcome]:
    """Do all of the intents or none; the outcomes are in their order.

    ``base`` is the service's own address, for criteria that name a resource by it. Raises
    PreconditionFailed, Conflict, NotFound, Gone, InvalidRequest, Unprocessable; TryAgain when
    other writers were in the way of every attempt.
    """

    def work() -> list[Outcome]:
        outcomes = _perform(conn, intents, base)
        if seal is not None:
            seal(conn, outcomes)
        return outcomes

    try:
        return attempts.attempt(conn, work, ATTEMPTS)
    except (*attempts.MET, LockNotAvailable):
        raise TryAgain(
            "other writers were at work on the same resources; send it again"
        ) from None


def _perform(conn: Connection, intents: Sequence[Intent], base: str) -> list[Outcome]:
    targets = conditional.targets(conn, intents, base)
    names = [(target.type, target.id) for target in targets if target.named]
    held = store.hold(conn, names)
    for target in targets:
        with at(target.intent):
            _allow(target, held.get((target.type, target.id)))
    links = Links((t.intent.full_url, f"{t.type}/{t.id}") for t in targets)
    done: dict[int, store.Done] = {}
    waiting: dict[int, Body | None] = {}
    withheld: dict[int, marks.Withheld] = {}
    for place, target in enumerate(targets):
        if not target.found:
            there = held.get((target.type, target.id))
            waiting[place], withheld[place] = marks.allowed(_body(target, there), there)
    rivals = conditional.rivals(targets)
    while waiting:
        ready = conditional.ready(conn, targets, waiting, links, base)
        if rivals and (posts := conditional.posts(targets, ready)):
            ready = posts
        elif rivals:
            conditional.require_no_other(conn, rivals, base)
            rivals = []
        changes = [store.Change(targets[n].type, targets[n].id, ready[n]) for n in ready]
        for place, each in zip(ready, store.apply(conn, changes, held), strict=True):
            done[place] = each
            del waiting[place]
    _observe(conn, [done[place] for place in sorted(done)])
    return [
        _outcome(target, done.get(place), withheld.get(place, ()))
        for place, target in enumerate(targets)
    ]


def _allow(target: Target, held: store.Held | None) -> None:
    """Whether the intent may go on with what is there."""
    intent = target.intent
    if target.found is not None:
        return
    if target.sought and (held is None or held.stored.deleted):
        raise conditional.MetAnother
    store.demand(held, intent.if_match)
    alive = held is not None and not held.stored.deleted
    if intent.fresh and alive:
        raise conditional.exists(target.type)
    if target.unmatched and intent.id and alive:
        raise conditional.other(target.type)
    if intent.verb == "patch" and not alive:
        if held is None:
            raise NotFound(f"there is no such {target.type}")
        raise Gone(f"this {target.type} was deleted; PUT it to bring it back")


def _body(target: Target, held: store.Held | None) -> Body | None:
    """The body that is wanted; None for a deletion."""
    intent = target.intent
    if intent.verb != "patch":
        return intent.body
    assert held is not None  # noqa: S101 - _allow saw to it
    assert intent.patch is not None  # noqa: S101 - a patch has one
    with at(intent):
        body = intent.patch(store.current(held))
        if body.get("id") != target.id or body.get("resourceType") != target.type:
            raise InvalidRequest(
                "a patch changes neither id nor resourceType", expression=f"{target.type}.id"
            )
        return body


def _observe(conn: Connection, done: Sequence[store.Done]) -> None:
    """Let the person index see the write before it is committed."""
    written = [
        Written(
            stored.type,
            stored.id,
            stored.patient,
            "created" if stored.version == 1 else "updated",
            stored.version,
            each.body,
        )
        for each in done
        if (stored := each.stored) is not None and each.action != "unchanged"
    ]
    if written:
        identify.observe(conn, written, [])


def _outcome(target: Target, done: store.Done | None, withheld: marks.Withheld) -> Outcome:
    if done is None:
        return Outcome("found" if target.found else "nothing", target.id, target.found)
    return Outcome(done.action, target.id, done.stored, withheld)


def create(conn: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the hub's choice."""
    return _stored(perform(conn, [Intent("create", resource_type, str(uuid4()), body=body)]))


def update(
    conn: Connection,
    resource_type: str,
    fhir_id: str,
    body: Body,
    if_match: int | None = None,
) -> Stored:
    """Replace a resource, or create it under the client's id; PreconditionFailed when
    ``if_match`` is not the current version."""
    intent = Intent("update", resource_type, fhir_id, body=body, if_match=if_match)
    return _stored(perform(conn, [intent]))


def delete(
    conn: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete a resource; None when there was nothing to delete."""
    intent = Intent("delete", resource_type, fhir_id, if_match=if_match)
    return perform(conn, [intent])[0].stored


def _stored(outcomes: list[Outcome]) -> Stored:
    stored = outcomes[0].stored
    assert stored is not None  # noqa: S101 - only a deletion can give None
    return stored
