"""Answers: bytes of the store with their headers, outcomes, bundles spliced without parsing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest
from healthhub.model.resource import Stored
from healthhub.pipeline.intent import Outcome
from healthhub.serve.fhir.asked import FHIR_JSON, Asked
from healthhub.serve.fhir.part import WHOLE, Part

MEDIA = f"{FHIR_JSON}; fhirVersion=4.0; charset=utf-8"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
PREFERENCES = ("minimal", "representation", "OperationOutcome")


def of_json(
    ask: Asked, body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """JSON as it is, or pretty when that was asked for."""
    return Response(indented(body) if ask.pretty else body, status, headers, MEDIA)


def of_stored(
    ask: Asked, stored: Stored, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """One resource version with its ETag and Last-Modified."""
    body = ask.part.of(stored)
    return of_json(ask, body, status, {**versioned(stored), **(headers or {})})


def versioned(stored: Stored) -> dict[str, str]:
    """The headers that name a version."""
    return {
        "etag": f'W/"{stored.version}"',
        "last-modified": _http_date(int(stored.updated.timestamp())),
        "cache-control": "private, no-cache",
    }


@lru_cache(maxsize=10_000)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def of_write(request: Request, ask: Asked, outcome: Outcome) -> Response:
    """The answer to an interaction that writes, as Prefer asks.

    http://hl7.org/fhir/R4/http.html#ops
    """
    status, stored = STATUS[outcome.result], outcome.stored
    wanted = preferred(request)
    if stored is None or outcome.result == "deleted":
        headers = {} if stored is None else {"etag": f'W/"{stored.version}"'}
        if wanted == "OperationOutcome":
            return of_json(ask, done(SAID[outcome.result]), 200, headers)
        return Response(None, status, headers)
    headers = versioned(stored)
    headers["location"] = f"{ask.base}/{stored.type}/{outcome.id}/_history/{stored.version}"
    if wanted == "minimal":
        return Response(None, status, headers)
    if wanted == "OperationOutcome":
        said = f"{SAID[outcome.result]} version {stored.version}"
        return of_json(ask, done(said, outcome.withheld), status, headers)
    return of_json(ask, stored.json, status, headers)


STATUS = {
    "created": 201,
    "updated": 200,
    "unchanged": 200,
    "found": 200,
    "deleted": 204,
    "nothing": 204,
}
SAID = {
    "created": "created as",
    "updated": "stored as",
    "unchanged": "nothing changed since",
    "found": "the condition found",
    "deleted": "deleted",
    "nothing": "there was nothing to delete",
}


def preferred(request: Request) -> str:
    """What Prefer: return= asks for."""
    return preference(request) or "representation"


def preference(request: Request) -> str | None:
    """The same; None when it asks for nothing."""
    for part in re.split(r"[,;]", request.headers.get("prefer", "")):
        name, _, value = part.strip().partition("=")
        if name.lower() == "return":
            if value not in PREFERENCES:
                raise InvalidRequest(
                    f"Prefer: return= is one of {', '.join(PREFERENCES)}", expression="Prefer"
                )
            return value
    return None


def done(sentence: str, withheld: Iterable[str] = ()) -> bytes:
    """An OperationOutcome of success, with a warning for each element that was left out."""
    issues: list[dict[str, object]] = [
        {"severity": "information", "code": "informational", "details": {"text": sentence}}
    ]
    for path in withheld:
        text = "left out: only the hub says this of a resource, and it had not said it"
        issues.append(
            {
                "severity": "warning",
                "code": "business-rule",
                "details": {"text": text},
                "expression": [path],
            }
        )
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": issues})


def instant(moment: datetime) -> str:
    """A FHIR instant in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entries(base: str, found: Iterable[Stored], mode: str, part: Part = WHOLE) -> list[bytes]:
    """Search entries: each resource's bytes with its full address and the mode."""
    start = orjson.dumps(base)[:-1]
    end = b'","resource":%%b,"search":{"mode":"%b"}}' % mode.encode()
    shape = b'{"fullUrl":' + start.replace(b"%", b"%%") + b"/%b/%b" + end
    return [
        shape % (stored.type.encode(), id_in(stored).encode(), part.of(stored))
        for stored in found
    ]


def id_in(stored: Stored) -> str:
    """The FHIR id of a stored resource, which the store as a rule writes second."""
    before = _HEADS.get(stored.type)
    if before is None:
        before = _HEADS[stored.type] = b'{"resourceType":"%b","id":"' % stored.type.encode()
    if stored.json.startswith(before):
        return stored.json[len(before) : stored.json.index(b'"', len(before))].decode()
    return orjson.loads(stored.json)["id"]


_HEADS: dict[str, bytes] = {}


def bundle(
    kind: str,
    listed: Iterable[bytes],
    links: Sequence[tuple[str, str]],
    total: int | None = None,
) -> bytes:
    """A Bundle spliced of its entries' bytes."""
    linked = [{"relation": relation, "url": url} for relation, url in links]
    head = b'{"resourceType":"Bundle","type":"%b",' % kind.encode()
    if total is not None:
        head += b'"total":%d,' % total
    joined = b",".join(listed)
    tail = b',"entry":[%b]' % joined if joined else b""
    return b'%b"link":%b%b}' % (head, orjson.dumps(linked), tail)


def indented(body: bytes) -> bytes:
    """JSON with two blanks of indentation; numbers and strings stay as they are."""
    out: list[bytes] = []
    depth = 0
    before = b""
    for token in _TOKEN.findall(body):
        if token in b"}]":
            depth -= 1
            if before not in (b"{", b"["):
                out.append(b"\n" + b"  " * depth)
        elif before in (b"{", b"[", b","):
            out.append(b"\n" + b"  " * depth)
        out.append(b": " if token == b":" else token)
        if token in b"{[":
            depth += 1
        before = token
    return b"".join((*out, b"\n"))
