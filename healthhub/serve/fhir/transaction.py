"""transaction: all entries are done, or none (http://hl7.org/fhir/R4/http.html#trules)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from healthhub.access import policy, within
from healthhub.access.policy import ALL, Action, Of
from healthhub.access.seal import Seal
from healthhub.errors import HubError, InvalidRequest, TooCostly
from healthhub.model.resource import Body, Stored
from healthhub.pipeline import criteria, direct
from healthhub.pipeline.intent import Intent, Outcome, Verb
from healthhub.pipeline.intent import at as at_intent
from healthhub.serve.fhir import answer, body
from healthhub.serve.fhir.asked import Asked, check_id, version_of
from healthhub.serve.fhir.batch import MOST_BYTES
from healthhub.serve.fhir.entries import Entry, patch_in, response, type_in
from healthhub.serve.fhir.writing import LETTERS, criteria_of, letters_of
from healthhub.settings import Subscriptions

Connection = psycopg.Connection[Any]
Answer = Callable[[Connection], tuple[bytes, list[Stored]]]
_VERBS: dict[str, Verb] = {
    "DELETE": "delete",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
}


async def transaction(
    ask: Asked, entries: Sequence[Entry], prefer: str, settings: Subscriptions
) -> Response:
    """Do them in the order DELETE, POST, PUT and PATCH, GET; answer in the order sent."""
    if any(entry.method in ("GET", "HEAD") for entry in entries):
        await ask.door.permit(ask.who, ask.why, Action.READ)
        await ask.door.permit(ask.who, ask.why, Action.SEARCH)
    named = [_named(entry) for entry in entries if entry.method in _VERBS]
    await ask.door.permit(ask.who, ask.why, Action.WRITE, *named)
    planned = await run_in_threadpool(_plan, entries, ask, settings)
    writes = {n: each for n, each in planned.items() if isinstance(each, Intent)}
    reads = {n: each for n, each in planned.items() if not isinstance(each, Intent)}
    of = await _permitted(ask, list(writes.values()))

    def work(conn: Connection, seal: Seal) -> list[bytes]:
        answers: dict[int, bytes] = {}

        def sealed(conn: Connection, outcomes: Sequence[Outcome]) -> None:
            shown: list[Stored] = []
            size = 0
            for number, read in reads.items():
                if size > MOST_BYTES:
                    raise TooCostly(
                        f"the transaction reads over {MOST_BYTES} bytes; read the rest apart",
                        expression=entries[number].place,
                    )
                answers[number], found = read(conn)
                size += len(answers[number])
                shown += found
            seal(conn, outcomes, shown)

        done = direct.perform(conn, list(writes.values()), ask.base, sealed)
        for number, outcome in zip(writes, done, strict=True):
            answers[number] = _written(outcome, ask.base, prefer)
        return [answers[number] for number in range(len(entries))]

    listed = await ask.door.write(
        ask.who, ask.why, f"transaction of {len(entries)}", None, None, work, of
    )
    return response(listed, "transaction-response", ask)


def _named(entry: Entry) -> Of:
    """The type in an entry's address, before anything else of the entry is looked at."""
    return entry.steps[0] if entry.steps else ALL, LETTERS[_VERBS[entry.method]]


async def _permitted(ask: Asked, writes: Sequence[Intent]) -> list[Of]:
    """What the writes do, in letters of scopes; Forbidden when the scopes do not reach so far."""
    conditions = [each for each in writes if each.criteria is not None]
    for each in conditions:
        policy.require_at_hand(ask.who, each.criteria or ())
    if conditions:
        searched = {(each.type, "s") for each in conditions}
        await ask.door.permit(ask.who, ask.why, Action.SEARCH, *searched)
    return [
        of
        for each in writes
        for of in letters_of(each.verb, each.type, each.criteria is not None)
    ]


def _plan(
    entries: Sequence[Entry], ask: Asked, settings: Subscriptions
) -> dict[int, Intent | Answer]:
    """What each entry asks for; an error names its entry."""
    return {
        entry.number: _read(entry, ask.base)
        if entry.method in ("GET", "HEAD")
        else _intent(entry, settings)
        for entry in entries
    }


def _intent(entry: Entry, settings: Subscriptions) -> Intent:
    type_ = type_in(entry)
    blank = Intent(_VERBS[entry.method], type_, place=entry.place)  # type: ignore[arg-type]
    with at_intent(blank):
        return _written_by(entry, type_, settings)


