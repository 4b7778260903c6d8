"""What the live feeds' watch says of the beginning and of the end of its time."""

from __future__ import annotations

from bench.live import Look, part, parts


def looks(seconds: int) -> list[Look]:
    """A look a second: one message more waits each time, 10 ms longer, and 1 MiB more is held."""
    return [
        Look(float(n), n, (n / 100,), {"worker": (100 + n) * 2**20}) for n in range(seconds)
    ]


def test_a_part_holds_what_was_seen_from_its_beginning_and_before_its_end() -> None:
    found = part(looks(10), 2, 5)
    assert (found.p50, found.p99) == (0.03, 0.04)
    assert (found.waiting, found.most) == (3, 4)
    assert found.memory == {"worker": 103}


def test_growth_shows_between_the_first_and_the_last_minute() -> None:
    named, first, second, last = parts(looks(300), 300)
    assert named == "minute"
    assert (first.most, second.most, last.most) == (59, 119, 299)
    assert first.memory["worker"] < second.memory["worker"] < last.memory["worker"]


def test_a_short_run_is_told_in_fifths() -> None:
    named, first, _, last = parts(looks(30), 30)
    assert named == "6 s"
    assert (first.most, last.most) == (5, 29)


def test_a_part_without_looks_says_nothing() -> None:
    assert part([], 0, 60).most == 0
