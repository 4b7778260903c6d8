"""ValueSet/$expand and $validate-code.

http://hl7.org/fhir/R4/valueset-operations.html
"""

from __future__ import annotations

import uuid

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from healthhub import clock
from healthhub.access import holdings
from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.model import validate
from healthhub.model.resource import Body
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of
from healthhub.serve.fhir.operations import coded, told
from healthhub.serve.fhir.operations.code_systems import judged
from healthhub.serve.fhir.operations.conformance import Conformance
from healthhub.serve.fhir.operations.given import Given, given
from healthhub.terms import value_set
from healthhub.terms.code_system import Concept

MOST = 5000
"""Codes in one answer; more are paged with count and offset."""


async def expand(request: Request) -> Response:
    """The codes of a value set, those that match ``filter``, a page of them."""
    ask = await asked(request, free=True)
    names = (
        "url valueSet valueSetVersion filter offset count includeDesignations activeOnly "
        "excludeNested displayLanguage"
    ).split()
    sent = await given(request, ask, names)
    conformance = Conformance(request, ask)
    definition = await _definition(request, ask, sent, conformance)
    found = await run_in_threadpool(value_set.expand, definition, conformance.shelf)
    language, active = sent.text("displayLanguage") or "", sent.flag("activeOnly")
    sent.flag("excludeNested")
    found = [
        one
        for one in found
        if not (active and one.is_inactive)
        and _matches(one, sent.text("filter") or "", language)
    ]
    first, count = sent.number("offset") or 0, sent.number("count")
    if count is None and len(found) > MOST:
        raise TooCostly(
            f"the value set has {len(found)} codes; ask for at most {MOST} with count, and for "
            "the next with offset"
        )
    page = found[first : first + min(count if count is not None else MOST, MOST)]
    with_more = sent.flag("includeDesignations")
    expansion: Body = {
        "identifier": f"urn:uuid:{uuid.uuid4()}",
        "timestamp": answer.instant(clock.now()),
        "total": len(found),
        "offset": first,
        "parameter": _parameters(sent),
        "contains": [_contained(one, language, with_more) for one in page],
    }
    expansion = {name: value for name, value in expansion.items() if value != []}
    kept = {
        name: value for name, value in definition.items() if name not in ("compose", "text")
    }
    return answer.of_json(ask, holdings.dumps(kept | {"expansion": expansion}))


class TooCostly(Unprocessable):
    """More than one answer should hold."""

    issue = "too-costly"


async def validate_code(request: Request) -> Response:
    """Whether a code is in the value set."""
    ask = await asked(request, free=True)
    names = (
        "url valueSet valueSetVersion code system systemVersion version display coding "
        "codeableConcept abstract displayLanguage"
    ).split()
    sent = await given(request, ask, names)
    wanted = coded.codes(sent)
    if any(not one.system for one in wanted) and sent.all("code"):
        raise InvalidRequest("name the system of the code", expression="system")
    conformance = Conformance(request, ask)
    definition = await _definition(request, ask, sent, conformance)
    found = await run_in_threadpool(value_set.expand, definition, conformance.shelf)
    inside = {(one.system, one.code): one for one in found}
    abstract = sent.flag("abstract")
    where = definition.get("url") or "the value set"
    pairs: list[Body] = []
    for one in wanted:
        concept = inside.get((one.system, one.code))
        if concept is not None and concept.is_abstract and not abstract:
            concept = None
        pairs = judged(concept, one, f"{where} has no such code of {one.system or 'no system'}")
        if pairs[0]["valueBoolean"]:
            break
    return answer.of_json(ask, told.parameters(pairs))


async def _definition(
    request: Request, ask: Asked, sent: Given, conformance: Conformance
) -> Body:
    """The value set of the address, of ``url``, or sent along; with all that it is made of."""
    url, own = sent.text("url"), sent.object("valueSet")
    if "id" in request.path_params:
        stored = await ask.door.read(ask.who, ask.why, "ValueSet", id_of(request))
        found: Body = orjson.loads(stored.json)
    elif own is not None:
        if own.get("resourceType") != "ValueSet":
            raise Unprocessable("valueSet is a ValueSet", expression="valueSet")
        validate.check(own)
        found = own
    elif url is not None:
        version = sent.text("valueSetVersion")
        found = await conformance.need("ValueSet", f"{url}|{version}" if version else url)
    else:
        raise InvalidRequest("name the value set by its url", expression="url")
    await conformance.value_sets([found])
    return found


def _matches(one: Concept, text: str, language: str) -> bool:
    """Each word of the filter is in the code or in one of its names."""
    if not text:
        return True
    names = [one.code, one.display, one.shown(language)]
    held = " ".join(
        [*names, *(str(other.get("value")) for other in one.designations)]
    ).casefold()
    return all(word in held for word in text.casefold().split())


def _contained(one: Concept, language: str, with_more: bool) -> Body:
    made: Body = {"system": one.system} if one.system else {}
    if one.is_abstract:
        made["abstract"] = True
    if one.is_inactive:
        made["inactive"] = True
    if one.version:
        made["version"] = one.version
    made["code"] = one.code
    if shown := one.shown(language):
        made["display"] = shown
    if with_more and one.designations:
        made["designation"] = one.designations
    return made


def _parameters(sent: Given) -> list[Body]:
    """What shaped the expansion (http://hl7.org/fhir/R4/valueset.html#expansion)."""
    found: list[Body] = []
    for name, kind in (("filter", "String"), ("displayLanguage", "Code")):
        if (text := sent.text(name)) is not None:
            found.append({"name": name, f"value{kind}": text})
    for name in ("count", "offset"):
        if (number := sent.number(name)) is not None:
            found.append({"name": name, "valueInteger": number})
    for name in ("activeOnly", "includeDesignations"):
        if sent.all(name):
            found.append({"name": name, "valueBoolean": sent.flag(name)})
    return found
