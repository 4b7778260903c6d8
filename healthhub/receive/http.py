"""POST /feeds/{source}/hl7v2 and /tabular: messages or a file of tables in a body, with the
source's bearer token."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from healthhub.adapter_api import registry
from healthhub.adapter_api.adapter import Adapter, OwnAnswer
from healthhub.adapter_api.tables import SheetReader
from healthhub.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    TooLarge,
    TryAgain,
)
from healthhub.keep import Keeper
from healthhub.receive import frames, sender, tables
from healthhub.receive.connection import Budget
from healthhub.receive.intake import Answer, Intake, aside
from healthhub.receive.unpacking import shortened
from healthhub.settings import Settings, Source

RETRY_SECONDS = 30
IN_FLIGHT = 500
"""Messages of one body that may wait for their commit."""
MOST_MESSAGES = 20_000
"""Messages of one body: one of rubbish in frames is millions, each kept as rejected."""
HL7_TYPES = ("application/hl7-v2", "x-application/hl7-v2+er7", "text/plain")


@asynccontextmanager
async def _keeping(app: FastAPI) -> AsyncIterator[None]:
    """One keeper for each web process, which lives as long as the application."""
    most = app.state.settings.pipeline.max_backlog
    async with Keeper(app.state.dsn, max_backlog=most) as keeper:
        app.state.keeper = keeper
        app.state.feed_budget = Budget()
        yield


router = APIRouter(lifespan=_keeping)


@router.post(
    "/feeds/{name}/{kind}",
    responses={
        401: {"description": "No such source, or its token is another"},
        403: {"description": "The source does not send from this address"},
        404: {"description": "The source sends another kind of message"},
        413: {
            "description": "The body is over a limit of bytes or messages; send less at a time"
        },
        415: {"description": "The body is packed, and not with gzip"},
        422: {"description": "Some messages were rejected; the others are kept"},
        503: {"description": "Some could not be kept; send the whole again later"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
        "security": [{"source": []}],
    },
)
async def feed(name: str, kind: str, request: Request) -> Response:
    """Keep the messages of the body; answers when all are durable.

    The answer is a JSON list with an entry for each message, or, where ``Accept`` asks for
    HL7, the acknowledgements one after the other (framed if the messages were). 200: all are
    kept. 422: some were rejected and must be corrected. 503: some could not be kept; the whole
    body may be sent again, what was kept is recognised.
    """
    source = admitted(request, name, kind)
    adapter = registry.find(source.adapter)
    if isinstance(adapter, SheetReader):
        return await _tables(name, request)
    intake = Intake(request.app.state.keeper)
    async with body_of(request) as body:
        answers = [
            answer
            async for answer in _answers(intake, name, source, adapter, body, via(request))
        ]
        framed = body.startswith(frames.VT)
    return _told(adapter, answers, request.headers.get("accept", ""), framed=framed)


def _told(adapter: Adapter, answers: list[Answer], accept: str, *, framed: bool) -> Response:
    """The answers in the form that the sender takes; ``framed``: its messages were."""
    outcomes = {answer.outcome for answer in answers}
    status = 503 if "error" in outcomes else 422 if "reject" in outcomes or not answers else 200
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    if isinstance(adapter, OwnAnswer):
        told = adapter.joined([answer.acknowledgement for answer in answers])
        return Response(told, status, headers, media_type=adapter.media_type)
    wanted = next((kind for kind in HL7_TYPES if kind in accept), "")
    if wanted:
        content = b"".join(
            frames.frame(a.acknowledgement) if framed else a.acknowledgement for a in answers
        )
        return Response(content, status, headers, media_type=wanted)
    return JSONResponse([_entry(answer) for answer in answers], status, headers)


async def _tables(name: str, request: Request) -> Response:
    """Keep the rows of a file of tables sent as the body.

    200: every row is durable or was known. 422: some were refused, named by row and column; the
    others are kept, and the whole file may be sent again. 503: send all of it again later.
    """
    app, source = request.app, name
    with tempfile.TemporaryDirectory(prefix="healthhub-feed-") as folder:
        path = Path(folder) / _file_name(request)
        with path.open("wb") as file:
            async for chunk in request.stream():
                await run_in_threadpool(file.write, chunk)
        if not path.stat().st_size:
            raise InvalidRequest("the body is empty; send the file itself as the body")
        try:
            told = await run_in_threadpool(_take, app, source, path, via(request))
        except psycopg.OperationalError:
            raise TryAgain("the store is away; send the file again in a minute") from None
    counts = told.counts
    entry = {
        "outcome": "reject" if counts.rejected else "accept",
        "kept": counts.kept,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "refused": [{"place": place, "text": reason} for place, reason in told.refused],
    }
    return JSONResponse(entry, 422 if counts.rejected else 200)


def _file_name(request: Request) -> str:
    """The file's name as the sender gives it (``?file=``): sheets of CSV are told by it."""
    given = Path(request.query_params.get("file", "")).name.lstrip(".")
    return shortened("".join(char for char in given if char.isprintable())) or "upload"


