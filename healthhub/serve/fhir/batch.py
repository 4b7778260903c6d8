"""batch: each entry is a request of its own, answered by the service as if it came alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from healthhub.access import holdings
from healthhub.serve.fhir import answer, body
from healthhub.serve.fhir.asked import Asked
from healthhub.serve.fhir.entries import Entry, patch_in, response

AT_ONCE = 4
"""Entries that are under way together: they must not depend on one another (http.html#brules)."""
MOST_BYTES = 64 * 2**20
"""Answers that a batch gathers; a read beyond them is refused, as the whole is held in memory."""
_HEADERS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifNoneExist": "if-none-exist",
    "ifModifiedSince": "if-modified-since",
}
_KEPT = frozenset((b"authorization", b"cookie", b"purpose-of-use", b"host"))
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}


async def batch(
    request: Request, ask: Asked, entries: Sequence[Entry], prefer: str
) -> Response:
    """Do them in the order DELETE, POST, PUT and PATCH, GET; answer in the order sent."""
    answers: dict[int, bytes] = {}
    few = asyncio.Semaphore(AT_ONCE)

    size = 0

    async def do(entry: Entry) -> None:
        nonlocal size
        async with few:
            if size > MOST_BYTES and entry.method == "GET":
                answers[entry.number] = _FULL
                return
            answers[entry.number] = await _done(request, ask, entry, prefer)
            size += len(answers[entry.number])

    for turn in sorted(set(_ORDER.values())):
        alike = [entry for entry in entries if _ORDER[entry.method] == turn]
        if turn in (1, 3):
            await asyncio.gather(*(do(entry) for entry in alike))
        else:
            for entry in alike:
                await do(entry)
    listed = [answers[entry.number] for entry in entries]
    return response(listed, "batch-response", ask)


async def _done(request: Request, ask: Asked, entry: Entry, prefer: str) -> bytes:
    if entry.path == "":
        said = {"response": {"status": "400 Bad Request", "outcome": _NESTED}}
        return orjson.dumps(said)
    status, headers, content = await _called(request, entry, prefer)
    said: dict[str, Any] = {"status": f"{status} {HTTPStatus(status).phrase}"}
    for name, header in (("location", "location"), ("etag", "etag")):
        if header in headers:
            said[name] = headers[header].removeprefix(f"{ask.base}/")
    if "last-modified" in headers and status < 300:
        said["lastModified"] = _moment(headers["last-modified"])
    made: dict[str, Any] = {}
    if content:
        if status >= 400 or (
            entry.method not in ("GET", "HEAD") and prefer == "OperationOutcome"
        ):
            said["outcome"] = orjson.Fragment(content)
        else:
            made["resource"] = orjson.Fragment(content)
    made["response"] = said
    return orjson.dumps(made)


_NESTED: dict[str, Any] = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "not-supported",
            "details": {"text": "a batch holds no batch; name a resource type in url"},
        }
    ],
}


_FULL = orjson.dumps(
    {
        "response": {
            "status": "403 Forbidden",
            "outcome": {
                "resourceType": "OperationOutcome",
                "issue": [
                    {
                        "severity": "error",
                        "code": "too-costly",
                        "details": {
                            "text": f"the batch has read over {MOST_BYTES} bytes before this "
                            "entry; send the rest in another"
                        },
                    }
                ],
            },
        }
    }
)


def _moment(header: str) -> str:
    return answer.instant(parsedate_to_datetime(header))


async def _called(
    request: Request, entry: Entry, prefer: str
) -> tuple[int, dict[str, str], bytes]:
    """Call the application as a client would; the caller's credentials go along."""
    media, sent = _sent(entry)
    extra = {header: entry.request[n] for n, header in _HEADERS.items() if n in entry.request}
    if entry.method not in ("GET", "HEAD"):
        extra["prefer"] = f"return={prefer}"
    extra |= {"content-type": media, "content-length": str(len(sent)), "accept": body.FHIR}
    path = f"/fhir/{entry.path}"
    scope = {
        name: value
        for name, value in request.scope.items()
        if name not in ("path_params", "route", "endpoint", "router")
    }
    scope |= {
        "method": entry.method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": urlencode(entry.params).encode(),
        "headers": [
            *(pair for pair in request.scope["headers"] if pair[0] in _KEPT),
            *((name.encode(), text.encode("utf-8")) for name, text in extra.items()),
        ],
    }
    received: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message: Message) -> None:
        received.append(message)

    await request.scope["ways"](scope, receive, send)
    head = received[0]
    headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in head["headers"]}
    return head["status"], headers, b"".join(m.get("body", b"") for m in received[1:])


def _sent(entry: Entry) -> tuple[str, bytes]:
    """The body of an entry's request, as it would have come alone."""
    if entry.resource is None or entry.method in ("GET", "HEAD", "DELETE"):
        return body.FHIR, b""
    if entry.method == "PATCH":
        content, is_json = patch_in(entry)
        return (body.JSON_PATCH if is_json else body.FHIR), _dumps(content)
    return body.FHIR, _dumps(entry.resource)


def _dumps(content: Any) -> bytes:
    return holdings.dumps(content)
