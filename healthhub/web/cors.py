"""CORS for the FHIR service: which other origins' scripts may call it, by setting.

Only with a bearer token: cookies are never sent along, so that a page of another origin cannot
use the session of whoever looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SENT = (
    "Accept",
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Exist",
    "If-None-Match",
    "Prefer",
    "Purpose-Of-Use",
)
_SEEN = (
    "Content-Location",
    "ETag",
    "Last-Modified",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Progress",
)


class Cors:
    """Starlette's CORS, for addresses that begin with the prefix."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._cors = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_SEEN,
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        of_service = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        await (self._cors if of_service else self._app)(scope, receive, send)