def _written_by(entry: Entry, type_: str, settings: Subscriptions) -> Intent:
    steps, request = entry.steps, entry.request
    if len(steps) > 2 or (entry.method == "POST" and (len(steps) > 1 or entry.params)):
        raise InvalidRequest(
            f"{entry.method} of this address is no part of a transaction; send it by itself",
            expression="request.url",
        )
    fhir_id = check_id(steps[1]) if len(steps) == 2 else ""
    wanted = criteria.checked(entry.params) if entry.params else None
    match = version_of(request["ifMatch"]) if "ifMatch" in request else None
    common: dict[str, Any] = {"place": entry.place, "full_url": entry.full_url}
    if entry.method == "POST":
        if "ifNoneExist" in request:
            wanted = criteria_of(request["ifNoneExist"])
        sent = _sent(entry, type_, settings)
        return Intent("create", type_, criteria=wanted, body=sent, **common)
    if bool(fhir_id) == bool(wanted):
        raise InvalidRequest(
            "name the resource by its id, or by criteria, and not by both",
            expression="request.url",
        )
    if entry.method == "DELETE":
        return Intent("delete", type_, fhir_id, wanted, if_match=match, **common)
    if entry.method == "PATCH":
        change = _patch(entry, type_, settings)
        return Intent("patch", type_, fhir_id, wanted, patch=change, if_match=match, **common)
    sent = _sent(entry, type_, settings)
    named = check_id(sent["id"]) if "id" in sent else ""
    if fhir_id and named != fhir_id:
        raise InvalidRequest(
            "the resource's id must be the one in the address", expression="resource.id"
        )
    fresh = request.get("ifNoneMatch", "").strip() == "*"
    return Intent("update", type_, named, wanted, sent, if_match=match, fresh=fresh, **common)


def _sent(entry: Entry, type_: str, settings: Subscriptions) -> Body:
    sent = body.checked(entry.resource, type_, "resource")
    try:
        body.require(sent, settings)
    except HubError as error:
        error.expression = "resource." + (error.expression or "").partition(".")[2]
        raise
    return sent


def _patch(entry: Entry, type_: str, settings: Subscriptions) -> Callable[[Body], Body]:
    try:
        sent, json = patch_in(entry)
        return body.patch_of(sent, type_, settings, json=json)
    except HubError as error:
        error.expression = "resource" + (error.expression or "").removeprefix("Parameters")
        raise


def _written(outcome: Outcome, base: str, prefer: str) -> bytes:
    """The answer to an entry that wrote."""
    stored = outcome.stored
    status = answer.STATUS[outcome.result]
    if stored is None or stored.deleted:
        said: dict[str, Any] = {"status": "204 No Content"}
        if stored is not None:
            said["etag"] = f'W/"{stored.version}"'
        return orjson.dumps({"response": said})
    name = f"{stored.type}/{outcome.id}"
    said = {
        "status": "201 Created" if status == 201 else "200 OK",
        "location": f"{name}/_history/{stored.version}",
        "etag": f'W/"{stored.version}"',
        "lastModified": answer.instant(stored.updated),
    }
    if prefer == "OperationOutcome" or outcome.withheld:
        done = answer.done(answer.SAID[outcome.result], outcome.withheld)
        said["outcome"] = orjson.Fragment(done)
    made: dict[str, Any] = {"fullUrl": f"{base}/{name}"}
    if prefer == "representation":
        made["resource"] = orjson.Fragment(stored.json)
    made["response"] = said
    return orjson.dumps(made)


def _read(entry: Entry, base: str) -> Answer:
    """A read, vread, history or search, done after the writes and within the transaction."""
    type_, steps = type_in(entry), entry.steps
    blank = Intent("update", type_, place=entry.place)
    params = [pair for pair in entry.params if pair[0] not in ("_format", "_pretty")]

    def one(conn: Connection) -> tuple[bytes, list[Stored]]:
        with at_intent(blank):
            version = int(steps[3]) if len(steps) == 4 else None
            stored = within.read(conn, type_, check_id(steps[1]), version)
        known = entry.request.get("ifNoneMatch")
        if known is not None and version_of(known) == stored.version:
            return orjson.dumps({"response": {"status": "304 Not Modified"}}), []
        return _shown(stored.json, entry, base, stored), [stored]

    def page(conn: Connection) -> tuple[bytes, list[Stored]]:
        with at_intent(blank):
            found = within.search(conn, type_, params, base)
        listed = answer.entries(base, found.matches, "match")
        listed += answer.entries(base, found.included, "include")
        made = answer.bundle("searchset", listed, (), found.total)
        return _shown(made, entry, base, None), [*found.matches, *found.included]

    if len(steps) == 1:
        return page
    versioned = len(steps) == 4 and steps[2] == "_history" and steps[3].isdigit()
    if (len(steps) == 2 or (versioned and len(steps[3]) < 10)) and not params:
        return one
    with at_intent(blank):
        raise InvalidRequest(
            "a transaction reads resources, versions and searches; send the rest in a batch",
            expression="request.url",
        )


def _shown(made: bytes, entry: Entry, base: str, stored: Stored | None) -> bytes:
    said: dict[str, Any] = {"status": "200 OK"}
    if stored is not None:
        said["etag"] = f'W/"{stored.version}"'
        said["lastModified"] = answer.instant(stored.updated)
    whole: dict[str, Any] = {}
    if stored is not None:
        whole["fullUrl"] = f"{base}/{stored.type}/{answer.id_in(stored)}"
    if entry.method == "GET":
        whole["resource"] = orjson.Fragment(made)
    whole["response"] = said
    return orjson.dumps(whole)
