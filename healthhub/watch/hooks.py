"""Telling hooks of alarms: signed, from the outbox, again until they take it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import random
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx
import psycopg

from healthhub import clock
from healthhub.errors import HubError
from healthhub.settings import Hook, Settings
from healthhub.watch import alarms, words
from healthhub.watch.alarms import Alarm, Notice
from healthhub.web.language import translator

log = logging.getLogger(__name__)

SECONDS = 10.0
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 1800.0
MOST_ANSWER = 2**16
AWAY = "cannot be reached"


def body(settings: Settings, alarm: Alarm, event: str, hook: str) -> str:
    """What a hook is sent of an alarm."""
    source = settings.sources.get(alarm.source)
    base = settings.web.base_url.rstrip("/")
    return alarms.dumped(
        {
            "type": f"alarm.{event}",
            "alarm": alarm.id,
            "source": alarm.source,
            "title": source.title if source else "",
            "rule": alarm.rule,
            "opened": alarm.opened.isoformat(),
            "closed": alarm.closed.isoformat() if alarm.closed else None,
            "facts": alarm.facts,
            "text": words.text(alarm, translator(settings.alarms.hooks[hook].language)),
            "page": f"{base}/console/alarms" if base else None,
        }
    )


def signature(secret: bytes, id_: str, timestamp: str, content: bytes) -> str:
    """The header that proves who sent it: v1 and HMAC-SHA256 of id, time and body."""
    signed = f"{id_}.{timestamp}.".encode() + content
    mac = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}"


class Teller:
    """Sends what is due, one after the other. A hook that cannot be reached is tried once in a
    turn, whatever waits for it: it holds up others for no longer than its time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hooks: Mapping[str, Hook] = settings.alarms.hooks
        self._clients = {name: _client(hook) for name, hook in self._hooks.items()}

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def tell(self, conn: psycopg.Connection[Any]) -> int:
        """Send what is due; gives how many were taken."""
        taken = 0
        away: dict[str, float] = {}
        for notice in alarms.due(conn):
            if notice.hook in away:
                alarms.put_off(conn, notice.id, away[notice.hook])
                continue
            said = self._send(notice)
            if not said:
                alarms.sent(conn, notice.id)
                taken += 1
                continue
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(notice.attempts, 20))
            age = (clock.now() - notice.made).total_seconds() / 3600
            last = notice.hook not in self._hooks or age > self._settings.alarms.give_up_hours
            log.warning("alarm hook=%s problem=%s given_up=%s", notice.hook, said, last)
            jitter = random.uniform(0.75, 1)  # noqa: S311
            alarms.not_sent(conn, notice.id, said, pause * jitter, last=last)
            if said.startswith(AWAY):
                away[notice.hook] = pause * jitter
        return taken

    def _send(self, notice: Notice) -> str:
        """Why the hook did not take it; empty when it did."""
        hook = self._hooks.get(notice.hook)
        if hook is None:
            return "the settings have no such hook any more"
        content = notice.body.encode()
        id_, timestamp = f"alarm-notice-{notice.id}", str(int(time.time()))
        try:
            headers = {
                "content-type": "application/json",
                "webhook-id": id_,
                "webhook-timestamp": timestamp,
                "webhook-signature": signature(hook.secret, id_, timestamp, content),
            }
            with self._clients[notice.hook].stream(
                "POST", hook.url.get_secret_value(), content=content, headers=headers
            ) as answer:
                until, size = time.monotonic() + SECONDS, 0
                for chunk in answer.iter_raw():
                    size += len(chunk)
                    if size > MOST_ANSWER or time.monotonic() > until:
                        break
        except HubError as error:
            return error.message
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return f"{AWAY} ({type(error).__name__})"
        return "" if answer.is_success else f"answered HTTP {answer.status_code}"


def _client(hook: Hook) -> httpx.Client:
    context = ssl.create_default_context(cafile=hook.ca_file)
    return httpx.Client(
        verify=context, follow_redirects=False, trust_env=False, timeout=SECONDS
    )
