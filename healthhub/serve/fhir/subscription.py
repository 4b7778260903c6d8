"""Subscription/$status and $events: how a subscription fares, and what it was to be told.

https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html
https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-events.html
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest, NotFound
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import FORM, Asked, asked, id_of
from healthhub.serve.fhir.parameters import Given, posted
from healthhub.subscriptions import looking

CONTENTS = ("empty", "id-only", "full-resource")


async def status(request: Request) -> Response:
    """A searchset with the status of one subscription, or of the caller's own."""
    ask = await asked(request, free=True)
    given = await _given(request, ask, ("id", "status"))
    alone = "id" in request.path_params
    ids = [id_of(request)] if alone else _all(given, "id")
    states = [] if alone else _all(given, "status")
    entries = await ask.door.operate(
        ask.who,
        ask.why,
        "Subscription/$status",
        lambda conn: looking.status(conn, ask.who.id, ask.base, ids, states),
        Action.SUBSCRIBE,
    )
    if alone and not entries:
        raise NotFound("there is no such Subscription of yours")
    links = [("self", f"{ask.base}{request.url.path.removeprefix('/fhir')}")]
    return answer.of_json(ask, answer.bundle("searchset", entries, links, len(entries)))


async def events(request: Request) -> Response:
    """Past events, as they were to be told or in another content."""
    ask = await asked(request, free=True)
    known = ("eventsSinceNumber", "eventsUntilNumber", "content")
    given = await _given(request, ask, known)
    since, until = (_number(given, name) for name in known[:2])
    content = next(iter(_all(given, "content")), None)
    if content is not None and content not in CONTENTS:
        raise InvalidRequest(f"content is one of {', '.join(CONTENTS)}", expression="content")
    fhir_id = id_of(request)
    found = await ask.door.operate(
        ask.who,
        ask.why,
        f"Subscription/{fhir_id}/$events {since or ''}-{until or ''}",
        lambda conn: looking.events(
            conn, ask.who.id, ask.base, fhir_id, since or 1, until, content
        ),
        Action.SUBSCRIBE,
        lambda look: look.patients,
    )
    made = answer.of_json(ask, found.body)
    made.headers["cache-control"] = "private, no-store"
    return made


async def _given(request: Request, ask: Asked, known: Sequence[str]) -> Given:
    given: Given = [pair for pair in ask.params if pair[0] not in FORM]
    if request.method == "POST":
        given = [*given, *await posted(request)]
    for name, _ in given:
        if name not in known:
            raise InvalidRequest(
                f"{name[:64]!r} is no parameter here; there are {', '.join(known)}",
                expression=name[:64],
            )
    return given


def _all(given: Given, name: str) -> list[str]:
    return [one for key, value in given if key == name for one in value.split(",") if one]


def _number(given: Given, name: str) -> int | None:
    found = _all(given, name)
    if not found:
        return None
    if len(found) > 1 or not (found[0].isascii() and found[0].isdigit() and len(found[0]) < 16):
        raise InvalidRequest(f"{name} is one whole number", expression=name)
    return int(found[0])
