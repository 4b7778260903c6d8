"""The gap queue: strange codes, the most frequent first; and one with what it could stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import keep
from healthhub.access import http
from healthhub.access.actor import Actor
from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest
from healthhub.gaps.desk import Desk, Sheet
from healthhub.gaps.preview import Preview
from healthhub.keep.code_maps import Version
from healthhub.keep.gaps import Queue, Shown
from healthhub.model.code_maps import Target
from healthhub.serve.console.shared import WHY, viewer
from healthhub.web.pages import Pages

router = APIRouter(prefix="/console/gaps", include_in_schema=False)
PAGES = Pages(
    Path(__file__).parent / "templates",
    filters={
        "local": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "day": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d"),
        "thousands": "{:,}".format,
    },
)
SHOWN: dict[str, Shown] = {"open": "open", "mapped": "mapped", "aside": "aside"}
PAGE = 50
MOST_START = 1_000_000
VERSIONS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """A version under way, and how many messages it has still to be applied to."""

    version: Version
    remaining: int

    @property
    def done(self) -> int:
        """Messages that were derived again."""
        return max(0, self.version.messages - self.remaining)


def desk(request: Request) -> Desk:
    """The application's mappings with what people have mapped; read once."""
    state = request.app.state
    if not hasattr(state, "desk"):
        state.desk = Desk(state.settings.mappings_dir, state.settings.sources)
    return state.desk


@router.get("")
async def queue(
    request: Request, shown: str = "open", source: str = "", start: int = 0
) -> Response:
    """The queue, of one source or all; what is under way; the latest versions."""
    who = await http.actor(request)
    chosen = SHOWN.get(shown)
    if chosen is None or not 0 <= start <= MOST_START:
        raise InvalidRequest("choose what is shown: open, mapped or aside", expression="shown")
    table = desk(request)

    def work(
        conn: Connection,
    ) -> tuple[Queue, dict[str, int], list[Progress], list[Version]]:
        return (
            keep.gaps.queue(conn, chosen, source=source, start=start, limit=PAGE),
            keep.gaps.counts(conn),
            [Progress(v, table.left(conn, v)) for v in keep.code_maps.under_way(conn)],
            keep.code_maps.latest(conn, VERSIONS),
        )

    found, counts, progress, latest = await http.door(request).operate(who, WHY, "gaps", work)
    return PAGES.render(
        request,
        "gaps.html",
        viewer=viewer(who),
        queue=found,
        counts=counts,
        progress=progress,
        latest=latest,
        shown=chosen,
        all_shown=SHOWN,
        source=source,
        sources=request.app.state.settings.sources,
        start=start,
        page=PAGE,
    )


@router.get("/{gap}")
async def one(request: Request, gap: int) -> Response:
    """One gap with samples, proposals, history and forms."""
    who = await http.actor(request)

    def work(conn: Connection) -> Sheet:
        return desk(request).sheet(conn, gap)

    sheet = await http.door(request).operate(who, WHY, f"gap {gap}", work)
    return page(request, who, sheet)


def page(
    request: Request,
    who: Actor,
    sheet: Sheet,
    preview: Preview | None = None,
    target: Target | None = None,
    *,
    undone: bool = False,
) -> Response:
    """The page of a gap, with a preview of a target or (``undone``) of going back."""
    system = sheet.place.table.system
    return PAGES.render(
        request,
        "gap.html",
        viewer=viewer(who),
        s=sheet,
        g=sheet.gap,
        preview=preview,
        target=target and replace(target, system=target.system or system),
        undone=undone,
        system=system,
        sources=request.app.state.settings.sources,
        reading=sheet.place.version is not None and sheet.place.version.finished is None,
    )
