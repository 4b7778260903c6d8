"""Patient/$match: which persons of the hub could this Patient be?

POST [base]/Patient/$match. http://hl7.org/fhir/R4/patient-operation-match.html
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.identify.match import features
from healthhub.model import validate
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import asked
from healthhub.serve.fhir.operations.given import given

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
USUAL = 50


async def match(request: Request) -> Response:
    """One entry for each person that fits, the best first, with grade and score.

    With onlyCertainMatches there is an entry only when one person alone is certain.
    """
    ask = await asked(request, free=True)
    names = ("resource", "onlyCertainMatches", "count")
    sent = await given(request, ask, names, resource=True)
    body = sent.object("resource") if sent.resource is None else sent.resource
    if body is None or body.get("resourceType") != "Patient":
        raise InvalidRequest("send the Patient to look for", expression="resource")
    validate.check(body)
    if features(body).is_bare:
        raise Unprocessable(
            "nothing here tells persons apart: send an identifier, a phone number, or a name "
            "and a whole birth date",
            expression="Patient",
        )
    only_certain, count = sent.flag("onlyCertainMatches"), sent.number("count")
    found = await ask.door.match(ask.who, ask.why, body)
    if only_certain:
        found = [one for one in found if one.fit.grade == "certain"]
        found = found if len(found) == 1 else []
    entries: list[bytes] = []
    for one in found[: USUAL if count is None else count]:
        shown = {
            "extension": [{"url": GRADE, "valueCode": one.fit.grade}],
            "mode": "match",
            "score": one.fit.score,
        }
        url = orjson.dumps(f"{ask.base}/Patient/{answer.id_in(one.patient)}")
        entries.append(
            b'{"fullUrl":%b,"resource":%b,"search":%b}'
            % (url, one.patient.json, orjson.dumps(shown))
        )
    links = [("self", f"{ask.base}/Patient/$match")]
    made = answer.of_json(ask, answer.bundle("searchset", entries, links, len(found)))
    made.headers["cache-control"] = "private, no-store"
    return made
