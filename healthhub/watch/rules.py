"""The rules of alarms: what is known of a source, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from healthhub.keep.figures import FLAWS, Figures
from healthhub.settings import SourceAlarms
from healthhub.watch.rhythm import Rhythm, missing

RULES = (
    "silent",
    "failed",
    "late",
    "ahead",
    *FLAWS,
    "poll",
    "backlog",
    "hook",
    "watch",
)
FEW = 5
"""Fewer failed messages are no alarm of their source: the console shows them."""
ENOUGH = 20
"""Of fewer messages no share is taken."""
TIMES_USUAL = 3
AHEAD_SHARE = 0.5

Facts = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong now: with which source (empty: the hub), by which rule, in numbers."""

    source: str
    rule: str
    facts: Facts = field(default_factory=dict[str, int | str])


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a source: its last message, its figures of late, of a day, and usually
    (the weeks before that day), its rhythm, and what its polls run into."""

    source: str
    last: datetime | None
    recent: Figures
    day: Figures
    usual: Figures
    rhythm: Rhythm
    problem: str = ""
    timely: str = "1h"


def troubles(
    seen: Seen, wanted: SourceAlarms, now: datetime, quiet: Collection[date] = ()
) -> Iterator[Trouble]:
    """Everything that is wrong with a source."""
    yield from _silent(seen, wanted, now, quiet)
    yield from _failed(seen, wanted)
    yield from _ahead(seen)
    if wanted.learned:
        yield from _worse(seen, wanted)
    if seen.problem:
        yield Trouble(seen.source, "poll", {"problem": seen.problem})


def _silent(
    seen: Seen, wanted: SourceAlarms, now: datetime, quiet: Collection[date]
) -> Iterator[Trouble]:
    if seen.last is None:
        return
    facts: dict[str, int | str] = {"last": seen.last.isoformat(timespec="seconds")}
    if wanted.silent_minutes is not None:
        if now - seen.last > timedelta(minutes=wanted.silent_minutes):
            yield Trouble(
                seen.source, "silent", {**facts, "minutes": int(wanted.silent_minutes)}
            )
        return
    lacking = missing(seen.rhythm, seen.last, now, quiet) if wanted.learned else None
    if lacking is not None:
        yield Trouble(
            seen.source,
            "silent",
            {**facts, "expected": round(lacking), "weeks": seen.rhythm.weeks},
        )


def _failed(seen: Seen, wanted: SourceAlarms) -> Iterator[Trouble]:
    failed, received = seen.recent.failed, seen.recent.received
    usual = seen.usual.failed / seen.usual.received if seen.usual.received >= ENOUGH else 0.0
    limit = min(1.0, max(wanted.failed_share, TIMES_USUAL * usual))
    if failed >= FEW and failed >= limit * received:
        yield Trouble(
            seen.source, "failed", {"wrong": failed, "all": received, "usual": _percent(usual)}
        )


def _ahead(seen: Seen) -> Iterator[Trouble]:
    """Times of events in the future: the sender's clock is wrong."""
    ahead = seen.recent.delay.get("ahead", 0)
    if ahead >= FEW and ahead >= AHEAD_SHARE * seen.recent.received:
        yield Trouble(seen.source, "ahead", {"wrong": ahead, "all": seen.recent.received})


def _worse(seen: Seen, wanted: SourceAlarms) -> Iterator[Trouble]:
    """Shares of the last day against the weeks before."""
    pairs = [
        (
            "late",
            seen.recent.late(seen.timely),
            seen.recent.timed,
            seen.usual.late(seen.timely),
            seen.usual.timed,
        )
    ]
    pairs += [
        (
            flaw,
            seen.day.flaw.get(flaw, 0),
            seen.day.received,
            seen.usual.flaw.get(flaw, 0),
            seen.usual.received,
        )
        for flaw in FLAWS
    ]
    for rule, wrong, of_all, usually, of_usual in pairs:
        if of_all < ENOUGH or of_usual < ENOUGH:
            continue
        usual = usually / of_usual
        if wrong / of_all > usual + wanted.flawed_share:
            yield Trouble(
                seen.source, rule, {"wrong": wrong, "all": of_all, "usual": _percent(usual)}
            )


def _percent(share: float) -> int:
    return round(share * 100)
