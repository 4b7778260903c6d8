"""What a load says of itself: how far, how fast, how long yet, what went wrong."""

from __future__ import annotations

import io

import pytest

from healthhub.load import progress
from healthhub.load.portion import Outcome
from healthhub.load.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: at[0])
    return at


def test_a_line_says_rate_rest_and_errors(clock: list[float]) -> None:
    told = io.StringIO()
    of = Progress(told)
    of.total = 1000.0
    clock[0] += 10
    of.tell(
        Outcome(done=400, parked=3, known=5, rejected=2, resources=2000, skipped=1, share=250)
    )
    assert told.getvalue() == (
        "410 read, 25.0%, 41/s, 200 resources/s, about 30 s left, 1 files taken before, "
        "5 known before, 3 parked, 2 rejected\n"
    )


def test_the_rate_is_that_of_the_last_minute(clock: list[float]) -> None:
    told = io.StringIO()
    of = Progress(told)
    for second in range(1, 31):
        clock[0] += 10
        of.tell(
            Outcome(done=second * (100 if second <= 20 else 0) + (0 if second <= 20 else 2000))
        )
    assert told.getvalue().splitlines()[-1].startswith("2,000 read, 0/s")


def test_lines_do_not_come_faster_than_somebody_reads(clock: list[float]) -> None:
    told = io.StringIO()
    of = Progress(told)
    for _ in range(1000):
        clock[0] += 0.1
        of.tell(Outcome(done=1))
    assert 9 <= len(told.getvalue().splitlines()) <= 11


def test_the_end_adds_up(clock: list[float]) -> None:
    of = Progress(io.StringIO())
    clock[0] += 3700
    assert of.end(Outcome(done=7, known=1, resources=37000)) == (
        "7 done, 1 known before, 0 parked, 0 rejected, 0 left to the workers; "
        "37,000 versions of resources in 1 h 1 min, 10/s"
    )
