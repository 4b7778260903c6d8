"""The duties of the watcher, each by itself: one that fails is logged, counted, an alarm, and tried
again after growing pauses, while the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from healthhub.pipeline import attempts
from healthhub.receive.intake import fault
from healthhub.watch.rules import Trouble

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds until what failed is tried again; twice the pause before, up to this."""


@dataclass
class Duty:
    """What is done every so many seconds: its faults since it last went well, and their kind."""

    name: str
    work: Callable[[], object]
    seconds: float = 0.0
    faults: int = 0
    error: str = ""
    due: float = float("-inf")
    """The clock's time (monotonic) from which it is done again."""

    def turn(self, conn: psycopg.Connection[Any]) -> None:
        """Do it, if it is time. Raises OperationalError when the connection is lost."""
        if time.monotonic() < self.due:
            return
        try:
            self.work()
        except psycopg.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - one duty's fault must not end the others
            fault(f"watch {self.name}", error)
            self.error = type(error).__name__
            self.due = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self.faults)
            self.faults = min(self.faults + 1, 999)
            attempts.usable(conn)
        else:
            self.faults, self.error = 0, ""
            self.due = time.monotonic() + self.seconds


def troubles(duties: Iterable[Duty]) -> Iterator[Trouble]:
    """One trouble of the hub for all that failed when last done."""
    failing = [duty for duty in duties if duty.faults]
    if failing:
        most = max(failing, key=lambda duty: duty.faults)
        parts = " ".join(duty.name for duty in failing)
        yield Trouble("", "watch", {"parts": parts, "wrong": most.faults, "error": most.error})
