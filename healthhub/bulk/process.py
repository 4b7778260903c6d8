"""The bulk process: takes up jobs one after the other, and removes what is over."""

from __future__ import annotations

import logging
import random
import shutil
import threading
import time
import traceback

import psycopg

from healthhub.bulk import jobs, parts
from healthhub.bulk.export import Ended, Export
from healthhub.bulk.importing import Import, Stopped
from healthhub.bulk.jobs import Job
from healthhub.errors import HubError
from healthhub.keep import applications
from healthhub.settings import Settings

log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
"""Poll while nothing wakes the process."""
SWEEP_SECONDS = 60.0
MOST_DEATHS = 3
"""Processes that may die over a job at one place before it is given up."""


def run(settings: Settings, dsn: str, stop: threading.Event) -> None:
    """Work until ``stop``; when PostgreSQL goes away, wait for it to come back."""
    failures = 0
    survived: list[int] = []
    while not stop.is_set():
        try:
            with connect(dsn) as conn:
                failures = 0
                _work(conn, settings, dsn, stop, survived)
        except psycopg.OperationalError as error:
            failures += 1
            pause = min(5.0, 0.1 * 2 ** min(failures, 6)) * random.uniform(0.5, 1)  # noqa: S311
            log.warning("bulk store-away error=%s retry_in=%.1fs", type(error).__name__, pause)
            stop.wait(pause)


def _work(
    conn: psycopg.Connection,
    settings: Settings,
    dsn: str,
    stop: threading.Event,
    survived: list[int],
) -> None:
    """``survived``: jobs whose run ended with the connection, and not with the process."""
    conn.execute("listen bulk_job")
    while survived:
        jobs.got_on(conn, survived[-1])
        survived.pop()
    swept = -1e9
    while not stop.is_set():
        if time.monotonic() - swept > SWEEP_SECONDS:
            _sweep(conn, settings)
            swept = time.monotonic()
        job = jobs.claim(conn)
        if job is None:
            for _ in conn.notifies(timeout=IDLE_SECONDS, stop_after=1):
                swept = -1e9
            continue
        try:
            if jobs.begun(conn, job.number) > MOST_DEATHS:
                _give_up(conn, job)
            else:
                do(conn, job, settings, dsn, stop)
            jobs.got_on(conn, job.number)
        except psycopg.OperationalError:
            survived.append(job.number)
            raise
        finally:
            if not conn.broken:
                jobs.release(conn, job.number)


def _give_up(conn: psycopg.Connection, job: Job) -> None:
    log.error("bulk job=%d given up: %d processes died over it", job.number, MOST_DEATHS)
    jobs.finish(
        conn,
        job.number,
        "failed",
        f"{MOST_DEATHS} processes died over this job at the same place; report it with the "
        "job's id, and ask for less at a time",
    )


def do(
    conn: psycopg.Connection, job: Job, settings: Settings, dsn: str, stop: threading.Event
) -> None:
    """Do a claimed job, and enter what came of it."""
    began = time.monotonic()
    try:
        if job.kind == "import":
            Import(conn, job, settings.data_dir, settings.bulk, stop).run()
        else:
            with connect(dsn) as reader:
                Export(conn, reader, job, settings.data_dir, dsn, stop).run()
    except Ended:
        log.info("bulk job=%d ended early", job.number)
        return
    except psycopg.OperationalError:
        raise
    except HubError as error:
        jobs.finish(conn, job.number, "failed", error.message)
    except Stopped as error:
        jobs.finish(conn, job.number, "failed", str(error))
    except OSError as error:
        log.error("bulk job=%d cannot write: %s", job.number, error.strerror)
        jobs.finish(
            conn,
            job.number,
            "failed",
            f"the files cannot be written or read ({error.strerror}); ask an administrator to "
            "look at data_dir, then start again",
        )
    except Exception as error:  # noqa: BLE001 - the process's edge: the job fails, not the process
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        where = " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames))
        log.error("bulk fault job=%d error=%s at=%s", job.number, type(error).__name__, where)
        jobs.finish(
            conn,
            job.number,
            "failed",
            f"a fault of the hub ({type(error).__name__}); report it with the job's id",
        )
    else:
        jobs.finish(conn, job.number, "done", "done")
        log.info("bulk job=%d done seconds=%.1f", job.number, time.monotonic() - began)


def _sweep(conn: psycopg.Connection, settings: Settings) -> None:
    """Remove the files of jobs that were ended or kept long enough, and leftovers."""
    for number, job in jobs.settled(conn, settings.bulk.keep_hours):
        parts.remove(settings.data_dir, job)
        jobs.remove(conn, number)
    root = settings.data_dir / "exports"
    if root.is_dir():
        known = jobs.known(conn)
        for path in root.iterdir():
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)


def connect(dsn: str) -> psycopg.Connection:
    """A connection that commits each statement by itself."""
    conn = psycopg.connect(
        dsn, autocommit=True, connect_timeout=5, application_name=applications.BULK
    )
    conn.execute("set jit = off")
    return conn
