"""$document: a Composition and what it refers to, as one Bundle.

GET or POST [base]/Composition/[id]/$document, [base]/Composition/$document?id=[id].
http://hl7.org/fhir/R4/composition-operation-document.html
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from healthhub import clock
from healthhub.access import holdings
from healthhub.access.policy import Action
from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.model.resource import Body, Stored
from healthhub.pipeline.intent import Intent
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of
from healthhub.serve.fhir.operations.given import Given, given
from healthhub.serve.fhir.writing import carry_out

LOCAL = re.compile(r"([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
ROUNDS = 2
"""What the Composition refers to, and what that refers to (a medicine, a laboratory)."""
MOST = 2000


async def document_of_type(request: Request) -> Response:
    """The document of the Composition that ``id`` names."""
    ask = await asked(request, free=True)
    sent = await given(request, ask, ("id", "persist"))
    named = LOCAL.fullmatch(sent.needed("id").removeprefix(f"{ask.base}/"))
    fhir_id = named[1].partition("/")[2] if named else sent.needed("id")
    if not re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", fhir_id):
        raise InvalidRequest("id is that of a Composition of this server", expression="id")
    return await _document(ask, fhir_id, sent)


async def document(request: Request) -> Response:
    """The document of one Composition."""
    ask = await asked(request, free=True)
    sent = await given(request, ask, ("persist",))
    return await _document(ask, id_of(request), sent)


async def _document(ask: Asked, fhir_id: str, sent: Given) -> Response:
    keep = sent.flag("persist")
    if keep:
        await ask.door.permit(ask.who, ask.why, Action.WRITE, ("Bundle", "c"))
    stored = await ask.door.read(ask.who, ask.why, "Composition", fhir_id)
    body = await _bundle(ask, stored)
    if not keep:
        made = answer.of_json(ask, holdings.dumps(body))
        made.headers["cache-control"] = "private, no-store"
        return made
    made = await carry_out(ask, Intent("create", "Bundle", body=body), "$document")
    kept = made.stored
    assert kept is not None  # noqa: S101 - a create gives what it made
    place = f"{ask.base}/Bundle/{made.id}/_history/{kept.version}"
    return answer.of_stored(ask, kept, headers={"location": place})


async def _bundle(ask: Asked, composition: Stored) -> Body:
    first = holdings.loads(composition.json)
    found: dict[str, Body] = {f"Composition/{first['id']}": first}
    wanted = dict(_named(first, ask.base))
    for turn in range(ROUNDS):
        missing = [name for name in wanted if name not in found]
        for one in await ask.door.referenced(ask.who, ask.why, missing):
            body = holdings.loads(one.json)
            found[f"{body['resourceType']}/{body['id']}"] = body
        if turn == 0:
            for name, place in wanted.items():
                if name not in found:
                    raise Unprocessable(
                        f"the Composition refers to {name.partition('/')[0]} that is not here; "
                        "store it first, or take the reference out",
                        expression=place,
                    )
        if len(found) > MOST:
            raise Unprocessable(f"the document would hold over {MOST} resources; part it")
        wanted = {name: "" for body in found.values() for name, _ in _named(body, ask.base)}
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": answer.instant(clock.now()),
        "entry": [
            {"fullUrl": f"{ask.base}/{name}", "resource": body} for name, body in found.items()
        ],
    }


def _named(body: Body, base: str) -> Iterator[tuple[str, str]]:
    """What a resource refers to on this server, and where; a document that it replaces is none
    of its content."""
    for name, value in body.items():
        if name != "relatesTo":
            yield from _references(value, f"{body['resourceType']}.{name}", base)


def _references(value: Any, place: str, base: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, f"{place}[{index}]", base)
    elif isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            local = LOCAL.fullmatch(reference.removeprefix(f"{base}/"))
            if local is not None:
                yield local[1], place
        for name, child in value.items():
            if isinstance(child, dict | list):
                yield from _references(child, f"{place}.{name}", base)
