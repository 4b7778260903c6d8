"""Patient/$summary: the International Patient Summary.

GET or POST [base]/Patient/[id]/$summary, [base]/Patient/$summary?identifier=[system]|[value].
http://hl7.org/fhir/uv/ips/STU2/OperationDefinition-summary.html
"""

from __future__ import annotations

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from healthhub import clock
from healthhub.access import holdings
from healthhub.errors import InvalidRequest, NotFound, PreconditionFailed
from healthhub.model import ids
from healthhub.model.resource import Body, Stored
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, id_of
from healthhub.serve.fhir.operations.given import Given, given
from healthhub.serve.fhir.summary import document
from healthhub.serve.fhir.summary.choice import choose

PROFILES = (
    f"{document.IPS}Composition-uv-ips",
    f"{document.IPS}Bundle-uv-ips",
)
TYPES = (
    "Patient AllergyIntolerance Condition MedicationRequest MedicationStatement Immunization "
    "Observation DiagnosticReport Procedure DeviceUseStatement Consent Flag CarePlan "
    "ImmunizationRecommendation Specimen ImagingStudy Device"
).split()
CHUNK = 2000
ROUNDS = 3
"""How far references are followed: a result, its specimen, who took it."""


async def summary(request: Request) -> Response:
    """The summary of one person; a golden Patient's covers all sources."""
    ask = await asked(request, free=True)
    sent = await given(request, ask, ("profile",))
    _refuse_others(sent)
    return await _answered(ask, id_of(request))


async def summary_by_identifier(request: Request) -> Response:
    """The summary of the one person who bears an identifier."""
    ask = await asked(request, free=True)
    sent = await given(request, ask, ("identifier", "profile"))
    _refuse_others(sent)
    wanted = sent.needed("identifier")
    page = await ask.door.search(
        ask.who, ask.why, "Patient", [("identifier", wanted), ("_count", "50")], ask.base
    )
    bearers = [answer.id_in(one) for one in page.matches]
    persons = {str(await ask.door.person(ask.who, ask.why, one)) for one in bearers}
    if not persons:
        raise NotFound("no patient bears this identifier")
    if len(persons) > 1:
        raise PreconditionFailed(
            "several persons bear this identifier; name its system, or ask by the Patient's id"
        )
    person = persons.pop()
    return await _answered(ask, person if person in bearers else bearers[0])


def _refuse_others(sent: Given) -> None:
    profile = sent.text("profile")
    if profile is not None and profile.partition("|")[0] not in PROFILES:
        raise InvalidRequest(
            f"the hub makes summaries of one profile: {PROFILES[0]}", expression="profile"
        )


async def _answered(ask: Asked, fhir_id: str) -> Response:
    # The Patient itself comes first: it may be gone, and then nothing else is read.
    patient = holdings.loads((await ask.door.read(ask.who, ask.why, "Patient", fhir_id)).json)
    stored = await _record(ask, fhir_id)
    record = await run_in_threadpool(lambda: [holdings.loads(one.json) for one in stored])
    now = clock.now()
    sections = await run_in_threadpool(choose, record, now)
    entries = [body for chosen in sections.values() for body in chosen.entries]
    known = {document.address(body): body for body in record}
    material = document.Material(
        ask.base,
        patient,
        frozenset(body["id"] for body in record if body["resourceType"] == "Patient"),
        sections,
        await _others(ask, [patient, *entries], known),
        now,
    )
    body = await run_in_threadpool(document.bundle, material)
    made = answer.of_json(ask, holdings.dumps(body))
    made.headers["cache-control"] = "private, no-store"
    return made


async def _record(ask: Asked, fhir_id: str) -> list[Stored]:
    found: list[Stored] = []
    after: str | None = None
    while True:
        page = await ask.door.everything(
            ask.who, ask.why, fhir_id, types=TYPES, after=after, count=CHUNK
        )
        found += page.matches
        if page.next is None:
            return found
        after = page.next


async def _others(ask: Asked, bodies: list[Body], known: dict[str, Body]) -> dict[str, Body]:
    """What the entries refer to, of the record itself and of what belongs to no patient."""
    found: dict[str, Body] = {}
    waiting = bodies
    for _ in range(ROUNDS):
        named = {name for body in waiting for name in document.references(body)} - found.keys()
        waiting = [known[name] for name in named if name in known]
        missing = sorted(named - known.keys())
        if missing:
            shared = await ask.door.referenced(ask.who, ask.why, missing)
            # What belongs to some patient is in the record, or is another patient's.
            waiting += [orjson.loads(one.json) for one in shared if one.patient == ids.SHARED]
        found |= {document.address(body): body for body in waiting}
    return found
