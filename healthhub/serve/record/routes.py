"""The pages of the record: search, the record itself, one analyte's trend."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from healthhub import clock
from healthhub.access import http, policy
from healthhub.access.actor import Actor, Purpose
from healthhub.access.door import Door
from healthhub.access.policy import Action
from healthhub.clock import ZONE
from healthhub.errors import NotFound
from healthhub.model.resource import Body
from healthhub.serve.record import drawing, page, results, visits
from healthhub.serve.record.bodies import parse
from healthhub.serve.record.observations import Histories
from healthhub.serve.record.origin import sources
from healthhub.serve.record.page import Record
from healthhub.serve.record.person import Banner, banner
from healthhub.web import forms
from healthhub.web.pages import Pages, Viewer

router = APIRouter(include_in_schema=False)
_PAGES = Pages(Path(__file__).parent / "templates")
_WHY = Purpose.TREAT


def viewer(who: Actor) -> Viewer:
    """What the layout shows of the reader."""
    runs = policy.permits(who, Purpose.HOPERAT, Action.OPERATE)
    return Viewer(who.title or who.name, console=runs)


@router.get("/")
async def home(request: Request) -> Response:
    """The start page."""
    who = await http.actor(request)
    return _PAGES.render(request, "home.html", viewer=viewer(who), text="", people=None)


@router.post("/patients")
async def find(request: Request) -> Response:
    """Residents by name or number; by form, so that neither stands in an address."""
    who = await http.actor(request)
    fields = await forms.checked(request)
    text = fields.get("text", "").strip()[:80]
    found = await http.door(request).patients(who, _WHY, text) if text else []
    known = sources(request.app.state.settings)
    today: date = clock.now().astimezone(ZONE).date()
    people: list[Banner] = []
    for stored in found:
        body = parse(stored.json)
        people.append(banner([body], (), known, today, body["id"]))
    return _PAGES.render(request, "home.html", viewer=viewer(who), text=text, people=people)


@router.get("/record/{patient}")
async def record(
    request: Request, patient: str, institution: str = "", kind: str = ""
) -> Response:
    """The whole record of a person, whichever of the person's Patients is named."""
    who = await http.actor(request)
    found, base = await _record(request, who, patient)
    return _PAGES.render(
        request,
        "record.html",
        viewer=viewer(who),
        r=found,
        base=base,
        timeline=visits.timeline(found.visits, institution, kind),
        sees=policy.permits(who, _WHY, Action.MESSAGE),
    )


@router.get("/record/{patient}/trend/{analyte}")
async def trend(request: Request, patient: str, analyte: str) -> Response:
    """All readings of one analyte, drawn and as a table."""
    who = await http.actor(request)
    found, base = await _record(request, who, patient)
    readings = results.newest_first(r for r in found.readings if r.analyte == analyte)
    if not readings:
        raise NotFound("this record has no such result; open the record and choose one there")
    unit = readings[0].value.unit_key
    drawn = [r for r in readings if r.value.unit_key == unit]
    limits = drawn[0].limits
    low = float(limits.low) if limits and limits.low is not None else None
    high = float(limits.high) if limits and limits.high is not None else None
    codes = list(dict.fromkeys(r.origin.institution for r in drawn))
    return _PAGES.render(
        request,
        "trend.html",
        viewer=viewer(who),
        r=found,
        base=base,
        readings=readings,
        drawing=drawing.chart(results.points(drawn), low, high),
        symbols={code: number for number, code in enumerate(codes)},
        titles={r.origin.institution: r.origin.short for r in drawn},
        sees=policy.permits(who, _WHY, Action.MESSAGE),
    )


async def _record(request: Request, who: Actor, patient: str) -> tuple[Record, str]:
    door = http.door(request)
    person = str(await door.person(who, _WHY, patient))
    found = await door.everything(who, _WHY, person)
    bodies = [parse(stored.json) for stored in (*found.matches, *found.included)]
    histories = await _histories(door, who, page.corrected_ids(bodies))
    known = sources(request.app.state.settings)
    built = page.record(bodies, person, known, clock.now().astimezone(ZONE), histories)
    return built, f"/record/{person}"


async def _histories(door: Door, who: Actor, ids: list[str]) -> Histories:
    """The earlier versions of the corrected results."""
    found = await asyncio.gather(
        *(door.history(who, _WHY, "Observation", key, 6) for key in ids)
    )
    older: dict[str, list[Body]] = {}
    for key, versions in zip(ids, found, strict=True):
        older[key] = [parse(v.json) for v in versions[1:] if not v.deleted]
    return older
