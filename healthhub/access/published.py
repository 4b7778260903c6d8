"""Key sets that clients publish: read from the addresses that the settings allow, kept a while."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from healthhub import outbound
from healthhub.access import keys
from healthhub.access.keys import Jwk
from healthhub.errors import HubError, TryAgain
from healthhub.settings import Oauth

SETTING = "oauth.keys_from"
KEEP_SECONDS, MOST_SECONDS = 300.0, 3600.0
"""How long a set is believed whose answer does not say, and the longest that one may say."""
AGAIN_SECONDS = 5.0
"""A set is read at most so often, whoever asks for keys that are not in it."""
MOST_SETS = 256
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}
_UNKEPT = ("no-store", "no-cache")


@dataclass(frozen=True, slots=True)
class _Known:
    """A set as it was read, or that it could not be read."""

    listed: Sequence[Jwk]
    at: float
    until: float
    failed: bool = False


class Published:
    """The sets that one process has read. One reading of an address is under way at a time."""

    def __init__(self, settings: Oauth) -> None:
        self._settings = settings
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading: dict[str, asyncio.Lock] = {}
        self._context: ssl.SSLContext | None = None

    async def of(self, url: str, kid: object) -> Sequence[Jwk]:
        """The keys at this address, read anew when the set is old or lacks this key.

        TryAgain when it cannot be read, Unprocessable when it may not.
        """
        outbound.require(url, self._settings.keys_from, SETTING, "jwks_url")
        lock = self._reading.setdefault(url, asyncio.Lock())
        async with lock:
            known = self._known.get(url)
            if known is None or self._is_wanting(known, kid):
                known = await self._read(url, known)
                self._remember(url, known)
        if known.failed:
            raise TryAgain(
                "the client's key set cannot be read at its address now; send the request again"
            )
        return known.listed

    def _is_wanting(self, known: _Known, kid: object) -> bool:
        now = time.monotonic()
        if now < known.at + AGAIN_SECONDS:
            return False
        return now >= known.until or all(each["kid"] != kid for each in known.listed)

    def _remember(self, url: str, known: _Known) -> None:
        self._known[url] = known
        self._known.move_to_end(url)
        while len(self._known) > MOST_SETS:
            old, _ = self._known.popitem(last=False)
            self._reading.pop(old, None)

    async def _read(self, url: str, before: _Known | None) -> _Known:
        """The set as it is there now. One that is still to be believed outlives a failure."""
        now = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.keys_timeout_seconds):
                raw, seconds = await self._fetched(url)
            return _Known(keys.checked(raw), now, now + seconds)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, HubError):
            if before is not None and not before.failed and now < before.until:
                return _Known(before.listed, now, before.until)
            return _Known((), now, now + AGAIN_SECONDS, failed=True)

    async def _fetched(self, url: str) -> tuple[bytes, float]:
        """The body, and how long it may be kept; no redirection is followed."""
        if self._context is None:
            file = self._settings.keys_ca_file
            self._context = await asyncio.to_thread(ssl.create_default_context, cafile=file)
        limit = self._settings.keys_timeout_seconds
        async with (
            httpx.AsyncClient(
                verify=self._context, follow_redirects=False, trust_env=False, timeout=limit
            ) as client,
            client.stream("GET", url, headers=_HEADERS) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError("no key set")
            raw = b""
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > keys.MOST_BYTES:
                    raise ValueError("too long")
            return raw, _seconds(answer.headers.get("cache-control", ""))


def _seconds(header: str) -> float:
    lower = header.lower()
    if any(word in lower for word in _UNKEPT):
        return 0.0
    found = _MAX_AGE.search(lower)
    return min(float(found[1]), MOST_SECONDS) if found else KEEP_SECONDS
