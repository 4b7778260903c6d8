"""The console's pages of sources: all at a glance, the quality of all, one in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from psycopg import Connection
from starlette.responses import Response

from healthhub import clock, keep
from healthhub.access import http
from healthhub.clock import ZONE
from healthhub.errors import NotFound
from healthhub.keep import figures, tasks
from healthhub.keep.figures import Figures
from healthhub.keep.scores import DIMENSIONS, Score, scores, worst
from healthhub.model.message import State
from healthhub.serve.console import asked, bars
from healthhub.serve.console.shared import PAGES, WHY, viewer
from healthhub.settings import Settings
from healthhub.watch import alarms, looking, words
from healthhub.watch.alarms import Alarm
from healthhub.watch.rhythm import Rhythm
from healthhub.web import language

router = APIRouter(prefix="/console", include_in_schema=False)
WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
NEEDS_A_PERSON = (State.PARKED, State.REJECTED)
CHART_DAYS = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """A score with the address of the messages that it counts against the source."""

    score: Score
    address: str

    @property
    def text(self) -> str:
        """As a percentage, never rounded up to all or down to nothing."""
        return percent(self.score)


@dataclass(frozen=True, slots=True)
class Row:
    """A source in a list: its state of all time, and its figures within a time."""

    name: str
    title: str
    known: bool
    last: datetime | None
    this_hour: int
    found: Figures
    ever: Figures
    figures: tuple[Figure, ...]

    @property
    def worst(self) -> Figure | None:
        """The figure that is lowest."""
        low = worst([each.score for each in self.figures])
        return next((each for each in self.figures if each.score == low), None)

    @property
    def delay(self) -> str:
        """Within which class 19 of 20 messages come after their event."""
        return figures.percentile(figures.DELAYS, self.found.delay, 0.95)

    @property
    def wait(self) -> str:
        """Within which class 19 of 20 messages can be read."""
        return figures.percentile(figures.WAITS, self.found.wait, 0.95)


def percent(score: Score) -> str:
    """A share as it is shown: 99.9 where it is not quite all."""
    if not score.all:
        return ""
    thousandths = (score.all - score.wrong) * 1000 // score.all
    return f"{thousandths / 10:.1f}%" if score.wrong else "100%"


def beginning(window: str, now: datetime) -> datetime:
    """The first hour of a window: figures are kept by the hour."""
    at = (now - WINDOWS[window]).astimezone(ZONE)
    return at.replace(minute=0, second=0, microsecond=0)


def written(at: datetime) -> str:
    """A time as it stands in an address."""
    return f"{at.astimezone(ZONE):%Y-%m-%dT%H:%M}"


def figures_of(source: str, found: Figures, timely: str, since: datetime) -> tuple[Figure, ...]:
    """The scores of a source with where they lead."""
    made: list[Figure] = []
    for score in scores(found, timely):
        given = {"source": source, "since": written(since)}
        match score.dimension:
            case "timeliness":
                given["delay"] = timely
            case "duplication":
                given = {"source": source, "again": written(since)}
            case flaw:
                given["flaw"] = flaw
        made.append(Figure(score, asked.address(given)))
    return tuple(made)


def rows(conn: Connection, settings: Settings, since: datetime, now: datetime) -> list[Row]:
    """Every source that is declared or has ever sent something."""
    ever, found = figures.ever(conn), figures.since(conn, since)
    hour = figures.since(conn, now.replace(minute=0, second=0, microsecond=0))
    names = sorted({*ever, *settings.sources})
    last = figures.last(conn, names)
    made: list[Row] = []
    for name in names:
        declared = settings.sources.get(name)
        of_window = found.get(name, Figures())
        made.append(
            Row(
                name,
                declared.title if declared else "",
                declared is not None,
                last.get(name),
                hour.get(name, Figures()).received,
                of_window,
                ever.get(name, Figures()),
                figures_of(name, of_window, declared.timely if declared else "1h", since),
            )
        )
    return made


def total(found: Sequence[Row]) -> Mapping[State, int]:
    """Messages of all sources by state."""
    return {s: sum(each.ever.state.get(s, 0) for each in found) for s in State}


def translator_of(request: Request) -> language.Translator:
    """The translator of the reader's language."""
    return language.translator(language.chosen(request))


def window_of(request: Request, otherwise: str) -> str:
    """The window that is asked for."""
    wanted = request.query_params.get("window", otherwise)
    return wanted if wanted in WINDOWS else otherwise


