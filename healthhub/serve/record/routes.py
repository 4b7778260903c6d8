"""The pages of the record: search, the record itself, its lists, trends, reports and traces."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from healthhub import clock
from healthhub.access import http, policy
from healthhub.access.actor import Actor, Purpose
from healthhub.access.door import Door
from healthhub.access.looks import Look
from healthhub.access.policy import Action
from healthhub.clock import ZONE
from healthhub.errors import NotFound
from healthhub.serve.record import page
from healthhub.serve.record.bodies import parse
from healthhub.serve.record.imaging import without_instances
from healthhub.serve.record.observations import Histories
from healthhub.serve.record.origin import Sources, sources
from healthhub.serve.record.page import Record
from healthhub.serve.record.people import found
from healthhub.serve.record.trace import trace
from healthhub.serve.record.trend import trend
from healthhub.serve.record.visits import timeline
from healthhub.web import forms
from healthhub.web.pages import Pages, Viewer

router = APIRouter(include_in_schema=False)
_PAGES = Pages(Path(__file__).parent / "templates")
SHOWN = 12
"""Visits and reports on the record page; the lists behind them are whole."""
LOOKS, MOST_LOOKS = 8, 500
LOOKS_DAYS = 180
"""So far back the pages tell who has looked; the audit itself is kept longer."""
VERSIONS = 50
PICTURE_TYPES = ("image/jpeg", "image/png")
TRACED = frozenset(
    {
        "AllergyIntolerance",
        "Condition",
        "DiagnosticReport",
        "DocumentReference",
        "Encounter",
        "ExplanationOfBenefit",
        "ImagingStudy",
        "Immunization",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
        "Patient",
        "Procedure",
    }
)


def viewer(who: Actor, patient: str = "") -> Viewer:
    """What the layout shows of the reader, on a page of this patient."""
    return Viewer(
        who.title or who.name,
        record=policy.permits(who, _why(who), Action.SEARCH),
        console=policy.permits(who, Purpose.HOPERAT, Action.OPERATE),
        bound_to=f"/record/{patient}" if who.patient is not None else "",
    )


def _why(who: Actor) -> Purpose:
    """Why the reader reads: as the hospital's system has said, else to treat."""
    return who.purpose or Purpose.TREAT


@router.get("/")
async def home(request: Request) -> Response:
    """The start page; one who only runs the hub goes to the console."""
    reader = viewer(await http.actor(request))
    if reader.console and not reader.record:
        return RedirectResponse("/console", status_code=303)
    return _PAGES.render(request, "home.html", viewer=reader, text="", people=None)


@router.get("/patients")
async def again() -> Response:
    """The address of a search result, opened without its form."""
    return RedirectResponse("/", status_code=303)


@router.post("/patients")
async def find(request: Request) -> Response:
    """Residents by name or number; by form, so that neither stands in an address."""
    who = await http.actor(request)
    fields = await forms.checked(request)
    text = fields.get("text", "").strip()[:80]
    hits = await http.door(request).patients(who, _why(who), text) if text else []
    today = clock.now().astimezone(ZONE).date()
    people = [found(parse(hit.json), _sources(request), today) for hit in hits]
    return _PAGES.render(request, "home.html", viewer=viewer(who), text=text, people=people)


@router.get("/record/{patient}")
async def record(
    request: Request, patient: str, institution: str = "", kind: str = ""
) -> Response:
    """The whole record of a person, whichever of the person's Patients is named."""
    who = await http.actor(request)
    person, built = await _opened(request, who, patient)
    return _PAGES.render(
        request,
        "record.html",
        viewer=viewer(who, patient),
        r=built,
        base=f"/record/{person}",
        timeline=timeline(built.visits, institution, kind),
        shown=SHOWN,
        looks=await _looks(request, who, person, LOOKS),
    )


@router.get("/record/{patient}/looks")
async def looks(request: Request, patient: str) -> Response:
    """Who has looked at the record, as far back as the page tells."""
    who = await http.actor(request)
    person, built = await _opened(request, who, patient)
    return _PAGES.render(
        request,
        "section.html",
        viewer=viewer(who, patient),
        r=built,
        base=f"/record/{person}",
        what="looks",
        looks=await _looks(request, who, person, MOST_LOOKS),
    )


@router.get("/record/{patient}/visits")
async def visits(
    request: Request, patient: str, institution: str = "", kind: str = ""
) -> Response:
    """All visits, filtered."""
    return await _shown(
        request,
        patient,
        "section.html",
        lambda r: {"what": "visits", "timeline": timeline(r.visits, institution, kind)},
    )


@router.get("/record/{patient}/reports")
async def reports(request: Request, patient: str) -> Response:
    """All reports and documents."""
    return await _shown(request, patient, "section.html", lambda _: {"what": "reports"})


