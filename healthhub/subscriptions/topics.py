"""Topics: what can be subscribed to by name, as data in the form of R5's SubscriptionTopic.

http://hl7.org/fhir/R5/subscriptiontopic.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson

from healthhub.errors import SettingError
from healthhub.store import search, types

Params = tuple[tuple[str, str], ...]
SHIPPED = Path(__file__).parent / "topics"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which versions of a type are events. ``previous`` and ``current``: searches that the
    version before and the new one must match, none for no demand; ``both``: whether both must."""

    type: str
    interactions: frozenset[str]
    previous: Params | None = None
    current: Params | None = None
    both: bool = True
    on_create: bool = True
    on_delete: bool = True


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. ``filters``: for each type the search parameters that a subscriber may use."""

    url: str
    title: str
    triggers: tuple[Trigger, ...]
    filters: Mapping[str, frozenset[str]]


def load(folder: Path | None) -> dict[str, Topic]:
    """The topics of this release and of the administrator's folder, by canonical address."""
    return dict(_load(SHIPPED)) | (dict(_load(folder)) if folder is not None else {})


@cache
def _load(folder: Path) -> Sequence[tuple[str, Topic]]:
    found: list[tuple[str, Topic]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            topic = _topic(orjson.loads(path.read_bytes()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingError(
                f"{path} is no SubscriptionTopic that the hub understands "
                f"({type(error).__name__}: {error}); correct it or take it away",
                expression="subscriptions.topics_folder",
            ) from None
        found.append((topic.url, topic))
    return tuple(found)


def _topic(body: Mapping[str, Any]) -> Topic:
    filters: dict[str, set[str]] = {}
    for one in body.get("canFilterBy", ()):
        filters.setdefault(_type(one["resource"]), set()).add(one["filterParameter"])
    return Topic(
        body["url"],
        body.get("title", ""),
        tuple(_trigger(one) for one in body["resourceTrigger"]),
        {name: frozenset(known) for name, known in filters.items()},
    )


def _trigger(one: Mapping[str, Any]) -> Trigger:
    name = _type(one["resource"])
    criteria = one.get("queryCriteria", {})
    previous, current = (
        tuple(parse_qsl(criteria[key], strict_parsing=True)) if key in criteria else None
        for key in ("previous", "current")
    )
    for params in (previous, current):
        if params is not None:
            search.compile(name, params)
    return Trigger(
        name,
        frozenset(one.get("supportedInteraction", ("create", "update"))),
        previous,
        current,
        bool(criteria.get("requireBoth", False)),
        criteria.get("resultForCreate", "test-passes") == "test-passes",
        criteria.get("resultForDelete", "test-fails") == "test-passes",
    )


def _type(name: str) -> str:
    plain = name.rpartition("/")[2]
    if plain not in types.NUMBERS:
        raise ValueError(f"{plain} is no resource type")
    return plain
