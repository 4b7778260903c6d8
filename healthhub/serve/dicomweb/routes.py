"""GET /dicomweb/{source}/studies/…: WADO-RS, and the lists of one study (QIDO-RS), by the door.

Whoever may read the ImagingStudy may read its images; each request is audited with the patient.
The archive is asked only for studies that its own source has told of, at the base address of the
settings, with the hub's credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from healthhub.access import http
from healthhub.access.actor import Actor, Purpose
from healthhub.errors import NotFound
from healthhub.model import ids
from healthhub.model.resource import Stored
from healthhub.serve.dicomweb import asked
from healthhub.serve.dicomweb.archive import Archive, Images
from healthhub.settings import Settings, Source

HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


@asynccontextmanager
async def _archives(app: FastAPI) -> AsyncIterator[None]:
    """The archives of one web process, each opened when it is first asked."""
    app.state.archives = {}
    try:
        yield
    finally:
        for archive in app.state.archives.values():
            await archive.close()


router = APIRouter(lifespan=_archives, include_in_schema=False)


@router.get("/dicomweb/{name}/{path:path}")
async def images(name: str, path: str, request: Request) -> Response:
    """Images of a study, streamed from the archive."""
    who = await http.actor(request)
    wanted = asked.read(
        path, request.query_params.multi_items(), request.headers.get("accept", "")
    )
    settings: Settings = request.app.state.settings
    source = settings.sources.get(name)
    found = await http.door(request).images(
        who, _purpose(request, who), wanted.study, f"DICOMweb {name} {wanted.path}"
    )
    if source is None or source.pacs is None or not _is_of(found, name, source):
        raise NotFound(
            "this source has told of no such study; take the address from the ImagingStudy's "
            "endpoint and UID"
        )
    answer = await _archive(request, name, source).get(wanted)
    headers = dict(HEADERS)
    if answer.length:
        headers["Content-Length"] = answer.length
    if not answer.media_type.startswith("image/"):
        headers["Content-Disposition"] = "attachment"
    return _Streamed(answer, headers)


@router.get("/record/{patient}/dicomweb/{name}/{path:path}")
async def images_of_a_record(patient: str, name: str, path: str, request: Request) -> Response:
    """The same below the address of a record, to which alone the cookie of a launch is sent."""
    return await images(name, path, request)


class _Streamed(StreamingResponse):
    """An answer of the archive, closed whatever becomes of the reader."""

    def __init__(self, images: Images, headers: dict[str, str]) -> None:
        super().__init__(images.content, headers=headers)
        self.headers["Content-Type"] = images.media_type
        self._images = images

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._images.close()


def _purpose(request: Request, who: Actor) -> Purpose:
    """As everywhere, but for a page's own pictures: a browser sends no header with them, and a
    clinician who reads a record does so to treat."""
    if who.kind == "account" and http.PURPOSE not in request.headers:
        return Purpose.TREAT
    return http.purpose(request, who)


def _is_of(found: list[Stored], name: str, source: Source) -> bool:
    """Whether one of the studies names the source's archive as its endpoint."""
    namespace = source.namespace or source.institution
    endpoint = f"Endpoint/{ids.derive(namespace, 'Endpoint', 'dicom-wado-rs', name)}"
    return any(
        each.get("reference") == endpoint
        for stored in found
        for each in orjson.loads(stored.json).get("endpoint", ())
    )


def _archive(request: Request, name: str, source: Source) -> Archive:
    known: dict[str, Archive] = request.app.state.archives
    if name not in known:
        assert source.pacs is not None  # noqa: S101 - asked by the caller
        known[name] = Archive(name, source.pacs)
    return known[name]