@router.get("/record/{patient}/report/{type_}/{report}")
async def report(request: Request, patient: str, type_: str, report: str) -> Response:
    """One report or document."""

    def chosen(r: Record) -> dict[str, Any]:
        for item in r.reports:
            if (item.type, item.id) == (type_, report):
                return {"p": item}
        raise NotFound("this record has no such report; open the record and choose one there")

    return await _shown(request, patient, "report.html", chosen)


@router.get("/record/{patient}/ecg/{id_}")
async def ecg(request: Request, patient: str, id_: str) -> Response:
    """One electrocardiogram on millimetre paper, in true size when printed."""

    def chosen(r: Record) -> dict[str, Any]:
        for item in r.ecgs:
            if item.id == id_:
                return {"e": item}
        raise NotFound("this record has no such ECG; open the record and choose one there")

    return await _shown(request, patient, "ecg.html", chosen)


@router.get("/record/{patient}/trend/{analyte}")
async def analyte_trend(request: Request, patient: str, analyte: str) -> Response:
    """All readings of one analyte, drawn and as a table."""

    def chosen(r: Record) -> dict[str, Any]:
        drawn = trend([item for item in r.readings if item.analyte == analyte])
        if drawn is None:
            raise NotFound("this record has no such result; open the record and choose one")
        return {"trend": drawn}

    return await _shown(request, patient, "trend.html", chosen)


@router.get("/record/{patient}/picture/{id_}")
async def picture(request: Request, patient: str, id_: str) -> Response:
    """A small picture of an image, for the record's own pages."""
    who = await http.actor(request)
    held = parse((await http.door(request).read(who, _why(who), "Binary", id_)).json)
    kind = held.get("contentType", "")
    if kind not in PICTURE_TYPES:
        raise NotFound("this is no picture; open the record and choose one there")
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(b64decode(held.get("data", "")), 200, headers, kind)


@router.get("/record/{patient}/trace/{type_}/{id_}")
async def origin_trace(request: Request, patient: str, type_: str, id_: str) -> Response:
    """What lies behind a value: codes, versions, and the message of each element."""
    who = await http.actor(request)
    if type_ not in TRACED:
        raise NotFound("the record page shows no such thing; open the record and choose there")
    versions = await http.door(request).history(who, _why(who), type_, id_, VERSIONS)
    bodies = [parse(version.json) for version in versions if not version.deleted]
    if type_ == "ImagingStudy":
        bodies = [without_instances(body) for body in bodies]
    if not bodies:
        raise NotFound("it was deleted; open the record to see what is there now")
    return _PAGES.render(
        request,
        "trace.html",
        viewer=viewer(who, patient),
        x=trace(bodies, _sources(request)),
        base=f"/record/{patient}",
        sees=policy.permits(who, _why(who), Action.MESSAGE),
    )


async def _looks(request: Request, who: Actor, person: str, count: int) -> list[Look]:
    """The latest readers, this one included: the look is in the audit before it is shown."""
    since = clock.now() - timedelta(days=LOOKS_DAYS)
    return await http.door(request).readers(who, _why(who), person, since, count)


def _sources(request: Request) -> Sources:
    """The names of sources, made once for the application."""
    state = request.app.state
    if not hasattr(state, "sources"):
        state.sources = sources(state.settings)
    return state.sources


async def _shown(
    request: Request, patient: str, template: str, more: Callable[[Record], dict[str, Any]]
) -> Response:
    """A page of a person's record; ``more`` adds what only this page needs."""
    who = await http.actor(request)
    person, built = await _opened(request, who, patient)
    return _PAGES.render(
        request,
        template,
        viewer=viewer(who, patient),
        r=built,
        base=f"/record/{person}",
        **more(built),
    )


async def _opened(request: Request, who: Actor, patient: str) -> tuple[str, Record]:
    """The id of the person, and the record."""
    door = http.door(request)
    person = str(await door.person(who, _why(who), patient))
    all_of_it = await door.everything(who, _why(who), person, types=page.READ)
    bodies = [parse(stored.json) for stored in (*all_of_it.matches, *all_of_it.included)]
    histories = await _histories(door, who, page.corrected_ids(bodies))
    now = clock.now().astimezone(ZONE)
    return person, page.record(bodies, person, _sources(request), now, histories)


async def _histories(door: Door, who: Actor, ids: list[str]) -> Histories:
    """The earlier versions of the corrected results."""
    if not ids:
        return {}
    found = await door.histories(who, _why(who), "Observation", ids, 6)
    return {
        key: [parse(version.json) for version in versions[1:] if not version.deleted]
        for key, versions in found.items()
    }
