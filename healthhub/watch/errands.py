"""What was begun in the console and goes on by itself, step by step; one that fails stops alone."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import psycopg

from healthhub.keep import tasks
from healthhub.pipeline import attempts
from healthhub.receive import again
from healthhub.receive.intake import fault
from healthhub.settings import Settings

PAUSE_SECONDS = 5.0
MOST_FAILURES = 5
"""Of a task's step, one after the other: then the task is ended, whatever its fault."""


class Errands:
    """Does the tasks' steps, on any connection; it outlives those that are lost."""

    def __init__(self, settings: Settings) -> None:
        self._sources = settings.sources
        self._failures: Counter[int] = Counter()
        self._put_off: dict[int, float] = {}

    def go_on(self, conn: psycopg.Connection[Any]) -> bool:
        """A step of the oldest task that can go on; whether there was one. Raises
        OperationalError when the connection is lost."""
        now = time.monotonic()
        task = tasks.due(conn, [each for each, until in self._put_off.items() if now < until])
        if task is None:
            return False
        try:
            tasks.work(conn, task, self._step)
        except Exception as error:  # noqa: BLE001 - one task's fault must not hold up the others
            self._failed(conn, task, error)
        else:
            self._put_off.pop(task, None)
            self._failures.pop(task, None)
        return True

    def _step(self, conn: psycopg.Connection[Any], action: str, ids: tasks.Ids) -> int:
        return again.step(conn, self._sources, action, ids)

    def _failed(self, conn: psycopg.Connection[Any], task: int, error: Exception) -> None:
        """A fault that may pass is given time, a few times; any other ends its task."""
        fault("task", error)
        self._failures[task] += 1
        failures = self._failures[task]
        passing = isinstance(error, attempts.TRANSIENT) and failures < MOST_FAILURES
        if passing:
            self._put_off[task] = time.monotonic() + PAUSE_SECONDS * failures
        attempts.usable(conn)
        if not passing:
            tasks.fail(conn, task, type(error).__name__)
