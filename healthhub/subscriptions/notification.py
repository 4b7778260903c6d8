"""What is sent: notification bundles of R4, a status first, resources spliced as bytes.

https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from healthhub import clock
from healthhub.model.resource import Stored
from healthhub.subscriptions.table import Event, Subscription

PROFILE = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-"
)
Versions = Mapping[tuple[str, UUID, int], Stored]


def bundle(
    kind: str,
    one: Subscription,
    base: str,
    events: Sequence[Event] = (),
    versions: Versions | None = None,
    content: str | None = None,
    status: str | None = None,
) -> bytes:
    """A notification of a kind: handshake, heartbeat, event-notification, query-event.

    ``content`` is the subscription's own unless another is asked for; ``status`` likewise.
    """
    content = content or one.wanted.content
    found = versions or {}
    focus = (
        {} if content == "empty" else {each.number: _address(each, found) for each in events}
    )
    entries = [status_entry(kind, one, base, events, focus, status)]
    if content != "empty":
        entries += [_entry(each, found, base, focus[each.number], content) for each in events]
    head = {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "meta": {"profile": [f"{PROFILE}notification-r4"]},
        "type": "history",
        "timestamp": instant(clock.now()),
    }
    return b'%b,"entry":[%b]}' % (orjson.dumps(head)[:-1], b",".join(entries))


def status_entry(
    kind: str,
    one: Subscription,
    base: str,
    events: Sequence[Event] = (),
    focus: Mapping[int, str] | None = None,
    status: str | None = None,
    *,
    found: bool = False,
) -> bytes:
    """The Parameters that tell a subscription's status; ``found``: as a match of a search."""
    address = f"{base}/Subscription/{one.fhir_id}"
    given: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": address}}
    ]
    if one.wanted.topic and one.wanted.content != "empty":
        given.append({"name": "topic", "valueCanonical": one.wanted.topic})
    given += [
        {"name": "status", "valueCode": status or one.state},
        {"name": "type", "valueCode": kind},
        {
            "name": "events-since-subscription-start",
            "valueString": str(_count(kind, one, events)),
        },
    ]
    for event in events:
        parts: list[dict[str, Any]] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": instant(event.at)},
        ]
        if focus:
            named = {"reference": f"{base}/{focus[event.number]}"}
            parts.append({"name": "focus", "valueReference": named})
        given.append({"name": "notification-event", "part": parts})
    if one.said:
        given.append({"name": "error", "valueCodeableConcept": {"text": one.said}})
    name = str(uuid4())
    entry: dict[str, Any] = {
        "fullUrl": f"urn:uuid:{name}",
        "resource": {
            "resourceType": "Parameters",
            "id": name,
            "meta": {"profile": [f"{PROFILE}status-r4"]},
            "parameter": given,
        },
    }
    if found:
        entry["search"] = {"mode": "match"}
    else:
        entry["request"] = {"method": "GET", "url": f"{address}/$status"}
        entry["response"] = {"status": "200"}
    return orjson.dumps(entry)


def _count(kind: str, one: Subscription, events: Sequence[Event]) -> int:
    """Of a notification the count includes its own events and none after them."""
    return events[-1].number if kind == "event-notification" and events else one.events


def _address(event: Event, versions: Versions) -> str:
    stored = versions.get((event.type, event.id, event.version))
    fhir_id = str(event.id) if stored is None else orjson.loads(stored.json)["id"]
    return f"{event.type}/{fhir_id}"


def _entry(event: Event, versions: Versions, base: str, address: str, content: str) -> bytes:
    if event.deleted:
        request, status = {"method": "DELETE", "url": address}, "204"
    elif event.created:
        request, status = {"method": "POST", "url": event.type}, "201"
    else:
        request, status = {"method": "PUT", "url": address}, "200"
    head = {
        "fullUrl": f"{base}/{address}",
        "request": request,
        "response": {"status": status},
    }
    stored = versions.get((event.type, event.id, event.version))
    if content != "full-resource" or event.deleted or stored is None:
        return orjson.dumps(head)
    return b'%b,"resource":%b}' % (orjson.dumps(head)[:-1], stored.json)


def instant(moment: datetime) -> str:
    """A FHIR instant in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
