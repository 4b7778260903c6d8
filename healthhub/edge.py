"""The web application's edge: size limit, safe headers, and errors as pages or outcomes."""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthhub.errors import HubError, InvalidRequest, NotFound, TooLarge, TryAgain
from healthhub.web import failures

FHIR_JSON = "application/fhir+json"
RETRY_SECONDS = 5
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
}
"""What every response carries that does not set it itself."""

log = logging.getLogger("healthhub.web")


class Edge:
    """Outermost layer: limits bodies, adds HEADERS, and answers for errors nobody handled."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise self._too_large()
            return message

        async def sealed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in HEADERS.items() if pair[0] not in present]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            self._require_sound(scope)
            await self._app(scope, limited, sealed)
        except Exception as error:  # noqa: BLE001 - the edge: nothing may reach the server's log
            if not isinstance(error, HubError):
                log.error("%s", faults(error))
            if started:
                return
            await _answer(Request(scope), known(error))(scope, receive, sealed)

    def _require_sound(self, scope: Scope) -> None:
        if _declared(scope) > self._limit:
            raise self._too_large()
        if b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            raise InvalidRequest("no text holds the character NUL (%00); leave it out")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is over {self._limit} bytes; send less at a time")


def install(app: FastAPI) -> None:
    """Make the application answer errors as ``respond`` does."""

    async def handle(request: Request, error: Exception) -> Response:
        return failed(request, error)

    for kind in (
        HubError,
        HTTPException,
        RequestValidationError,
        psycopg.OperationalError,
        PoolTimeout,
        PoolClosed,
        TooManyRequests,
    ):
        app.add_exception_handler(kind, handle)


def failed(request: Request, error: Exception) -> Response:
    """The answer to an error; one of the hub's own making is logged."""
    if not isinstance(error, HubError | HTTPException | RequestValidationError):
        log.error("%s", faults(error))
    return respond(request, known(error))


def known(error: Exception) -> HubError:
    """The error as one that people read. What is unknown tells nothing of itself."""
    match error:
        case HubError():
            return error
        case HTTPException(status_code=404):
            return NotFound("there is nothing at this address; check it")
        case HTTPException():
            made = InvalidRequest(f"{HTTPStatus(error.status_code).phrase}: not done here")
            made.status = error.status_code
            return made
        case RequestValidationError():
            places = sorted({".".join(map(str, item["loc"])) for item in error.errors()})
            return InvalidRequest(f"missing or wrong: {', '.join(places)}")
        case psycopg.OperationalError() | PoolTimeout() | PoolClosed() | TooManyRequests():
            return TryAgain("the database is away or busy; try again in a few seconds")
        case _:
            return HubError("something went wrong in the hub; its log says where")


def respond(request: Request, error: HubError) -> Response:
    """An OperationOutcome below /fhir and /dicomweb, a page for a browser, JSON for the rest."""
    path = request.url.path
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if path == "/fhir" or path.startswith(("/fhir/", "/dicomweb/")):
        body = orjson.dumps(outcome(error))
        return Response(body, error.status, headers, FHIR_JSON)
    if not path.startswith(("/feeds/", "/health")) and "text/html" in request.headers.get(
        "accept", ""
    ):
        return failures.page(request, error)
    body = orjson.dumps({"code": error.code, "message": error.message})
    return Response(body, error.status, headers, "application/json")


def _answer(request: Request, error: HubError) -> Response:
    """``respond``, or a bare sentence when even the error page fails."""
    try:
        return respond(request, error)
    except Exception as second:  # noqa: BLE001 - as above
        log.error("the error page fails: %s", faults(second))
        return PlainTextResponse(error.message, error.status)


def outcome(error: HubError) -> dict[str, object]:
    """The error as an OperationOutcome (http://hl7.org/fhir/R4/operationoutcome.html)."""
    issue: dict[str, object] = {
        "severity": "error",
        "code": error.issue,
        "details": {"text": error.message},
        "diagnostics": error.code,
    }
    if error.expression:
        issue["expression"] = [error.expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def faults(error: BaseException) -> str:
    """What went wrong and where, without the error's own text: that may hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join(
        [f"unexpected {type(error).__module__}.{type(error).__qualname__}", *places]
    )


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
