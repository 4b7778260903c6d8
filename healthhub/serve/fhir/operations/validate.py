"""$validate: would this resource be taken, and does it meet its profiles?

POST [base]/[type]/$validate, GET or POST [base]/[type]/[id]/$validate.
http://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.errors import Gone, InvalidRequest, NotFound
from healthhub.model import profiles, validate
from healthhub.model.issue import Issue
from healthhub.model.profiles.apart import Apart
from healthhub.model.profiles.tree import CORE
from healthhub.model.r4 import invariants
from healthhub.model.resource import Body
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of, type_of
from healthhub.serve.fhir.operations import told
from healthhub.serve.fhir.operations.conformance import Conformance
from healthhub.serve.fhir.operations.given import Given, given

MODES = ("create", "update", "delete", "profile")
FINE = "no faults were found"


async def validate_type(request: Request) -> Response:
    """Judge a resource that was sent."""
    ask = await asked(request, free=True)
    type_ = type_of(request)
    sent = await given(request, ask, ("resource", "mode", "profile"), resource=True)
    mode = _mode(sent)
    body = sent.object("resource") if sent.resource is None else sent.resource
    if mode == "delete":
        raise InvalidRequest(
            f"mode delete is asked of one resource: {type_}/ID/$validate", expression="mode"
        )
    if body is None:
        raise InvalidRequest("send the resource to judge", expression="resource")
    issues = await _judged(request, ask, body, type_, sent)
    if mode == "update" and "id" not in body:
        issues.append(
            Issue("error", "required", f"{type_}.id", "an update names its id; add it")
        )
    return answer.of_json(ask, told.outcome(issues, FINE))


async def validate_instance(request: Request) -> Response:
    """Judge the stored resource, or one that is sent in its place."""
    ask = await asked(request, free=True)
    type_, fhir_id = type_of(request), id_of(request)
    sent = await given(request, ask, ("resource", "mode", "profile"), resource=True)
    mode = _mode(sent)
    body = sent.object("resource") if sent.resource is None else sent.resource
    issues: list[Issue] = []
    if mode == "delete":
        return answer.of_json(ask, told.outcome(await _deletable(ask, type_, fhir_id), FINE))
    if body is None:
        stored = await ask.door.read(ask.who, ask.why, type_, fhir_id)
        body = holdings.loads(stored.json)
    elif body.get("id") != fhir_id:
        text = "the id is the one in the address; correct it"
        issues.append(Issue("error", "value", f"{type_}.id", text))
    if mode == "create":
        text = "a create is asked of the type, as the hub chooses the id"
        issues.append(Issue("error", "business-rule", type_, text))
    issues += await _judged(request, ask, body, type_, sent)
    return answer.of_json(ask, told.outcome(issues, FINE))


async def _deletable(ask: Asked, type_: str, fhir_id: str) -> list[Issue]:
    try:
        await ask.door.read(ask.who, ask.why, type_, fhir_id)
    except (NotFound, Gone):
        return [Issue("error", "not-found", type_, "there is no such resource to delete")]
    return []


async def _judged(
    request: Request, ask: Asked, body: Body, type_: str, sent: Given
) -> list[Issue]:
    if body.get("resourceType") != type_:
        text = f"resourceType is {type_}, as in the address; correct one of the two"
        return [Issue("error", "structure", "resourceType", text)]
    issues = await run_in_threadpool(validate.issues, body)
    if issues:
        return issues
    wanted = [(type_, body, url) for url in _profiles_given(sent)]
    wanted += [
        (place, one, url)
        for place, one in _resources(body)
        for url in one.get("meta", {}).get("profile", [])
    ]
    conformance = Conformance(request, ask)
    await conformance.profiles(dict.fromkeys(url for _, _, url in wanted))
    return await run_in_threadpool(_against, body, wanted, conformance)


def _resources(body: Body) -> list[tuple[str, Body]]:
    """The resource, and those that are entries of it: each is held to the profiles it claims."""
    type_ = body["resourceType"]
    found = [(type_, body)]
    if type_ == "Bundle":
        found += [
            (f"Bundle.entry[{index}].resource", entry["resource"])
            for index, entry in enumerate(body.get("entry", ()))
            if "resource" in entry
        ]
    return found


def _against(
    body: Body, wanted: list[tuple[str, Body, str]], conformance: Conformance
) -> list[Issue]:
    issues = invariants.check(body)
    with Apart() as apart:
        known = replace(conformance.known, holds=apart.holds)
        issues += _profiled(wanted, conformance, known)
    return list(dict.fromkeys(issues))


def _profiled(
    wanted: list[tuple[str, Body, str]], conformance: Conformance, known: profiles.Known
) -> list[Issue]:
    issues: list[Issue] = []
    for place, one, url in wanted:
        definition = conformance.have("StructureDefinition", url)
        if definition is not None:
            issues += profiles.check(one, definition, known, place)
        elif url.partition("|")[0] != CORE + one["resourceType"]:
            text = "the hub has no such profile; store its StructureDefinition here first"
            issues.append(Issue("error", "not-found", f"{place}.meta.profile", text, url[:200]))
    return issues


def _profiles_given(sent: Given) -> list[str]:
    found = sent.all("profile")
    for one in found:
        if not isinstance(one, str):
            raise InvalidRequest("profile is a canonical address", expression="profile")
    return found


def _mode(sent: Given) -> str | None:
    mode = sent.text("mode")
    if mode is not None and mode not in MODES:
        raise InvalidRequest(f"mode is one of {', '.join(MODES)}", expression="mode")
    return mode
