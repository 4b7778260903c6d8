"""CodeSystem/$lookup, $validate-code and $subsumes.

http://hl7.org/fhir/R4/codesystem-operations.html
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest, NotFound, Unprocessable
from healthhub.model import validate
from healthhub.model.resource import Body
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked, id_of
from healthhub.serve.fhir.operations import coded, told
from healthhub.serve.fhir.operations.coded import Coded
from healthhub.serve.fhir.operations.conformance import Conformance
from healthhub.serve.fhir.operations.given import Given, given
from healthhub.serve.fhir.operations.told import parameter
from healthhub.terms.code_system import CodeSystem, Concept


async def lookup(request: Request) -> Response:
    """What a code means. NotFound for a code that its system does not have."""
    ask = await asked(request, free=True)
    names = ("code", "system", "version", "coding", "property", "displayLanguage")
    sent = await given(request, ask, names)
    wanted = coded.one(sent)
    system = await _system(Conformance(request, ask), wanted.system, wanted.version)
    concept = system.find(wanted.code)
    if concept is None:
        raise NotFound(_unknown(system), expression="code")
    language = sent.text("displayLanguage") or ""
    pairs = [parameter("name", "String", system.body.get("name") or system.url)]
    if system.version:
        pairs.append(parameter("version", "String", system.version))
    pairs.append(parameter("display", "String", concept.shown(language) or concept.code))
    pairs += [_designation(one) for one in concept.designations]
    asked_for = [str(name) for name in sent.all("property")]
    pairs += [
        one
        for one in _properties(system, concept)
        if not asked_for or one["part"][0]["valueCode"] in asked_for
    ]
    return answer.of_json(ask, told.parameters(pairs))


async def validate_code(request: Request) -> Response:
    """Whether a code is one of the system."""
    ask = await asked(request, free=True)
    names = ("url", "codeSystem", "code", "version", "display", "coding", "codeableConcept")
    sent = await given(request, ask, names)
    conformance = Conformance(request, ask)
    own = await _own(request, ask, sent)
    pairs: list[Body] = []
    for one in coded.codes(sent, "url"):
        if own is not None and one.system and one.system != own.url:
            pairs = _no(f"the coding is of {one.system}, and not of {own.url}")
            continue
        system = own or await _system(conformance, one.system, one.version)
        pairs = judged(system.find(one.code), one, _unknown(system))
        if pairs[0]["valueBoolean"]:
            break
    return answer.of_json(ask, told.parameters(pairs))


async def subsumes(request: Request) -> Response:
    """How two codes of one system stand to each other."""
    ask = await asked(request, free=True)
    sent = await given(
        request, ask, ("codeA", "codeB", "system", "version", "codingA", "codingB")
    )
    left, right = _side(sent, "A"), _side(sent, "B")
    own = await _own(request, ask, sent)
    url = left.system or right.system or (own.url if own else "")
    if left.system and right.system and left.system != right.system:
        raise InvalidRequest("both codes are of one system", expression="codingB")
    system = own or await _system(Conformance(request, ask), url, left.version)
    a, b = system.find(left.code), system.find(right.code)
    if a is None or b is None:
        raise NotFound(_unknown(system), expression="codeA" if a is None else "codeB")
    if a.code == b.code:
        result = "equivalent"
    elif b.code in system.below(a.code):
        result = "subsumes"
    else:
        result = "subsumed-by" if a.code in system.below(b.code) else "not-subsumed"
    return answer.of_json(ask, told.parameters([parameter("outcome", "Code", result)]))


def judged(concept: Concept | None, given_: Coded, unknown: str) -> list[Body]:
    """The answer of a $validate-code: a wrong display makes a right code wrong."""
    if concept is None:
        return _no(unknown)
    names = [concept.display, *(str(one.get("value")) for one in concept.designations)]
    if given_.display and given_.display.casefold() not in {n.casefold() for n in names}:
        return [
            *_no(f"the code is right, and its display is {concept.display!r}"),
            parameter("display", "String", concept.display or concept.code),
        ]
    return [
        parameter("result", "Boolean", True),
        parameter("display", "String", concept.display or concept.code),
    ]


def _no(message: str) -> list[Body]:
    return [parameter("result", "Boolean", False), parameter("message", "String", message)]


def _unknown(system: CodeSystem) -> str:
    if system.is_complete:
        return f"{system.url} has no such code"
    return f"the hub does not hold all codes of {system.url}; this one it does not know"


async def _system(conformance: Conformance, url: str, version: str = "") -> CodeSystem:
    if not url:
        raise InvalidRequest("name the code system of the code", expression="system")
    address = f"{url}|{version}" if version else url
    await conformance.need("CodeSystem", address)
    found = conformance.system(address)
    assert found is not None  # noqa: S101 - need() has raised otherwise
    return found


async def _own(request: Request, ask: answer.Asked, sent: Given) -> CodeSystem | None:
    """The CodeSystem of the address, or the one that was sent along."""
    if "id" in request.path_params:
        stored = await ask.door.read(ask.who, ask.why, "CodeSystem", id_of(request))
        return CodeSystem(orjson.loads(stored.json))
    body = sent.object("codeSystem") if sent.all("codeSystem") else None
    if body is not None and (body.get("resourceType") != "CodeSystem" or "url" not in body):
        raise Unprocessable("codeSystem is a CodeSystem with a url", expression="codeSystem")
    if body is None:
        return None
    validate.check(body)
    return CodeSystem(body)


def _side(sent: Given, letter: str) -> Coded:
    coding = sent.object(f"coding{letter}")
    if coding is not None:
        pairs = (("coding", coding),)
    else:
        pairs = (("code", sent.needed(f"code{letter}")), ("system", sent.text("system") or ""))
    return coded.one(Given(tuple(pair for pair in pairs if pair[1])))


def _designation(one: Body) -> Body:
    parts = []
    if "language" in one:
        parts.append({"name": "language", "valueCode": one["language"]})
    if "use" in one:
        parts.append({"name": "use", "valueCoding": one["use"]})
    parts.append({"name": "value", "valueString": one.get("value", "")})
    return {"name": "designation", "part": parts}


def _properties(system: CodeSystem, concept: Concept) -> list[Body]:
    pairs: list[tuple[str, str, object]] = []
    pairs += [("parent", "valueCode", code) for code in system.parents(concept.code)]
    pairs += [("child", "valueCode", code) for code in system.children(concept.code)]
    if concept.definition:
        pairs.append(("definition", "valueString", concept.definition))
    for one in concept.properties:
        if one.get("code") not in ("parent", "child", "subsumedBy"):
            pairs += [
                (str(one.get("code")), name, value)
                for name, value in one.items()
                if name.startswith("value")
            ]
    return [
        {
            "name": "property",
            "part": [{"name": "code", "valueCode": code}, {"name": "value", name: value}],
        }
        for code, name, value in pairs
    ]
