"""What create, update, patch and delete have in common: an intent, done through the door."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from healthhub.access import policy
from healthhub.access.policy import Action, Of
from healthhub.errors import InvalidRequest, NotAllowed
from healthhub.pipeline import criteria, direct
from healthhub.pipeline.direct import Connection, Seal
from healthhub.pipeline.intent import Criteria, Intent, Outcome, Verb
from healthhub.serve.fhir.asked import Asked, asked, if_match

LETTERS: dict[Verb, str] = {"create": "c", "update": "u", "patch": "u", "delete": "d"}
"""The letter of scopes that each takes."""


async def writer(request: Request, verb: Verb, *, conditional: bool = False) -> Asked:
    """Who asks to write; refused before the body is looked at."""
    ask = await asked(request, free=conditional)
    type_ = request.path_params["type"]
    conditional = conditional or "if-none-exist" in request.headers
    await ask.door.permit(ask.who, ask.why, Action.WRITE, *letters_of(verb, type_, conditional))
    if conditional:
        await ask.door.permit(ask.who, ask.why, Action.SEARCH, (type_, "s"))
    return ask


def letters_of(verb: Verb, type_: str, conditional: bool) -> list[Of]:
    """What a write does, in letters of scopes: a conditional update may create."""
    creates = conditional and verb == "update"
    return [(type_, LETTERS[verb] + ("c" if creates else ""))]


async def carry_out(ask: Asked, intent: Intent, what: str = "") -> Outcome:
    """Do it in a transaction of its own; ``what`` names it in the audit, if it is more. What
    is new and is no person's, who may have to wait for another's link, shares one with others of its kind."""
    if intent.criteria is not None:
        policy.require_at_hand(ask.who, intent.criteria)
    if intent.verb == "create" and intent.criteria is None and intent.type != "Patient":
        return await ask.door.create(ask.who, ask.why, intent.type, intent, _together)
    outcomes = await ask.door.write(
        ask.who,
        ask.why,
        what or (intent.verb if intent.criteria is None else f"conditional {intent.verb}"),
        intent.type,
        intent.id or None,
        lambda conn, seal: direct.perform(conn, [intent], ask.base, seal),
        letters_of(intent.verb, intent.type, intent.criteria is not None),
    )
    return outcomes[0]


def _together(conn: Connection, intents: Sequence[Intent], seal: Seal) -> list[Outcome]:
    return direct.perform(conn, intents, seal=seal)


def criteria_in_address(ask: Asked) -> Criteria:
    """The criteria of a conditional interaction; NotAllowed when the address has none."""
    if not ask.params:
        raise NotAllowed("name the resource by its id in the address, or give search criteria")
    return criteria.checked(ask.params)


def criteria_of(text: str) -> Criteria:
    """The criteria of If-None-Exist: a query as it would stand after the ``?``.

    http://hl7.org/fhir/R4/http.html#ccreate
    """
    query = text.rpartition("?")[2]
    try:
        found = parse_qsl(
            query, keep_blank_values=True, max_num_fields=100, errors="strict", separator="&"
        )
    except ValueError:
        raise InvalidRequest(
            "the criteria are not a query of at most 100 parameters in UTF-8",
            expression="If-None-Exist",
        ) from None
    return criteria.checked(tuple(found))


def precondition(request: Request) -> tuple[int | None, bool]:
    """If-Match's version, and whether If-None-Match: * forbids that there is one."""
    none_match = request.headers.get("if-none-match")
    if none_match is not None and none_match.strip() != "*":
        raise InvalidRequest(
            "a write's If-None-Match is *; to change a version name it in If-Match",
            expression="If-None-Match",
        )
    return if_match(request), none_match is not None
