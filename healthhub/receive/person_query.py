"""A query of persons (PRPA_IN201305UV02), answered from the register (PRPA_IN201306UV02).

The source's mapping reads what is looked for, as a Patient (block ``wanted``); the access door
answers in the name of the client that the source's setting ``client`` names, for that client's
purpose, and audits it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import quoteattr

import orjson
from fastapi import Request

from healthhub import clock
from healthhub.access import clients
from healthhub.access.matching import Match
from healthhub.adapter_api import BadMessage, registry
from healthhub.adapter_api.adapter import Outcome
from healthhub.convert.converter import Converter
from healthhub.errors import Forbidden, HubError
from healthhub.identify.match import features
from healthhub.mapping.library import Library
from healthhub.model.resource import Body
from healthhub.settings import Settings, Source

KINDS = ("HV3^PRPA_IN201305UV02",)
MOST = 50
NATION = "2.16.156.10011."
_ROOTS = {f"urn:oid:{NATION}1.3": f"{NATION}1.3", f"urn:oid:{NATION}1.19": f"{NATION}1.19"}
_SEX = {"male": "1", "female": "2"}


async def answer(request: Request, name: str, source: Source, raw: bytes) -> bytes:
    """The answer; an acknowledgement with AE or AR when there can be none."""
    adapter = registry.find(source.adapter)
    try:
        wanted = _wanted(request, name, source, raw)
        found = await _found(request, source, wanted)
    except BadMessage as error:
        return adapter.acknowledge(raw, "reject", "", error, source)
    except HubError as error:
        outcome: Outcome = "reject" if isinstance(error, Forbidden) else "error"
        return adapter.acknowledge(raw, outcome, error.message, None, source)
    acknowledged = adapter.acknowledge(raw, "accept", "", None, source).decode()
    return _answered(acknowledged, found).encode()


def _wanted(request: Request, name: str, source: Source, raw: bytes) -> Body:
    """The Patient that the query describes, by the source's mapping."""
    known: dict[str, Converter] = request.app.state.__dict__.setdefault("query_converters", {})
    if name not in known:
        settings: Settings = request.app.state.settings
        known[name] = Converter(name, source, Library(settings.mappings_dir))
    drafts = known[name].draft(0, raw, clock.now()).drafts
    bodies = [draft.body for draft in drafts if draft.type == "Patient"]
    if not bodies or features(bodies[0]).is_bare:
        raise BadMessage(
            "nothing here tells persons apart: send a number, a phone number, or a name and a "
            "whole birth date",
            condition="101",
            place="queryByParameter",
        )
    return bodies[0]


async def _found(request: Request, source: Source, wanted: Body) -> Sequence[Match]:
    who = await clients.acting(request.app.state.pool, source.client) if source.client else None
    if who is None or who.purpose is None:
        raise Forbidden(
            "this source may not query persons: register a client for it (healthhub client add) "
            "and name it in sources.NAME.client"
        )
    who = replace(who, address=request.client.host if request.client else "")
    return (await request.app.state.door.match(who, who.purpose, wanted))[:MOST]


def _answered(acknowledged: str, found: Sequence[Match]) -> str:
    """The acknowledgement made an answer: its subjects, and how many there are."""
    subjects = "".join(_subject(orjson.loads(one.patient.json), one) for one in found)
    code = "OK" if found else "NF"
    act = (
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        f'{subjects}<queryAck><queryId extension="{uuid4()}"/>'
        f'<queryResponseCode code="{code}"/>'
        f'<resultTotalQuantity value="{len(found)}"/></queryAck></controlActProcess>'
    )
    return acknowledged.replace("MCCI_IN000002UV01", "PRPA_IN201306UV02").replace(
        "</PRPA_IN201306UV02>", f"{act}</PRPA_IN201306UV02>"
    )


def _subject(body: dict[str, Any], one: Match) -> str:
    """One person. The grade of the match stands with the score, in percent."""
    person = [_name(body)]
    if body.get("gender") in _SEX:
        person.append(
            f'<administrativeGenderCode code="{_SEX[body["gender"]]}" '
            f'codeSystem="{NATION}2.3.3.4"/>'
        )
    if body.get("birthDate"):
        person.append(f'<birthTime value="{str(body["birthDate"]).replace("-", "")}"/>')
    person += [
        f'<telecom><item use="MC" value={quoteattr("tel:" + str(t["value"]))}/></telecom>'
        for t in body.get("telecom", ())
        if t.get("system") == "phone" and t.get("value")
    ]
    return (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f"<id>{''.join(_items(body))}</id>"
        f'<patientPerson classCode="PSN" determinerCode="INSTANCE">{"".join(person)}'
        "</patientPerson><subjectOf1><queryMatchObservation><code "
        f'code="{one.fit.grade}"/><value value="{round(one.fit.score * 100)}"/>'
        "</queryMatchObservation></subjectOf1></patient></subject1></registrationEvent></subject>"
    )


def _items(body: dict[str, Any]) -> Iterator[str]:
    """Numbers: national ones under their own root, others with who assigns them."""
    yield f'<item root="urn:healthhub:person" extension={quoteattr(str(body["id"]))}/>'
    for each in body.get("identifier", ()):
        system, value = str(each.get("system", "")), each.get("value")
        if value:
            root = _ROOTS.get(system, system.removeprefix("urn:oid:"))
            yield f"<item root={quoteattr(root)} extension={quoteattr(str(value))}/>"


def _name(body: dict[str, Any]) -> str:
    names = body.get("name", ())
    text = next((str(n["text"]) for n in names if n.get("text")), "")
    return f"<name><item><part value={quoteattr(text)}/></item></name>" if text else ""
