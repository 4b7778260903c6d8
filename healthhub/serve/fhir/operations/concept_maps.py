"""ConceptMap/$translate (http://hl7.org/fhir/R4/conceptmap-operation-translate.html)."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.model import validate
from healthhub.model.resource import Body
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of
from healthhub.serve.fhir.operations import coded, told
from healthhub.serve.fhir.operations.conformance import Conformance
from healthhub.serve.fhir.operations.given import Given, given
from healthhub.serve.fhir.operations.told import parameter
from healthhub.terms import concept_map, lists
from healthhub.terms.concept_map import NO_MATCH, Match


async def translate(request: Request) -> Response:
    """Other systems' codes for a code, by one map or by all that lead from its system."""
    ask = await asked(request, free=True)
    names = (
        "url conceptMap conceptMapVersion code system version source coding codeableConcept "
        "target targetsystem reverse"
    ).split()
    sent = await given(request, ask, names)
    wanted = coded.codes(sent)
    if any(not one.system for one in wanted):
        raise InvalidRequest("name the system of the code", expression="system")
    maps = _about(await _maps(request, ask, sent), {one.code for one in wanted}, request)
    goal, reverse = sent.text("targetsystem") or "", sent.flag("reverse")
    found = [
        match
        for body in maps
        for one in wanted
        for match in concept_map.translate(
            body, one.system, one.code, target=goal, reverse=reverse
        )
    ]
    found = list(dict.fromkeys(found))
    fits = any(match.equivalence not in NO_MATCH for match in found)
    pairs = [parameter("result", "Boolean", fits)]
    if not fits:
        pairs.append(parameter("message", "String", _no(found, maps)))
    pairs += [_match(match) for match in found]
    return answer.of_json(ask, told.parameters(pairs))


async def _maps(request: Request, ask: Asked, sent: Given) -> list[Body]:
    conformance = Conformance(request, ask)
    url, own = sent.text("url"), sent.object("conceptMap")
    if "id" in request.path_params:
        stored = await ask.door.read(ask.who, ask.why, "ConceptMap", id_of(request))
        return [orjson.loads(stored.json)]
    if own is not None:
        if own.get("resourceType") != "ConceptMap":
            raise Unprocessable("conceptMap is a ConceptMap", expression="conceptMap")
        validate.check(own)
        return [own]
    if url is not None:
        version = sent.text("conceptMapVersion")
        return [await conformance.need("ConceptMap", f"{url}|{version}" if version else url)]
    source, target = sent.text("source"), sent.text("target")
    return [
        body
        for body in await conformance.maps()
        if _leads(body, "source", source) and _leads(body, "target", target)
    ]


def _about(maps: list[Body], codes: set[str], request: Request) -> list[Body]:
    """The maps, those between long lists with what they say of these codes."""
    folder = request.app.state.settings.mappings_dir
    long = {entry.url: entry for entry in lists.maps(folder)}
    return [
        lists.about(long[url], codes, folder)
        if (url := body.get("url", "")) in long and "group" not in body
        else body
        for body in maps
    ]


def _leads(body: Body, end: str, url: str | None) -> bool:
    """Whether a map's source or target value set is the one asked for."""
    return url is None or url in (body.get(f"{end}Uri"), body.get(f"{end}Canonical"))


def _no(found: list[Match], maps: list[Body]) -> str:
    if found:
        return "the maps say that this code has no counterpart"
    return "no map of the hub knows this code" if maps else "no map of the hub fits"


def _match(match: Match) -> Body:
    parts: list[Body] = [{"name": "equivalence", "valueCode": match.equivalence}]
    if match.code:
        coding = {"system": match.system, "code": match.code, "display": match.display}
        held = {name: value for name, value in coding.items() if value}
        parts.append({"name": "concept", "valueCoding": held})
    if match.map:
        parts.append({"name": "source", "valueUri": match.map})
    return {"name": "match", "part": parts}
