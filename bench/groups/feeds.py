"""Feeds: histories loaded from every kind of source, live feeds side by side, and what a mapping
costs beside a converter written by hand."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg

from bench import histories, live
from bench.figure import Figure
from bench.hand_written import LaboratoryReports
from bench.hub import Hub, running
from healthhub import city, clock
from healthhub.adapter_api.tables import RowLine
from healthhub.convert import Converter
from healthhub.convert.forms import Forms
from healthhub.convert.sheets import Cut
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.receive.tables import taker
from healthhub.settings import Settings

RESIDENTS = 1000
"""In the histories of messages, views and tables."""
DOCUMENTS = 2400
LARGE = 48_000
"""Bytes of every fourth document: those of long stays."""
LIVE_SECONDS = 300.0
MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


def measure(residents: int, live_seconds: float | None = None) -> Iterator[Figure]:
    """All figures of the group."""
    residents = residents or RESIDENTS
    yield from _conversion()
    peak = 0
    for kind in ("hl7v2", "view", "csv", "cda"):
        figure, rss = _history(kind, residents)
        peak = max(peak, rss)
        yield figure
    yield Figure(
        "feeds.load.peak_rss_mb",
        peak / 2**20,
        "MiB",
        "largest process of the loads above, seen ten times a second",
    )
    seconds = LIVE_SECONDS if live_seconds is None else live_seconds
    if seconds > 0:
        yield from live.measure(seconds)


# -- histories ------------------------------------------------------------------------------


def _sources(folder: Path) -> dict[str, dict[str, Any]]:
    """The sources whose histories are loaded, besides the city's."""
    table = {"institution": "hospital-a", "adapter": "tabular"}
    return {
        "bench-view": table
        | {
            "mapping": "hospital-b-views",
            "database": {
                "url": f"sqlite:///{folder}/history/views.sqlite",
                "batch": 2000,
                "every_seconds": 86400.0,
            },
        },
        "bench-csv": table | {"mapping": "township-p", "charset": "gb18030"},
        "bench-cda": {
            "institution": "hospital-a",
            "adapter": "cda",
            "mapping": "national/cda",
        },
    }


def _written(kind: str, folder: Path, residents: int) -> tuple[list[tuple[str, str]], str]:
    """Write a history; what is to be loaded (source and path), and what it is."""
    folder.mkdir()
    if kind == "hl7v2":
        return _messages(folder, residents)
    if kind == "view":
        rows = histories.views(folder / "views.sqlite", residents)
        said = f"{rows} rows of hospital B's 7 views in SQLite, {residents} residents"
        return [("bench-view", "")], said
    if kind == "csv":
        rows = histories.files(folder / "in", residents)
        said = f"{rows} rows of township P's 5 CSV files in GB18030, {residents} residents"
        return [("bench-csv", str(folder / "in"))], said
    count = DOCUMENTS * residents // RESIDENTS
    samples = MAPPINGS / "national/cda/samples"
    size = histories.documents(folder / "in", samples, count, (0, 0, 0, LARGE))
    said = f"{count} WS/T 500 documents of ten kinds, {size // count:,} bytes on average, every fourth of {LARGE:,} or more"
    return [("bench-cda", str(folder / "in"))], said


def _messages(folder: Path, residents: int) -> tuple[list[tuple[str, str]], str]:
    """The messages of hospitals A and B: one file for each, of all their systems."""
    count, files = 0, dict[str, Any]()
    for source, _, raw in city.feed(residents):
        name = f"{source[:10]}-his"
        if not source.startswith("hospital-") or not raw.startswith(b"MSH"):
            continue
        if name not in files:
            files[name] = (folder / f"{name}.hl7").open("wb")
        files[name].write(b"\x0b" + raw + b"\x1c\r")
        count += 1
    for file in files.values():
        file.close()
    said = f"{count} HL7 v2 messages of hospitals A and B, {residents} residents"
    return [(name, str(folder / f"{name}.hl7")) for name in files], said


@dataclass(frozen=True, slots=True)
class _Spent:
    """What a load took: seconds of the wall, CPU seconds of it and of PostgreSQL."""

    wall: float
    cpu: float
    postgres: float


def _history(kind: str, residents: int) -> tuple[Figure, int]:
    """Load one history into a hub of its own; the figure, and the largest resident set."""
    with running(workers=1, sources=_sources) as hub:
        wanted, said = _written(kind, hub.folder / "history", residents)
        spent, rss = _loaded(hub, wanted)
        with psycopg.connect(hub.dsn) as connection:
            versions, resources, messages = connection.execute(
                "select (select count(*) from resource) + (select count(*) from resource_history),"
                " (select count(*) from resource), (select count(*) from message)"
            ).fetchone() or (0, 0, 0)
    conditions = (
        f"{said}; {messages} messages, {resources} resources in {versions} versions, raw kept, "
        f"persons matched, validated and indexed, by `healthhub load` with its start, 2 processes "
        f"beside one that reads; CPU for a version {1e6 * spent.cpu / versions:.0f} us of the load "
        f"and {1e6 * spent.postgres / versions:.0f} us of PostgreSQL on the same machine"
    )
    if kind == "cda":
        figure = Figure(
            "feeds.load.cda.documents_per_s", messages / spent.wall, "documents/s", conditions
        )
    else:
        name = f"feeds.load.{kind}.resources_per_s"
        figure = Figure(name, versions / spent.wall, "versions/s", conditions)
    return figure, rss


