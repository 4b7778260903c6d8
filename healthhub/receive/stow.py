"""POST /feeds/{source}/studies: DICOM objects by STOW-RS (PS3.18 section 10.5).

Every object is kept, byte for byte, by the same keeper as everything else, before the answer. The
answer is the store instances response (PS3.18 annex I) as DICOM JSON: what is kept, and of what
is not, why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from healthhub.adapter_api import BadMessage, registry
from healthhub.adapter_api.instances import Instances, Names
from healthhub.errors import InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from healthhub.receive import multipart
from healthhub.receive.http import RETRY_SECONDS, admitted, body_of, via
from healthhub.receive.intake import Answer, Intake, Promise, aside
from healthhub.settings import Source

FILE, JSON = "application/dicom", "application/dicom+json"
IN_FLIGHT = 200
"""Objects of one request that may wait for their commit."""
MOST_OBJECTS = 20_000
"""Objects of one request: a body of empty parts is millions, each kept as rejected."""
OTHER_STUDY, CANNOT_UNDERSTAND, OUT_OF_RESOURCES = 0xC409, 0xC000, 0xA700
ELEMENTS_DISCARDED = 0xB006
"""Reasons of PS3.18 table I.2-2 and PS3.4 table B.2-1."""
MOST_COMMENT = 64

router = APIRouter(include_in_schema=False)  # PS3.18 describes it


@router.post("/feeds/{name}/studies")
@router.post("/feeds/{name}/studies/{study}")
async def store(name: str, request: Request, study: str = "") -> Response:
    """Keep the objects; 200: all are durable, 202: some, 409: none, 503: send again later."""
    source = admitted(request, name, None)
    adapter = registry.find(source.adapter)
    if not isinstance(adapter, Instances):
        raise NotFound(
            f"source {name} sends {source.adapter}: POST /feeds/{name}/{source.adapter}"
        )
    kind, given = multipart.parameters(request.headers.get("content-type", ""))
    _require_known(kind, given)
    intake = Intake(request.app.state.keeper)
    shelf = _Shelf(name, source, adapter, intake, via(request), study)
    async with body_of(request) as body:
        for part in _parts(kind, given, body):
            await shelf.take(part)
        return await shelf.answer()


def _require_known(kind: str, given: dict[str, str]) -> None:
    wanted = given.get("type", "") if kind == "multipart/related" else kind
    if wanted.lower() not in (FILE, JSON):
        raise UnsupportedMedia(
            f'send multipart/related; type="{FILE}" (or "{JSON}") with a boundary, or one '
            f"object as {FILE}",
            expression="Content-Type",
        )


def _parts(kind: str, given: dict[str, str], body: bytes) -> Iterator[multipart.Part]:
    if kind != "multipart/related":
        yield multipart.Part(kind, body)
        return
    for part in multipart.parts(body, given.get("boundary", "")):
        yield multipart.Part(part.media_type or given["type"].lower(), part.content)


class _Shelf:
    """The objects of one request on their way to being kept, and what became of each."""

    def __init__(
        self,
        name: str,
        source: Source,
        adapter: Instances,
        intake: Intake,
        way: str,
        study: str,
    ) -> None:
        self._name, self._source, self._adapter = name, source, adapter
        self._intake, self._via, self._study = intake, way, study
        self._waiting: list[tuple[Names, Promise]] = []
        self._answers: list[tuple[Names, Answer]] = []
        self._discarded = 0

    async def take(self, part: multipart.Part) -> None:
        """Hand over the objects of a part. Bulk data beside metadata are the PACS's own."""
        if part.media_type not in (FILE, JSON):
            self._discarded += 1
            return
        cut = islice(self._adapter.split(part.content), MOST_OBJECTS + 1)
        for raw in await aside(len(part.content), lambda: list(cut)):
            if len(self._waiting) + len(self._answers) >= MOST_OBJECTS:
                raise TooLarge(
                    f"the body holds over {MOST_OBJECTS} objects; send fewer at a time (those "
                    "before are kept, and known again)"
                )
            self._waiting.append(await self._one(raw))
            if len(self._waiting) >= IN_FLIGHT:
                await self._settle()

    async def _one(self, raw: bytes) -> tuple[Names, Promise]:
        names = self._adapter.names(raw)
        if self._study and names.study and names.study != self._study:
            error = BadMessage(
                "the object belongs to another study than the address names",
                condition="102",
                place="(0020,000D) StudyInstanceUID",
            )
            return names, await self._intake.turn_away(
                self._name, self._adapter, raw, self._via, error
            )
        taken = self._intake.take(self._name, self._source, self._adapter, raw, self._via)
        return names, await taken

    async def _settle(self) -> None:
        for names, promise in self._waiting:
            self._answers.append((names, await promise.answer()))
        self._waiting = []

    async def answer(self) -> Response:
        """What became of the objects."""
        await self._settle()
        if not self._answers:
            raise InvalidRequest(
                f"the body holds no part of type {FILE} or {JSON}; send at least one object"
            )
        outcomes = {answer.outcome for _, answer in self._answers}
        headers: dict[str, str] = {}
        status = 200 if outcomes == {"accept"} else 202 if "accept" in outcomes else 409
        if status == 409 and "error" in outcomes:
            status, headers = 503, {"Retry-After": str(RETRY_SECONDS)}
        body = orjson.dumps(_response(self._source, self._answers, self._discarded))
        return Response(body, status, headers, JSON)


def _response(
    source: Source, answers: Sequence[tuple[Names, Answer]], discarded: int
) -> dict[str, Any]:
    """The store instances response (PS3.18 table I.1-1)."""
    stored: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for names, answer in answers:
        item = _named(names)
        if answer.outcome == "accept":
            if discarded:
                item["00081196"] = {"vr": "US", "Value": [ELEMENTS_DISCARDED]}
            if url := _url(source, names):
                item["00081190"] = {"vr": "UR", "Value": [url]}
            stored.append(item)
            continue
        item["00081197"] = {"vr": "US", "Value": [_reason(answer)]}
        comment = answer.text.rpartition(" / ")[2][:MOST_COMMENT]
        item["00000902"] = {"vr": "LO", "Value": [comment]}
        (failed if names.sop_class and names.instance else others).append(item)
    studies = {names.study for names, answer in answers if answer.outcome == "accept"}
    said: dict[str, Any] = {}
    if len(studies) == 1 and (url := _url(source, Names(study=studies.pop()))):
        said["00081190"] = {"vr": "UR", "Value": [url]}
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            said[tag] = {"vr": "SQ", "Value": items}
    return said


def _named(names: Names) -> dict[str, Any]:
    both = (("00081150", names.sop_class), ("00081155", names.instance))
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in both if uid}


def _url(source: Source, names: Names) -> str:
    """Where the object can be had again; empty where it cannot."""
    if not source.endpoint or not names.study:
        return ""
    url = f"{source.endpoint}/studies/{names.study}"
    return f"{url}/series/{names.series}/instances/{names.instance}" if names.instance else url


def _reason(answer: Answer) -> int:
    if answer.outcome == "error":
        return OUT_OF_RESOURCES
    other = answer.place.startswith("(0020,000D)") and "another study" in answer.text
    return OTHER_STUDY if other else CANNOT_UNDERSTAND
