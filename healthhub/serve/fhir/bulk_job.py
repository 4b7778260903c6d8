"""A bulk job: its progress, its outcome, its files, its end.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
"""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import format_datetime
from uuid import UUID

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from healthhub import clock
from healthhub.access import http as access
from healthhub.access.policy import Action
from healthhub.bulk import jobs, parts
from healthhub.bulk.jobs import File, Job
from healthhub.errors import HubError, NotFound
from healthhub.serve.fhir import answer
from healthhub.serve.fhir.asked import Asked, asked, base_of

NDJSON = "application/fhir+ndjson"
RETRY_SECONDS = 2
_PRIVATE = {"cache-control": "private, no-store"}


async def status(request: Request) -> Response:
    """202 with progress, 200 with the manifest, 500 when it failed."""
    ask = await asked(request)
    job, made = await _found(request, ask)
    if job.state == "failed":
        raise HubError(job.said)
    if job.state != "done":
        headers = {
            "x-progress": (job.said or "waiting for its turn")[:100],
            "retry-after": str(RETRY_SECONDS),
        }
        return Response(None, 202, _PRIVATE | headers)
    hours = request.app.state.settings.bulk.keep_hours
    expires = (job.finished_at or clock.now()) + timedelta(hours=hours)
    headers = _PRIVATE | {"expires": format_datetime(expires.astimezone(UTC), usegmt=True)}
    return Response(orjson.dumps(_manifest(job, made)), 200, headers, "application/json")


def _manifest(job: Job, made: list[File]) -> dict[str, object]:
    where = f"{job.base}/$bulk/{job.id}"

    def of(role: str) -> list[dict[str, object]]:
        return [
            {"type": file.type, "url": f"{where}/{file.name}", "count": file.count}
            for file in made
            if file.role == role
        ]

    moment = job.as_of or job.finished_at or clock.now()
    return {
        "transactionTime": answer.instant(moment),
        "request": job.request,
        "requiresAccessToken": True,
        "output": of("output") if job.kind == "export" else _taken(job),
        "deleted": of("deleted"),
        "error": of("error"),
    }


def _taken(job: Job) -> list[dict[str, object]]:
    """Of an import: how many lines of each input were stored or found equal."""
    return [
        {"type": one["type"], "inputUrl": one["url"], "count": count}
        for one, count in zip(job.asked["inputs"], job.place["taken"], strict=True)
    ]


async def end(request: Request) -> Response:
    """End the job and remove its files."""
    ask = await asked(request)
    job = _id(request)
    await ask.door.operate(
        ask.who,
        ask.why,
        f"DELETE $bulk/{job}",
        lambda conn: jobs.cancel(conn, job, ask.who.id),
        Action.EXPORT,
    )
    return answer.of_json(ask, answer.done("the job is ended; its files are removed"), 202)


async def file(request: Request) -> Response:
    """One file, to the client whose job it is; as gzip where the client takes that.

    Whatever Accept says (application/fhir+ndjson as a rule): the manifest has told the form.
    """
    who = await access.actor(request)
    why = access.purpose(request, who)
    ask = Asked(who, why, access.door(request), base_of(request), False, ())
    name = request.path_params["name"]
    job, made = await _found(request, ask, name)
    if name not in {each.name for each in made}:
        raise NotFound("the job has no such file; its manifest names them")
    settings = request.app.state.settings
    path = parts.path_of(parts.folder_of(settings.data_dir, job.id), name)
    if not await run_in_threadpool(path.is_file):
        raise NotFound(
            "the file is not on this machine; the web and bulk processes must share data_dir"
        )
    headers = _PRIVATE | {"vary": "accept-encoding"}
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        return FileResponse(path, 200, headers | {"content-encoding": "gzip"}, NDJSON)
    return StreamingResponse(parts.plain(path), 200, headers, NDJSON)


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        coding, *details = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "x-gzip", "*"):
            return "q=0" not in details
    return False


async def _found(request: Request, ask: Asked, name: str = "") -> tuple[Job, list[File]]:
    key = _id(request)

    def look(conn: jobs.Connection) -> tuple[Job, list[File]]:
        job = jobs.of_owner(conn, key, ask.who.id)
        return job, jobs.files(conn, job.number)

    what = f"$bulk/{key}/{name}".rstrip("/")
    return await ask.door.operate(ask.who, ask.why, what, look, Action.EXPORT)


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["job"])
    except ValueError:
        raise NotFound("there is no such job; the kick-off names its address") from None
