"""The shortest way to the busiest interactions: their addresses are told apart without a list.

The router tries one regular expression after the other, twice where routers are nested: with
the operations that is a third of the time that a read takes. This stands before it, and leaves
to it what it does not know; what is right and wrong is the same on both ways.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from healthhub.access import holdings

Interaction = Callable[[Request], Awaitable[Response]]
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPES = frozenset(holdings.TYPES)
_PREFIX = "/fhir/"


class Shortcut(BaseRoute):
    """Routes ``/fhir/[type]`` and ``/fhir/[type]/[id]`` by method."""

    def __init__(
        self, of_types: Mapping[str, Interaction], of_ids: Mapping[str, Interaction]
    ) -> None:
        """The interactions by method; HEAD is answered as GET is."""
        self._of_types = _apps(of_types)
        self._of_ids = _apps(of_ids)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """FULL for what is known here, else NONE."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(_PREFIX) or scope.get("root_path"):
            return Match.NONE, {}
        type_, slash, fhir_id = path[len(_PREFIX) :].partition("/")
        if type_ not in _TYPES or (slash and not _ID.fullmatch(fhir_id)):
            return Match.NONE, {}
        app = (self._of_ids if slash else self._of_types).get(scope["method"])
        if app is None:
            return Match.NONE, {}
        params = {"type": type_, "id": fhir_id} if slash else {"type": type_}
        return Match.FULL, {"path_params": params, "endpoint": app}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what ``matches`` found."""
        await scope["endpoint"](scope, receive, send)


def _apps(interactions: Mapping[str, Interaction]) -> dict[str, ASGIApp]:
    made = {method: request_response(each) for method, each in interactions.items()}
    return made | ({"HEAD": made["GET"]} if "GET" in made else {})
