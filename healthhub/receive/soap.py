"""POST /feeds/{source}/soap: the national operation HIPMessageServer, SOAP 1.2 and 1.1.

The whole request is kept, byte for byte, by the same keeper as everything else, before it is
acknowledged in the sender's form. ``?wsdl`` describes the operation. A query of persons
(PRPA_IN201305UV02) is a read: it is answered from the register through the access door, in the
name of the client that the source's setting ``client`` names, and is not kept.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from healthhub.adapter_api import BadMessage, registry
from healthhub.errors import NotFound
from healthhub.receive import person_query, soap_envelope
from healthhub.receive.http import admitted, body_of, via
from healthhub.receive.intake import Intake, aside, read
from healthhub.receive.soap_envelope import Call
from healthhub.settings import Source

ADAPTERS = ("hl7v3", "cda")
router = APIRouter(include_in_schema=False)  # the WSDL describes it


@router.get("/feeds/{name}/soap")
async def wsdl(name: str, request: Request) -> Response:
    """The description, for a source that brings its token."""
    admitted(request, name, None)
    if "wsdl" not in {key.lower() for key in request.query_params}:
        raise NotFound(f"POST a SOAP envelope here, or read /feeds/{name}/soap?wsdl")
    address = str(request.url.replace(query=""))
    return Response(soap_envelope.wsdl(address), media_type="text/xml; charset=utf-8")


@router.post("/feeds/{name}/soap")
async def soap(name: str, request: Request) -> Response:
    """Keep the message; the answer is its acknowledgement, or a fault if it is no SOAP."""
    source = admitted(request, name, None)
    if source.adapter not in ADAPTERS:
        raise NotFound(
            f"source {name} sends {source.adapter}: POST /feeds/{name}/{source.adapter}"
        )
    async with body_of(request) as body:
        return await _answered(request, name, source, body)


async def _answered(request: Request, name: str, source: Source, body: bytes) -> Response:
    try:
        call = await aside(len(body), lambda: soap_envelope.read(body))
    except BadMessage as error:
        return await _fault(request, name, source, body, error)
    adapter = registry.find(source.adapter)
    way = via(request)
    incoming, bad = await aside(len(body), lambda: read(name, source, adapter, body, way))
    if incoming.envelope is not None and incoming.envelope.kind in person_query.KINDS:
        answer = await person_query.answer(request, name, source, body)
        return _response(soap_envelope.response(call, answer), call)
    keeping = Intake(request.app.state.keeper)
    told = await (await keeping.hand_over(source, adapter, incoming, bad)).answer()
    return _response(soap_envelope.response(call, told.acknowledgement), call)


async def _fault(
    request: Request, name: str, source: Source, body: bytes, error: BadMessage
) -> Response:
    """What is no SOAP is kept as rejected too, and answered by a fault."""
    adapter = registry.find(source.adapter)
    keeping = Intake(request.app.state.keeper)
    told = await (await keeping.turn_away(name, adapter, body, via(request), error)).answer()
    call = Call(version=soap_envelope.version_of(body))
    text = f"{told.text} ({told.place})" if told.place else told.text
    mine = told.outcome == "error"
    return _response(soap_envelope.fault(call, text, receiver=mine), call, 503 if mine else 400)


def _response(body: bytes, call: Call, status: int = 200) -> Response:
    return Response(body, status, media_type=call.media_type)
