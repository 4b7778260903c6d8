"""What a result does not show to everyone who may read it: the secrets of Subscriptions, and
what a client's scopes leave out.

A header of a Subscription's channel is as a rule a credential of its receiver. Whoever may be
sent what changes (Action.SUBSCRIBE) reads it, so as to write back what was read; anyone else
reads that there is one, under its name.
http://hl7.org/fhir/R4/subscription-definitions.html#Subscription.channel.header
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, cast

from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action, permits, shows
from healthhub.model.resource import Stored
from healthhub.store import wire
from healthhub.store.query import Page

T = TypeVar("T")
MASK = "***"


def veiled(who: Actor, purpose: Purpose, found: T) -> T:
    """The result of a read, be it a resource, a page or a collection, as this actor may see it."""
    return cast(T, _veiled(who, purpose, found))


def _veiled(who: Actor, purpose: Purpose, found: Any) -> Any:
    if isinstance(found, Stored):
        hidden = found.type == "Subscription" and not permits(who, purpose, Action.SUBSCRIBE)
        return _without(found) if hidden else found
    if isinstance(found, Page):
        return replace(
            found,
            matches=veiled(who, purpose, found.matches),
            included=veiled(who, purpose, found.included),
        )
    if isinstance(found, list):
        return [
            _veiled(who, purpose, one)
            for one in cast(list[Any], found)
            if not isinstance(one, Stored) or shows(who, one.type)
        ]
    if isinstance(found, dict):
        pairs = cast(dict[Any, Any], found).items()
        return {name: _veiled(who, purpose, one) for name, one in pairs}
    return found


def _without(stored: Stored) -> Stored:
    if stored.deleted:
        return stored
    body: dict[str, Any] = wire.reload(stored.json)
    channel = body.get("channel", {})
    if not channel.get("header"):
        return stored
    channel["header"] = [f"{text.partition(':')[0]}: {MASK}" for text in channel["header"]]
    return replace(stored, json=wire.dumps(body))
