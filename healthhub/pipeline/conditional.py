"""Which resource each intent of a transaction is about, criteria and conditional references resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg

from healthhub.errors import Conflict, HubError, InvalidRequest, NotFound, PreconditionFailed
from healthhub.model.resource import Body, Stored
from healthhub.pipeline import criteria, references
from healthhub.pipeline.intent import Intent, at
from healthhub.pipeline.references import Links

Connection = psycopg.Connection[Any]


class MetAnother(psycopg.errors.SerializationFailure):
    """What criteria found was deleted before it could be locked: search again."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an intent is about. ``id`` is empty when a conditional deletion finds nothing.

    ``found``: a conditional create has nothing to do, this is there. ``sought``: criteria found
    the id; ``unmatched``: they found nothing.
    """

    intent: Intent
    type: str
    id: str
    found: Stored | None = None
    sought: bool = False
    unmatched: bool = False

    @property
    def named(self) -> bool:
        """Whether a row may exist under the id, and is to be locked: no id that was just made."""
        return self.found is None and (self.sought or bool(self.intent.id))


def targets(conn: Connection, intents: Sequence[Intent], base: str) -> list[Target]:
    """The targets of all intents; InvalidRequest when two are about the same resource.

    Deletions count as done when a create's criteria are searched, as the order of processing
    wants it (http://hl7.org/fhir/R4/http.html#trules).
    """
    criteria.lock(conn, [(each.type, each.criteria) for each in intents if each.criteria])
    found: dict[int, Target] = {}
    made: dict[criteria.Condition, Target] = {}
    gone: set[tuple[str, str]] = set()
    for place, intent in _in_order(intents):
        with at(intent):
            target = found[place] = _target(conn, intent, base, gone, made)
        if intent.verb == "delete":
            gone.add((target.type, target.id))
    ordered = [found[place] for place in range(len(intents))]
    _distinct(ordered)
    return ordered


def _in_order(intents: Sequence[Intent]) -> list[tuple[int, Intent]]:
    return sorted(enumerate(intents), key=lambda each: each[1].verb != "delete")


def _target(
    conn: Connection,
    intent: Intent,
    base: str,
    gone: set[tuple[str, str]],
    made: dict[criteria.Condition, Target],
) -> Target:
    if intent.criteria is None:
        return Target(intent, intent.type, intent.id or str(uuid4()))
    condition = (intent.type, intent.criteria)
    if intent.verb == "create" and (same := made.get(condition)) is not None:
        raise InvalidRequest(
            f"this entry has the condition of {same.intent.place}; send what is the same once",
            expression="request.ifNoneExist",
        )
    stored = criteria.sole(conn, condition, base, gone if intent.verb == "create" else ())
    target = _of_condition(intent, stored)
    if intent.verb == "create":
        made[condition] = target
    return target


def _of_condition(intent: Intent, stored: Stored | None) -> Target:
    if stored is None:
        if intent.verb == "patch":
            raise NotFound(f"the condition finds no {intent.type} to patch")
        if intent.verb == "delete":
            return Target(intent, intent.type, "", unmatched=True)
        return Target(intent, intent.type, intent.id or str(uuid4()), unmatched=True)
    fhir_id = criteria.id_of(stored)
    if intent.verb == "create":
        return Target(intent, intent.type, fhir_id, found=stored)
    if intent.id and intent.id != fhir_id:
        raise InvalidRequest(
            f"the condition finds a {intent.type} of another id than the body's; leave the id "
            "out, or correct it",
            expression=f"{intent.type}.id",
        )
    return Target(intent, intent.type, fhir_id, sought=True)


def _distinct(found: Sequence[Target]) -> None:
    """Identities must not overlap (http.html#trules). Two creates that find the same are well."""
    seen: set[tuple[str, str]] = set()
    for target in found:
        name = (target.type, target.id)
        if target.id and target.found is None and name in seen:
            with at(target.intent):
                raise InvalidRequest(
                    f"another entry is about the same {target.type}; one transaction changes a "
                    "resource once"
                )
        if target.id and target.found is None:
            seen.add(name)


def rivals(known: Sequence[Target]) -> list[Target]:
    """Updates and patches by criteria that what the transaction creates could meet."""
    made = {each.type for each in known if each.intent.verb == "create" and not each.found}
    return [
        each
        for each in known
        if each.intent.criteria
        and each.intent.verb in ("update", "patch")
        and each.type in made
    ]


def posts(known: Sequence[Target], ready: Mapping[int, Body | None]) -> dict[int, Body | None]:
    """Of what can be written now, the deletions and creations: they come before the rest."""
    return {n: ready[n] for n in ready if known[n].intent.verb in ("delete", "create")}


def require_no_other(conn: Connection, found: Sequence[Target], base: str) -> None:
    """Raise unless the criteria, asked after the creations, find what they found before: else
    an entry would be about what another has made (http.html#trules: identities overlap)."""
    for target in found:
        assert target.intent.criteria is not None  # noqa: S101 - rivals() chose those
        with at(target.intent):
            now = criteria.sole(conn, (target.type, target.intent.criteria), base)
            if now is not None and criteria.id_of(now) != target.id:
                raise InvalidRequest(
                    f"the condition meets a {target.type} that another entry creates; send what "
                    "is the same once"
                )


def ready(
    conn: Connection,
    known: Sequence[Target],
    waiting: Mapping[int, Body | None],
    links: Links,
    base: str,
) -> dict[int, Body | None]:
    """Of what waits, the bodies that can be written now, with their links replaced.

    At first those without conditional references, so that such references can find what the
    transaction itself makes; then those whose references are found; PreconditionFailed when one
    finds nothing.
    """
    if not any(target.intent.place for target in known):
        return dict(waiting)
    free: dict[int, Body | None] = {}
    open_: dict[int, set[str]] = {}
    for place, body in waiting.items():
        if body is None:
            free[place] = None
            continue
        linked, left = links.resolved(body, known[place].intent.full_url)
        if left:
            open_[place] = left
        else:
            free[place] = linked
    return free or _resolved(conn, known, waiting, links, base, open_)


def _resolved(
    conn: Connection,
    known: Sequence[Target],
    waiting: Mapping[int, Body | None],
    links: Links,
    base: str,
    open_: Mapping[int, set[str]],
) -> dict[int, Body | None]:
    """The bodies whose conditional references find something now."""
    found: dict[str, str | None] = {}
    made: dict[int, Body | None] = {}
    for place, named in open_.items():
        with at(known[place].intent):
            for reference in named - found.keys():
                found[reference] = _found(conn, reference, base)
        texts = {each: text for each in named if (text := found[each]) is not None}
        body = waiting[place]
        if body is not None and len(texts) == len(named):
            made[place], _ = links.resolved(body, known[place].intent.full_url, texts)
    if not made:
        raise _missing(known[min(open_)])
    return made


def _found(conn: Connection, reference: str, base: str) -> str | None:
    condition = references.condition(reference)
    stored = criteria.sole(conn, condition, base)
    return None if stored is None else f"{stored.type}/{criteria.id_of(stored)}"


def _missing(target: Target) -> HubError:
    return PreconditionFailed(
        f"{target.intent.place}: a conditional reference finds nothing; send what it refers to "
        "first, or in this transaction",
        expression=f"{target.intent.place}.resource",
    )


def exists(resource_type: str) -> PreconditionFailed:
    """If-None-Match: * met something."""
    return PreconditionFailed(f"this {resource_type} exists already; it is not to be replaced")


def other(resource_type: str) -> Conflict:
    """A conditional update found nothing, and yet its id is taken."""
    return Conflict(
        f"a {resource_type} of this id exists, and the condition does not find it; correct the "
        "condition or the id"
    )
