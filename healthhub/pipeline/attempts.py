"""Doing a transaction again when two writers met: the next attempt finds what the other did."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors

Outcome = TypeVar("Outcome")

ATTEMPTS = 4
PAUSE_SECONDS = 0.02
LONGEST_WAIT = 600.0
"""Seconds between two attempts at a message, at most."""

TRANSIENT = (
    errors.OperationalError,  # the connection, deadlocks, serialization, resources, timeouts
    errors.InterfaceError,
    errors.UniqueViolation,  # another writer made the row at the same moment
)


MET = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)
"""What two writers that met can get; neither did anything wrong."""


def attempt(
    conn: psycopg.Connection[Any], work: Callable[[], Outcome], most: int = ATTEMPTS
) -> Outcome:
    """Do ``work`` in one transaction, a few times if other writers are in its way."""
    for number in range(1, most):
        try:
            with conn.transaction():
                return work()
        except errors.LockNotAvailable:  # it has waited long enough (lock_timeout)
            raise
        except TRANSIENT:
            usable(conn)
            time.sleep(PAUSE_SECONDS * number * random.random())  # noqa: S311
    with conn.transaction():
        return work()


def usable(conn: psycopg.Connection[Any]) -> None:
    """Raise OperationalError when the connection is gone and trying again is of no use."""
    if conn.closed or conn.broken:
        raise psycopg.OperationalError("the connection to the store is gone")


def wait(attempts: int) -> float:
    """Seconds before the next attempt at a message: 1, 2, 4, ... with jitter."""
    return min(LONGEST_WAIT, 2.0 ** min(attempts, 20)) * random.uniform(0.75, 1.25)  # noqa: S311


def pause(failures: int, longest: float) -> None:
    """Sleep while the store is away: 0.1, 0.2, 0.4, ... seconds with jitter."""
    time.sleep(min(longest, 0.1 * 2.0 ** min(failures, 20)) * random.uniform(0.5, 1))  # noqa: S311
