"""Delivery: what is due for one subscription is sent, in order, and what came of it kept.

At least once: an event counts as delivered when its receiver has answered 2xx and that is
stored. When the hub dies between the two, it is sent again under the same number.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
import orjson
import psycopg
from psycopg_pool import ConnectionPool

from healthhub import clock, outbound
from healthhub.access import audit, standing
from healthhub.access.actor import Purpose
from healthhub.access.audit import Event as Access
from healthhub.access.policy import Action, permits
from healthhub.errors import Forbidden, HubError
from healthhub.model.ids import SHARED
from healthhub.model.resource import Stored
from healthhub.settings import Subscriptions
from healthhub.store import changes
from healthhub.subscriptions import notification, registry, table
from healthhub.subscriptions.table import Event, Subscription
from healthhub.subscriptions.topics import Topic

FHIR = "application/fhir+json"
TURN = 20
"""Requests to one receiver before others have their turn."""
MOST_ANSWER = 2**16
"""Bytes read of an answer; a receiver has nothing to say."""
Versions = Mapping[tuple[str, UUID, int], Stored]


class NotTaken(Exception):
    """The receiver did not take a notification; the text says how, without anyone's data."""


def client_of(settings: Subscriptions) -> httpx.Client:
    """A client that verifies certificates and follows no redirection."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    limits = httpx.Limits(max_connections=settings.at_once)
    return httpx.Client(verify=context, follow_redirects=False, trust_env=False, limits=limits)


class Deliverer:
    """Sends for one subscription at a time in each of the threads that call ``attend``."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[Any]],
        client: httpx.Client,
        settings: Subscriptions,
        topics: Mapping[str, Topic],
        base: str,
    ) -> None:
        self._pool, self._client, self._settings = pool, client, settings
        self._topics, self._base = topics, base

    def attend(self, one: Subscription) -> None:
        """Do what is due: end it, activate it, send its events, or a heartbeat."""
        if one.ends is not None and one.ends <= clock.now():
            self._end(one, "the end that the Subscription names has come")
            return
        try:
            self._require(one)
            if one.state == "requested" or (one.state == "error" and not one.pending):
                self._activate(one)
            elif one.pending:
                self._send_pending(one)
            else:
                self._post(one, notification.bundle("heartbeat", one, self._base))
                self._delivered(one, one.delivered)
        except NotTaken as error:
            self._failed(one, str(error))
        except HubError as error:
            self._failed(one, error.message, at_once=True)

    def _require(self, one: Subscription) -> None:
        """Whoever subscribed may still be told, and the address is still allowed."""
        with self._pool.connection() as conn:
            who = standing.actor_of(conn, one.owner)
        if who is None or not permits(who, Purpose(one.purpose), Action.SUBSCRIBE):
            raise Forbidden("whoever wrote this Subscription has no right to it any more")
        outbound.require(
            one.wanted.endpoint,
            self._settings.allow,
            "subscriptions.allow",
            "Subscription.channel.endpoint",
        )

    def _activate(self, one: Subscription) -> None:
        """A handshake where there is a topic; then its events count.

        https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html#handshake
        """
        if one.wanted.topic:
            kind = "handshake" if one.state == "requested" else "heartbeat"
            self._post(one, notification.bundle(kind, one, self._base))
        with self._pool.connection() as conn:
            if table.activate(conn, one):
                registry.show(conn, one.id, one.version, "active")

    def _send_pending(self, one: Subscription) -> None:
        reached, size = one.delivered, one.wanted.count if one.wanted.topic else 1
        for _ in range(TURN):
            with self._pool.connection() as conn:
                events = table.events(conn, one.id, reached + 1, None, size)
                if not events:
                    break
                versions = changes.versions(conn, [(e.type, e.id, e.version) for e in events])
                self._audit(conn, one, events, versions)
            if one.wanted.topic:
                body = notification.bundle(
                    "event-notification", one, self._base, events, versions
                )
                self._post(one, body)
            else:
                self._plain(one, events[0], versions)
            reached = events[-1].number
            self._delivered(one, reached)

    def _plain(self, one: Subscription, event: Event, versions: Versions) -> None:
        """R4's own form: an empty POST, or the resource PUT below the endpoint.

        http://hl7.org/fhir/R4/valueset-subscription-channel-type.html
        """
        stored = versions.get((event.type, event.id, event.version))
        if one.wanted.content == "none" or stored is None:
            self._request(one, "POST", one.wanted.endpoint, b"")
            return
        fhir_id = orjson.loads(stored.json)["id"]
        address = f"{one.wanted.endpoint.rstrip('/')}/{event.type}/{fhir_id}"
        self._request(one, "PUT", address, stored.json)

    def _post(self, one: Subscription, body: bytes) -> None:
        self._request(one, "POST", one.wanted.endpoint, body)

    def _request(self, one: Subscription, method: str, address: str, body: bytes) -> None:
        """Send; NotTaken unless the answer is 2xx in time."""
        seconds = float(one.wanted.timeout or self._settings.timeout_seconds)
        headers = list(one.wanted.headers)
        if body:
            headers.append(("content-type", FHIR))
        until = time.monotonic() + seconds
        try:
            with self._client.stream(
                method, address, content=body, headers=headers, timeout=seconds
            ) as answer:
                size = 0
                for chunk in answer.iter_raw():
                    size += len(chunk)
                    if size > MOST_ANSWER or time.monotonic() > until:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise NotTaken(f"the receiver cannot be reached ({type(error).__name__})") from None
        if not answer.is_success:
            raise NotTaken(f"the receiver answered HTTP {answer.status_code}")

    def _audit(
        self,
        conn: psycopg.Connection[Any],
        one: Subscription,
        events: Sequence[Event],
        versions: Versions,
    ) -> None:
        """Before anything leaves the hub it is written down; the connection's commit is next."""
        who = standing.actor_of(conn, one.owner)
        if who is None:
            return
        owners = dict.fromkeys(each.patient for each in versions.values())
        owners.pop(SHARED, None)
        access = Access(
            who,
            Purpose(one.purpose),
            Action.SUBSCRIBE,
            type="Subscription",
            patients=tuple(owners),
            ids=(one.fhir_id,),
            query=f"delivery of events {events[0].number} to {events[-1].number}",
        )
        conn.execute(audit.INSERT, (audit.as_parameter([access]),))

    def _delivered(self, one: Subscription, number: int) -> None:
        with self._pool.connection() as conn:
            table.delivered(conn, one, number)
            if one.state == "error" and table.activate(conn, one):
                registry.show(conn, one.id, one.version, "active")

    def _failed(self, one: Subscription, said: str, *, at_once: bool = False) -> None:
        """Wait longer each time; from the last attempt that counts on, show it. It never ends
        but by keep_days without any success, and that is shown too."""
        since = one.failing_since
        if since is not None and (clock.now() - since).days >= self._settings.keep_days:
            self._end(
                one, f"switched off: nothing was taken in {self._settings.keep_days} days"
            )
            return
        longest = self._settings.longest_pause_seconds
        pause = min(longest, 2.0 ** min(one.failures, 20)) * random.uniform(0.75, 1)  # noqa: S311
        many = one.failures + 1 >= self._settings.attempts
        shown = at_once or many or one.state in ("requested", "error")
        state = "error" if shown else one.state
        with self._pool.connection() as conn:
            table.failed(conn, one, said, longest if at_once else pause, state)
            if state == "error":
                registry.show(conn, one.id, one.version, "error", said)

    def _end(self, one: Subscription, said: str) -> None:
        with self._pool.connection() as conn:
            if registry.show(conn, one.id, one.version, "off", said):
                table.turn_off(conn, one.id, _version(conn, one), said)


def _version(conn: psycopg.Connection[Any], one: Subscription) -> int:
    found = table.by_id(conn, one.id)
    return one.version if found is None else found.version