@router.get("")
async def overview(request: Request) -> Response:
    """Each source with its last message, rate, delays and counts; what needs a person."""
    who = await http.actor(request)
    now = clock.now()
    since, settings = beginning("24h", now), request.app.state.settings

    def work(
        conn: Connection,
    ) -> tuple[
        list[Row],
        datetime | None,
        list[tuple[str, str, int]],
        dict[State, list[keep.Line]],
        list[keep.Act],
        list[Alarm],
        list[tasks.Task],
    ]:
        needing = {s: keep.find(conn, keep.Choice(state=s), limit=10) for s in NEEDS_A_PERSON}
        return (
            rows(conn, settings, since, now),
            keep.oldest_waiting(conn),
            keep.finding_counts(conn, 30),
            needing,
            keep.acts(conn),
            alarms.listed(conn, is_open=True),
            tasks.listed(conn, 10),
        )

    found, oldest, findings, needing, acts, alarming, under_way = await http.door(
        request
    ).operate(who, WHY, "overview", work)
    return PAGES.render(
        request,
        "overview.html",
        viewer=viewer(who),
        sources=found,
        since=written(since),
        this_hour=written(now.replace(minute=0)),
        total=total(found),
        all=sum(each.ever.received for each in found),
        states=list(State),
        oldest=oldest,
        findings=findings,
        needing=needing,
        acts=acts,
        tasks=under_way,
        alarms=[(each, words.text(each, translator_of(request))) for each in alarming],
        titles={row.name: row.title for row in found},
    )


@router.get("/quality")
async def quality(request: Request) -> Response:
    """The scoreboard: five shares for each source, each leading to its messages."""
    who = await http.actor(request)
    now, window = clock.now(), window_of(request, "7d")
    since, settings = beginning(window, now), request.app.state.settings
    found = await http.door(request).operate(
        who, WHY, "quality", lambda conn: rows(conn, settings, since, now)
    )
    return PAGES.render(
        request,
        "quality.html",
        viewer=viewer(who),
        sources=found,
        dimensions=DIMENSIONS,
        window=window,
        windows=list(WINDOWS),
        since=since,
    )


@router.get("/sources/{name}")
async def source(request: Request, name: str) -> Response:
    """One source: how it sends, how long it takes, what was found in it."""
    who = await http.actor(request)
    now, window = clock.now(), window_of(request, "7d")
    since, settings = beginning(window, now), request.app.state.settings

    def work(conn: Connection) -> tuple[Row, dict[datetime, int], Rhythm, list[Alarm]]:
        found = {row.name: row for row in rows(conn, settings, since, now)}
        if name not in found:
            raise NotFound("there is no such source; the console lists those that there are")
        days = beginning("7d", now)
        return (
            found[name],
            figures.by_hour(conn, days, source=name).get(name, {}),
            looking.rhythm_of(conn, settings, name, found[name].last),
            [each for each in alarms.listed(conn, is_open=True) if each.source == name],
        )

    row, by_hour, rhythm, alarming = await http.door(request).operate(
        who, WHY, f"source {name}", work
    )
    return PAGES.render(
        request,
        "source.html",
        viewer=viewer(who),
        s=row,
        rhythm=rhythm,
        alarms=[(each, words.text(each, translator_of(request))) for each in alarming],
        setting=settings.sources.get(name),
        institution=settings.institutions[settings.sources[name].institution].title
        if row.known
        else "",
        bars=bars.chart(by_hour, beginning("7d", now), now),
        delays=classes("delay", [*figures.DELAYS, "more", "ahead", "none"], row, since),
        waits=classes("wait", [*figures.WAITS, "more"], row, since),
        findings=sorted(row.found.finding.items(), key=lambda each: -each[1]),
        states=list(State),
        window=window,
        windows=list(WINDOWS),
        since=written(since),
    )


@dataclass(frozen=True, slots=True)
class Class:
    """Messages of one class of delay, and the address of those that took that long or longer."""

    label: str
    count: int
    address: str


def classes(measure: str, labels: Sequence[str], row: Row, since: datetime) -> list[Class]:
    """The counts of a delay by class. What took longer than the class before is one list."""
    counts = row.found.delay if measure == "delay" else row.found.wait
    bounds = [*(figures.DELAYS if measure == "delay" else figures.WAITS), "more"]
    field = "delay" if measure == "delay" else "waited"
    made: list[Class] = []
    for label in labels:
        before = bounds[bounds.index(label) - 1] if label in bounds else label
        leads = label not in bounds or bounds.index(label) > 0
        given = {"source": row.name, "since": written(since), field: before}
        address = asked.address(given) if leads and counts.get(label) else ""
        made.append(Class(label, counts.get(label, 0), address))
    return made
