"""Bulk export: $export of the system, of all patients, of a Group.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from healthhub.access import holdings
from healthhub.access.policy import Action
from healthhub.bulk import filters, jobs, members
from healthhub.bulk.wanted import Filter, Level, Wanted
from healthhub.errors import InvalidRequest, UnknownParameter
from healthhub.serve.fhir.asked import FORM, Asked, asked, id_of
from healthhub.serve.fhir.parameters import Given, posted

_FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_KNOWN = ("_outputFormat", "_since", "_type", "_typeFilter", "_elements", "patient")
_LEVELS: dict[str, Level] = {"Patient": "Patient", "Group": "Group"}
_NEXT_FILTER = re.compile(r",(?=[A-Z][A-Za-z]*\?)")
_ELEMENT = re.compile(r"(?:[A-Z][A-Za-z]+\.)?[a-z][A-Za-z]*")


async def export(request: Request) -> Response:
    """Enter the job; 202 with the address where its progress is told."""
    ask = await asked(request, free=True)
    await ask.door.permit(ask.who, ask.why, Action.EXPORT)
    wishes = preferences(request)
    if "respond-async" not in wishes:
        raise InvalidRequest(
            "an export is done asynchronously; send Prefer: respond-async", expression="Prefer"
        )
    given: Given = [pair for pair in ask.params if pair[0] not in FORM]
    if request.method == "POST":
        given = [*given, *await posted(request)]
    wanted = _wanted(request, given, lenient="handling=lenient" in wishes)
    settings = request.app.state.settings.bulk
    address = f"{ask.base}{request.url.path.removeprefix('/fhir')}"
    if request.method == "GET" and request.url.query:
        address += f"?{request.url.query}"

    def enter(conn: jobs.Connection) -> object:
        filters.require(wanted.filters, ask.base)
        members.require(conn, wanted)
        return jobs.ask(
            conn,
            "export",
            owner=ask.who.id,
            purpose=ask.why.value,
            request=address,
            base=ask.base,
            asked=wanted.kept(),
            most=settings.jobs_per_client,
        )

    what = f"{address.removeprefix(ask.base)} {wanted.kept()}"[:4000]
    return accepted(ask, await ask.door.operate(ask.who, ask.why, what, enter, Action.EXPORT))


def accepted(ask: Asked, job: object) -> Response:
    """202, with the address of the job."""
    where = f"{ask.base}/$bulk/{job}"
    return Response(None, 202, {"content-location": where, "cache-control": "no-store"})


def preferences(request: Request) -> set[str]:
    """What Prefer asks for (RFC 7240), lower case and without blanks."""
    header = ",".join(request.headers.getlist("prefer"))
    return {part.strip().lower().replace(" ", "") for part in re.split(r"[,;]", header)}


def _wanted(request: Request, given: Given, *, lenient: bool) -> Wanted:
    level = _LEVELS.get(request.url.path.split("/")[2], "system")
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name in _KNOWN:
            values.setdefault(name, []).append(value)
        elif not lenient:
            raise UnknownParameter(
                f"{name[:64]!r} is not supported; there are {', '.join(_KNOWN)}. With Prefer: "
                "handling=lenient it is passed over",
                expression=name[:64],
            )
    for form in values.get("_outputFormat", ()):
        if form.replace(" ", "+") not in _FORMATS:
            raise InvalidRequest(
                "the hub writes application/fhir+ndjson", expression="_outputFormat"
            )
    since = values.get("_since", [])
    if len(since) > 1:
        raise InvalidRequest("_since may be given once", expression="_since")
    types = _types(values.get("_type", ()))
    return Wanted(
        level,
        id_of(request) if level == "Group" else "",
        _patients(request, level, values.get("patient", ())),
        types,
        instant(since[0], "_since") if since else None,
        _filters(values.get("_typeFilter", ()), types),
        _elements(values.get("_elements", ())),
    )


def _types(given: Sequence[str]) -> tuple[str, ...]:
    named = [name for text in given for name in text.split(",") if name]
    for name in named:
        if name not in holdings.TYPES:
            raise InvalidRequest(f"{name[:64]!r} is no resource type", expression="_type")
    return tuple(dict.fromkeys(named))


def instant(text: str, name: str) -> datetime:
    """A FHIR instant; InvalidRequest naming the parameter when it is none."""
    try:
        # The "+" of an offset arrives as a blank when it was not escaped.
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidRequest(
            f"{name} is an instant such as 2026-03-01T08:00:00+08:00", expression=name
        )
    return found


def _filters(given: Sequence[str], types: Sequence[str]) -> dict[str, list[Filter]]:
    found: dict[str, list[Filter]] = {}
    for text in (one for several in given for one in _NEXT_FILTER.split(several)):
        name, mark, query = text.partition("?")
        if name not in holdings.TYPES or not mark:
            raise InvalidRequest(
                "_typeFilter is a search such as Observation?status=final",
                expression="_typeFilter",
            )
        if types and name not in types:
            raise InvalidRequest(
                f"_typeFilter names {name}, which _type leaves out", expression="_typeFilter"
            )
        params = parse_qsl(query, keep_blank_values=True)
        for key, _ in params:
            if key in holdings.CONTROL or key == "_id":
                raise InvalidRequest(
                    f"{key} has no place in _typeFilter", expression="_typeFilter"
                )
        found.setdefault(name, []).append(params)
    return found


def _elements(given: Sequence[str]) -> tuple[str, ...]:
    named = tuple(name for text in given for name in text.split(",") if name)
    for name in named:
        if not _ELEMENT.fullmatch(name):
            raise InvalidRequest(
                "_elements names top-level elements, such as id,Patient.name",
                expression="_elements",
            )
    return named


def _patients(request: Request, level: Level, given: Sequence[str]) -> tuple[str, ...]:
    if not given:
        return ()
    if level == "system" or request.method != "POST":
        raise InvalidRequest(
            "patient goes with POST to Patient/$export or Group/ID/$export",
            expression="patient",
        )
    found = [re.fullmatch(r"(?:Patient/)?([A-Za-z0-9\-.]{1,64})", text) for text in given]
    if not all(found):
        raise InvalidRequest("patient is a reference such as Patient/ID", expression="patient")
    return tuple(dict.fromkeys(one[1] for one in found if one))
