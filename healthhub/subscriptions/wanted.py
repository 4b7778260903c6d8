"""What a Subscription asks for: criteria or topic with filters, and how to deliver.

http://hl7.org/fhir/R4/subscription.html
https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from healthhub import outbound
from healthhub.errors import HubError, Unprocessable
from healthhub.model.resource import Body
from healthhub.settings import Subscriptions
from healthhub.store import search, types
from healthhub.store.parameters import CONTROL
from healthhub.subscriptions.topics import Params, Topic

Content = Literal["none", "empty", "id-only", "full-resource"]
EXTENSION = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
_QUERY = re.compile(r"([A-Z][A-Za-z]+)(?:\?(.*))?", re.DOTALL)
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*:[ \t]*([\x20-\x7e]*)")
_OURS = frozenset(
    "host content-length content-type content-encoding transfer-encoding connection".split()
)
_JSON = frozenset({"application/fhir+json", "application/json"})
MOST_SECONDS = 60
USUAL_COUNT, MOST_COUNT = 20, 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """``topic``: canonical address, empty for plain criteria. ``filters``: type to searches that
    must all match (plain criteria are one). ``content``: none sends an empty body."""

    topic: str
    filters: Mapping[str, tuple[Params, ...]]
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    content: Content
    heartbeat: int = 0
    timeout: int = 0
    count: int = USUAL_COUNT
    ends: str | None = None

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Wanted:
        """From JSON."""
        filters = {
            name: tuple(tuple((pair[0], pair[1]) for pair in one) for one in several)
            for name, several in kept["filters"].items()
        }
        headers = tuple((pair[0], pair[1]) for pair in kept["headers"])
        return cls(**{**kept, "filters": filters, "headers": headers})


def read(body: Body, settings: Subscriptions, topics: Mapping[str, Topic]) -> Wanted:
    """What the resource asks for; Unprocessable with the place of what cannot be done."""
    channel = body.get("channel", {})
    if channel.get("type") != "rest-hook":
        raise _wrong("the hub delivers by rest-hook", "channel.type")
    endpoint = channel.get("endpoint", "")
    outbound.require(endpoint, settings.allow, "subscriptions.allow", _at("channel.endpoint"))
    topic, filters = _criteria(body, topics)
    return Wanted(
        topic,
        filters,
        endpoint,
        tuple(_header(text) for text in channel.get("header", ())),
        _content(channel, bool(topic)),
        heartbeat=_number(channel, "heartbeat-period", 0, 10**9),
        timeout=_number(channel, "timeout", 0, MOST_SECONDS),
        count=_number(channel, "max-count", USUAL_COUNT, MOST_COUNT) or USUAL_COUNT,
        ends=_instant(body.get("end")),
    )


def types_of(wanted: Wanted, topics: Mapping[str, Topic]) -> set[int]:
    """The numbers of the types that can bring an event."""
    names = (
        {trigger.type for trigger in topics[wanted.topic].triggers}
        if wanted.topic
        else set(wanted.filters)
    )
    return {types.NUMBERS[name] for name in names}


def _criteria(
    body: Body, topics: Mapping[str, Topic]
) -> tuple[str, dict[str, tuple[Params, ...]]]:
    criteria = body.get("criteria", "")
    query = _QUERY.fullmatch(criteria)
    if query is not None:
        return "", {query[1]: (_search(query[1], query[2] or "", None, "criteria"),)}
    topic = topics.get(criteria.partition("|")[0])
    if topic is None:
        raise _wrong(
            "criteria is a search such as Observation?code=..., or the address of a topic: "
            + ", ".join(sorted(topics)),
            "criteria",
        )
    filters: dict[str, tuple[Params, ...]] = {}
    known = {trigger.type for trigger in topic.triggers}
    for text in _extensions(body.get("_criteria"), "filter-criteria"):
        found = _QUERY.fullmatch(str(text))
        if found is None or found[1] not in known:
            raise _wrong(
                f"a filter of this topic is a search of {', '.join(sorted(known))}", "criteria"
            )
        allowed = topic.filters.get(found[1], frozenset())
        params = _search(found[1], found[2] or "", allowed, "criteria")
        filters[found[1]] = (*filters.get(found[1], ()), params)
    return topic.url, filters


def _search(name: str, text: str, allowed: frozenset[str] | None, place: str) -> Params:
    if name not in types.NUMBERS:
        raise _wrong(f"{name[:64]} is no resource type", place)
    params = tuple(parse_qsl(text, keep_blank_values=True))
    for key, _ in params:
        bare = key.partition(":")[0]
        if bare in CONTROL or "." in key or bare.startswith("_has"):
            raise _wrong(
                f"{key[:64]} has no place in criteria: they look at the changed resource alone",
                place,
            )
        if allowed is not None and bare not in allowed:
            raise _wrong(
                f"the topic cannot be filtered by {bare[:64]}; it can by "
                f"{', '.join(sorted(allowed))}",
                place,
            )
    try:
        search.compile(name, params)
    except HubError as error:
        raise _wrong(error.message, place) from None
    return params


def _content(channel: Body, by_topic: bool) -> Content:
    media = channel.get("payload", "").partition(";")[0].strip().lower()
    if media and media not in _JSON:
        raise _wrong("the hub sends application/fhir+json", "channel.payload")
    if not by_topic:
        return "full-resource" if media else "none"
    asked = _extensions(channel.get("_payload"), "payload-content")
    if len(asked) != 1 or not media:
        raise _wrong(
            "a topic needs payload application/fhir+json with the extension "
            "backport-payload-content",
            "channel.payload",
        )
    match asked[0]:
        case "empty" | "id-only" | "full-resource" as content:
            return content
    raise _wrong("the content is empty, id-only or full-resource", "channel.payload")


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None or found[1].lower() in _OURS:
        raise _wrong(
            "a header is 'Name: value' in ASCII, and none that the hub sets itself",
            "channel.header",
        )
    return found[1], found[2].strip()


def _extensions(element: Any, name: str) -> list[Any]:
    found: list[Any] = []
    for one in (element or {}).get("extension", ()):
        if one.get("url") == EXTENSION + name:
            found += [value for key, value in one.items() if key.startswith("value")]
    return found


def _number(channel: Body, name: str, usual: int, most: int) -> int:
    given = _extensions(channel, name)
    if not given:
        return usual
    if len(given) > 1 or not isinstance(given[0], int) or given[0] < 0:
        raise _wrong(f"backport-{name} is one whole number", "channel")
    return min(given[0], most)


def _instant(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:  # a leap second, which FHIR allows and no clock here shows
        raise _wrong("end is an instant such as 2027-01-01T00:00:00+08:00", "end") from None


def _at(place: str) -> str:
    return f"Subscription.{place}"


def _wrong(sentence: str, place: str) -> Unprocessable:
    return Unprocessable(sentence, expression=_at(place))
