"""gzip of the FHIR service's answers and of request bodies, bounded in both directions."""

from __future__ import annotations

import re
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthhub.errors import InvalidRequest, TooLarge, UnsupportedMedia

LEVEL = 3
SMALL = 1000
"""Bytes below which packing gains nothing."""
_TEXT = re.compile(r"(?:text/|application/(?:[a-z.+-]*json|[a-z.+-]*ndjson|[a-z.+-]*xml))")
_GZIP = 31
"""zlib's number for the gzip format."""


class Compression:
    """Unpacks what comes packed, and packs what the client is ready to unpack.

    Pages are left alone: a page that holds a secret key beside what a stranger chose must not
    tell the key by its packed length (BREACH). ``limit``: bytes of an unpacked request body.
    """

    def __init__(self, app: ASGIApp, limit: int, prefix: str) -> None:
        self._app = app
        self._limit = limit
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if encoding := headers.get("content-encoding", "").strip().lower():
            if encoding not in ("gzip", "x-gzip", "identity"):
                raise UnsupportedMedia("send the body as it is, or packed with gzip")
            if encoding != "identity":
                receive = _Unpacking(receive, self._limit).receive
            kept = [
                pair
                for pair in scope["headers"]
                if pair[0] not in (b"content-encoding", b"content-length")
            ]
            scope = {**scope, "headers": kept}
        if scope["method"] != "HEAD" and _accepts(headers.get("accept-encoding", "")):
            send = _Packing(send).send
        await self._app(scope, receive, send)


def _accepts(header: str) -> bool:
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0")
    return False


class _Unpacking:
    """The body of one request, unpacked as it comes; never more than the limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit
        self._unpacker = zlib.decompressobj(_GZIP)

    async def receive(self) -> Message:
        """The next message, its body unpacked."""
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        packed = message.get("body", b"")
        try:
            body = self._unpacker.decompress(packed, self._left + 1)
        except zlib.error:
            raise InvalidRequest(
                "the body is not what Content-Encoding: gzip says",
                expression="Content-Encoding",
            ) from None
        self._left -= len(body)
        if self._left < 0:
            raise TooLarge(f"the body is over {self._limit} bytes; send less at a time")
        if not message.get("more_body") and not self._unpacker.eof:
            raise InvalidRequest(
                "the packed body breaks off; send it again", expression="Content-Encoding"
            )
        return {**message, "body": body}


class _Packing:
    """One answer, packed if it is text and not small."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._packer: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on; the head waits for the first of the body."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            headers = MutableHeaders(raw=list(start["headers"]))
            headers.add_vary_header("Accept-Encoding")
            if _packs(start["status"], headers, body, more):
                self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
                headers["content-encoding"] = "gzip"
                del headers["content-length"]
            await self._send({**start, "headers": headers.raw})
        if self._packer is not None:
            body = self._packer.compress(body) + (b"" if more else self._packer.flush())
        await self._send({**message, "body": body})


def _packs(status: int, headers: MutableHeaders, body: bytes, more: bool) -> bool:
    return (
        status not in (204, 304)
        and "content-encoding" not in headers
        and (more or len(body) >= SMALL)
        and _TEXT.match(headers.get("content-type", "")) is not None
    )
