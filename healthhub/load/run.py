"""A load as a whole: what is read, the processes that take it, and the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import psycopg
from pydantic import SecretStr

from healthhub import clock
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.errors import Conflict, InvalidRequest
from healthhub.keep import loads, raw
from healthhub.load import arriving
from healthhub.load.arriving import Noted, Reading
from healthhub.load.containers import pieces
from healthhub.load.crew import Crew
from healthhub.load.portion import Outcome
from healthhub.load.progress import Progress
from healthhub.receive.poll import Poller
from healthhub.receive.tables import connected, taker
from healthhub.settings import Database, Settings


def load(
    settings: Settings,
    name: str,
    where: Sequence[str],
    dsn: str,
    processes: int,
    progress: Progress,
    *,
    again: bool = False,
) -> Outcome:
    """Load the history of a source from files and folders, or from a database's views.

    ``where``: paths, or the address of a database; nothing: the views that the settings name.
    Whatever ends it, even kill -9 of any process: the same call goes on where it was; files
    that were taken are not read, unless ``again``. SIGINT and SIGTERM end it when what is at
    hand has been taken.
    """
    with connected(dsn) as conn, _stopping() as stopped:
        if not loads.begin(conn, name):
            raise Conflict(f"another load of {name} is running; wait for its end")
        with conn.transaction():
            raw.ensure_days(conn, raw.day_of(clock.now()))
        address = _address(settings, name, where)
        via = arriving.VIEW if address else arriving.FILE
        crew = Crew(settings, name, via, dsn, conn, progress.tell)
        with _reading(settings, name, where, address, conn, progress, again) as reading:
            try:
                crew.start(processes)
                for each in reading:
                    crew.put(each)
                    if stopped.is_set():
                        break
                crew.finish()
            finally:
                crew.close()
        if stopped.is_set():
            raise KeyboardInterrupt
        return crew.outcome


def _address(settings: Settings, name: str, where: Sequence[str]) -> Database | None:
    """The database whose views are meant: the one given, or the source's own."""
    own = settings.sources[name].database
    if not where:
        if own is None:
            raise InvalidRequest(
                f"source {name} has no database in the settings; name files or folders, or the "
                "address of a database"
            )
        return own
    if "://" not in where[0]:
        return None
    if len(where) > 1:
        raise InvalidRequest("one database at a time; run the command again for the next")
    given = {"url": SecretStr(where[0]), "url_file": None}
    return (own or Database(url=given["url"])).model_copy(update=given)


@contextmanager
def _reading(
    settings: Settings,
    name: str,
    where: Sequence[str],
    database: Database | None,
    conn: psycopg.Connection,
    progress: Progress,
    again: bool,
) -> Iterator[Reading]:
    source = settings.sources[name]
    adapter = registry.find(source.adapter)
    if database is not None:
        of = taker(settings, name)
        poller = Poller(database, of)

        def told(count: int) -> None:
            progress.total = count

        try:
            yield arriving.views(of, poller, conn, told)
        finally:
            poller.close()
        return
    paths = [Path(each) for each in where]
    progress.total = float(sum(each.size for each in pieces(paths)))
    noted = Noted(conn, name, pieces(paths), again)
    if isinstance(adapter, SheetReader):
        yield noted.reading(partial(arriving.sheets, taker(settings, name)))
    else:
        yield noted.reading(partial(arriving.messages, name, source, adapter))


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, where signals may be caught."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield stopped
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def cores() -> int:
    """The processes that a load takes unless told otherwise."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