def _take(app: FastAPI, name: str, path: Path, via: str) -> tables.Told:
    with tables.connected(app.state.dsn) as conn:
        taker = tables.taker(app.state.settings, name)
        return taker.file(conn, path, path.name, via)


def admitted(request: Request, name: str, kind: str | None) -> Source:
    """The source of the path, if its token came with the request from an address of its own:
    as bearer token, or as the password (Basic) of a user named as the source.

    A wrong token and an unknown source get the same answer.
    """
    settings: Settings = request.app.state.settings
    source = settings.sources.get(name)
    token = _token(request.headers.get("authorization", ""), name)
    given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    noted = source.token_sha256.get_secret_value() if source and source.token_sha256 else ""
    right = hmac.compare_digest(given, noted.strip().lower() or "-")
    if source is None or not token or not right:
        raise NotSignedIn(
            f"send the bearer token of source {name}; its SHA-256 is the setting "
            "sources.NAME.token_sha256",
            expression="Authorization",
        )
    address = request.client.host if request.client else ""
    if source.addresses and not sender.admits(source, address):
        raise Forbidden(f"address {address} is not among sources.{name}.addresses")
    if kind is not None and kind != source.adapter:
        raise NotFound(
            f"source {name} sends {source.adapter}: POST /feeds/{name}/{source.adapter}"
        )
    return source


def _token(header: str, name: str) -> str:
    """The token of an Authorization header; empty if it has none."""
    scheme, _, shown = header.partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = (
            base64.b64decode(shown.strip(), validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        return ""
    return password if user == name else ""


@asynccontextmanager
async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The whole body, for as long as it is worked on: until then it counts among the bytes that
    the process may hold. Its length is limited at the application's edge (web.max_body_bytes)."""
    budget: Budget = request.app.state.feed_budget
    chunks: list[bytes] = []
    held = 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            held += len(chunk)
            if not budget.change(len(chunk)):
                raise TryAgain("too many large bodies at once; send again in a minute")
        body = b"".join(chunks)
        chunks.clear()
        yield body
    finally:
        budget.change(-held)


async def _answers(
    intake: Intake, name: str, source: Source, adapter: Adapter, body: bytes, via: str
) -> AsyncIterator[Answer]:
    """The answers in the order of the messages; some hundreds are on their way at a time.
    TooLarge when there are over MOST_MESSAGES; those before are durable then."""
    pieces, taken = adapter.split(body), 0
    while some := await aside(len(body), lambda: list(islice(pieces, IN_FLIGHT))):
        left = MOST_MESSAGES - taken
        waiting = [await intake.take(name, source, adapter, raw, via) for raw in some[:left]]
        for promise in waiting:
            yield await promise.answer()
        if len(some) > left:
            raise TooLarge(
                f"the body holds over {MOST_MESSAGES} messages; send fewer at a time (those "
                "before are kept, and known again)"
            )
        taken += len(some)


def via(request: Request) -> str:
    """How a message came, as the console shows it."""
    return f"http {request.client.host if request.client else ''}"


def _entry(answer: Answer) -> Mapping[str, Any]:
    entry = {
        "outcome": answer.outcome,
        "id": answer.id,
        "control": answer.control,
        "repeated": answer.repeated,
        "condition": answer.condition,
        "place": answer.place,
        "text": answer.text,
    }
    return {key: value for key, value in entry.items() if value not in ("", None)}
