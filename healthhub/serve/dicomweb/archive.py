"""One PACS as the hub reaches it: its base address and nothing else, streamed within limits."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx

from healthhub.errors import HubError, NotFound, TryAgain
from healthhub.serve.dicomweb.asked import Asked
from healthhub.settings import Pacs

log = logging.getLogger(__name__)

CHUNK = 64 * 2**10
CONNECT_SECONDS = 5.0
_TYPES = (
    "multipart/related",
    "application/dicom",
    "application/json",
    "application/octet-stream",
    "image/",
    "video/",
)
_NOT_AS_IMAGE = "image/svg"


class BadArchive(HubError):
    """The PACS did not answer as one does."""

    code, status, issue = "archive", 502, "transient"


class SlowArchive(HubError):
    """The PACS did not answer in time."""

    code, status, issue = "archive-timeout", 504, "timeout"


class NotAcceptable(HubError):
    """The PACS has the images, and not in the form that was asked for."""

    code, status, issue = "not-acceptable", 406, "not-supported"


@dataclass(frozen=True, slots=True)
class Images:
    """An answer that has begun: its type, its length if it is known, and its bytes. Whoever
    takes it closes it, read or not: only then is its place free for another."""

    media_type: str
    length: str
    content: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


class Archive:
    """The PACS of one source. Its connections and its credentials stay in here."""

    def __init__(self, source: str, pacs: Pacs) -> None:
        self._source = source
        self._pacs = pacs
        self._base = pacs.url.rstrip("/")
        self._free = asyncio.Semaphore(pacs.at_once)
        secret = pacs.secret
        headers = {"Accept-Encoding": "identity", "User-Agent": "HealthHub"}
        if secret and not pacs.user:
            headers["Authorization"] = f"Bearer {secret}"
        self._client = httpx.AsyncClient(
            auth=httpx.BasicAuth(pacs.user, secret) if pacs.user else None,
            headers=headers,
            timeout=httpx.Timeout(pacs.timeout_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=pacs.at_once),
            verify=_authorities(pacs),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def get(self, asked: Asked) -> Images:
        """Ask for images; the answer's head has been judged, its bytes are still to come."""
        if self._free.locked():
            raise TryAgain(
                "too many images are being fetched from this archive; try again soon"
            )
        await self._free.acquire()
        try:
            answer = await self._sent(asked)
            try:
                return self._judged(answer)
            except HubError:
                await answer.aclose()
                raise
        except BaseException:
            self._free.release()
            raise

    async def _sent(self, asked: Asked) -> httpx.Response:
        request = self._client.build_request(
            "GET",
            f"{self._base}/{asked.path}",
            params=asked.parameters or None,
            headers={"Accept": asked.accept or "*/*"},
        )
        try:
            return await self._client.send(request, stream=True)
        except httpx.TimeoutException:
            raise SlowArchive(
                "the archive does not answer in time; try again later, or open the images in "
                "the hospital's own viewer"
            ) from None
        except httpx.HTTPError as error:
            log.warning("archive source=%s error=%s", self._source, type(error).__name__)
            raise BadArchive(
                "the archive cannot be reached; try again later, or tell the administrator "
                "(sources.NAME.pacs)"
            ) from None

    def _judged(self, answer: httpx.Response) -> Images:
        status = answer.status_code
        if status == 404:
            raise NotFound("the archive has no such images (any more)")
        if status in (400, 406, 415):
            raise NotAcceptable(
                "the archive has these images, and not in this form; ask for another media "
                "type or leave parameters out"
            )
        media_type = answer.headers.get("content-type", "")
        kind = media_type.partition(";")[0].strip().lower()
        if status not in (200, 206) or not kind.startswith(_TYPES) or _NOT_AS_IMAGE in kind:
            log.warning("archive source=%s status=%d", self._source, status)
            raise BadArchive(
                f"the archive answered {status}"
                + (" in a form that is not passed on" if status in (200, 206) else "")
                + "; tell the administrator (address and credentials in sources.NAME.pacs)"
            )
        if "content-encoding" in answer.headers:
            raise BadArchive("the archive packs its answer although it was asked not to")
        length = answer.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._pacs.max_bytes:
            raise self._too_much()
        shown = media_type if media_type.isascii() and media_type.isprintable() else kind
        known = length if length.isdigit() else ""
        return Images(shown, known, self._bytes(answer), lambda: self._done(answer))

    async def _done(self, answer: httpx.Response) -> None:
        self._free.release()
        await answer.aclose()

    async def _bytes(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """The bytes as they come. What cannot be finished is broken off: the reader's own
        connection then ends before its time, which no reader takes for a whole answer."""
        taken = 0
        try:
            async for chunk in answer.aiter_raw(CHUNK):
                taken += len(chunk)
                if taken > self._pacs.max_bytes:
                    raise self._too_much()
                yield chunk
        except httpx.HTTPError as error:
            log.warning(
                "archive source=%s broke off error=%s", self._source, type(error).__name__
            )
            raise BadArchive("the archive broke off") from None

    def _too_much(self) -> BadArchive:
        return BadArchive(
            f"the archive's answer is over {self._pacs.max_bytes} bytes; ask for single series "
            "or instances"
        )


def _authorities(pacs: Pacs) -> ssl.SSLContext | bool:
    if pacs.ca_file is None:
        return True
    return ssl.create_default_context(cafile=str(pacs.ca_file))