def _loaded(hub: Hub, wanted: Sequence[tuple[str, str]]) -> tuple[_Spent, int]:
    before, postgres, started = _children(), _postgres(hub), time.perf_counter()
    rss = 0
    for source, path in wanted:
        command = [sys.executable, "-m", "healthhub", "load", "--processes", "2", source]
        process = subprocess.Popen(
            [*command, *([path] if path else [])],
            env=hub.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            rss = max(rss, _largest(process.pid))
            time.sleep(0.1)
        if process.returncode not in (0, 1):
            raise RuntimeError(f"the load of {source} ended with status {process.returncode}")
    wall = time.perf_counter() - started
    return _Spent(wall, _children() - before, _postgres(hub) - postgres), rss


def _largest(pid: int) -> int:
    """The largest resident set of a process and those that it started."""
    try:
        root = psutil.Process(pid)
        return max(p.memory_info().rss for p in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def _children() -> float:
    """CPU seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _postgres(hub: Hub) -> float:
    """CPU seconds of PostgreSQL, with its processes that have ended."""
    with psycopg.connect(hub.dsn, autocommit=True) as connection:
        server = psutil.Process(connection.info.backend_pid).parents()[0]
        taken = 0.0
        for process in [server, *server.children()]:
            times = process.cpu_times()
            taken += times.user + times.system
            if process == server:
                taken += times.children_user + times.children_system
    return taken


# -- conversion -----------------------------------------------------------------------------


def _conversion() -> Iterator[Figure]:
    """The mapping of hospital B's views, and a converter by hand, on the same reports."""
    settings = _settings()
    messages = _reports(settings)
    mapped = Converter("views", settings.sources["views"], Library(MAPPINGS))
    written = LaboratoryReports("views", "h", MAPPINGS)
    now = clock.now()
    for number, raw in enumerate(messages):
        assert _said(mapped.convert(number, raw, now)) == _said(
            written.convert(number, raw, now)
        )
    forms = Forms()

    def by_hand(number: int, raw: bytes) -> None:
        for draft in written.convert(number, raw, now).drafts:
            forms.check(draft.body)

    gc.collect()
    gc.freeze()
    checked = _microseconds(messages, lambda n, raw: mapped.convert(n, raw, now))
    hand_checked = _microseconds(messages, by_hand)
    plain = _microseconds(messages, lambda n, raw: mapped.draft(n, raw, now))
    hand = _microseconds(messages, lambda n, raw: written.convert(n, raw, now))
    gc.unfreeze()
    yield Figure(
        "feeds.convert.ratio_to_hand_written",
        checked / hand_checked,
        "ratio",
        f"CPU of `Converter.convert` by the mapping hospital-b-views over bench/hand_written.py, explain "
        f"off, both with the hub's check against R4: {checked:.0f} and {hand_checked:.0f} us a laboratory "
        f"report of {len(histories.ITEMS) + 4} resources; without the check {plain:.0f} and {hand:.0f} us, "
        f"{plain / hand:.2f}; {len(messages)} reports, equal outcomes, best of 5",
    )


def _settings() -> Settings:
    return Settings.model_validate(
        {
            "mappings_dir": MAPPINGS,
            "institutions": {"h": {"title": "hospital"}},
            "sources": {
                "views": {
                    "institution": "h",
                    "adapter": "tabular",
                    "mapping": "hospital-b-views",
                }
            },
        }
    )


def _reports(settings: Settings) -> list[bytes]:
    """The messages of laboratory reports, as they are kept."""
    cutter = taker(settings, "views").cutter
    found: list[bytes] = []
    for report, results in histories.reports(150):
        lines = [RowLine("RES", _filled(row)) for row in results]
        cut = cutter.row(cutter.columns["LAB"], _filled(report), "bench", lines)
        assert isinstance(cut, Cut)
        found.append(cutter.revised(cut, 1, None, back=False))
    return found


def _filled(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in row.items() if text}


def _said(converted: Converted) -> Any:
    """A conversion as it can be compared."""
    drafts = [
        (
            d.type,
            d.id,
            d.patient,
            d.stamp,
            d.erased,
            orjson.dumps(d.body, default=str, option=orjson.OPT_SORT_KEYS),
        )
        for d in converted.drafts
    ]
    findings: list[tuple[str, str, str]] = [
        (f.code, f.where, f.value) for f in converted.findings
    ]
    return sorted(drafts, key=repr), findings


def _microseconds(messages: Sequence[bytes], convert: Any) -> float:
    """CPU time of a conversion: the best of five rounds."""
    best = 1e9
    for _ in range(5):
        started = time.process_time()
        for number, raw in enumerate(messages):
            convert(number, raw)
        best = min(best, (time.process_time() - started) / len(messages))
    return best * 1e6
