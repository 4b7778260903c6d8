"""What is an alarm and what is not, from the figures of a source."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from healthhub.keep.figures import Figures
from healthhub.settings import SourceAlarms
from healthhub.watch.rhythm import Rhythm
from healthhub.watch.rules import RULES, Seen, troubles
from healthhub.web.language import LANGUAGES, translator

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
WELL = Figures(received=1000, delay={"1m": 1000}, state={"done": 1000})
SEEN = Seen("his", NOW - timedelta(minutes=3), WELL, WELL, WELL, Rhythm())
DEFAULT = SourceAlarms()


def some(received: int = 100, **labels: dict[str, int]) -> Figures:
    return Figures(received=received, **labels)  # type: ignore[arg-type]


CASES: list[tuple[str, Seen, SourceAlarms, set[str]]] = [
    ("all is well", SEEN, DEFAULT, set()),
    (
        "never heard of",
        dataclasses.replace(SEEN, last=None),
        SourceAlarms(silent_minutes=5),
        set(),
    ),
    (
        "silent as set",
        dataclasses.replace(SEEN, last=NOW - timedelta(minutes=31)),
        SourceAlarms(silent_minutes=30),
        {"silent"},
    ),
    (
        "not silent as set",
        dataclasses.replace(SEEN, last=NOW - timedelta(minutes=29)),
        SourceAlarms(silent_minutes=30),
        set(),
    ),
    (
        "few failures",
        dataclasses.replace(SEEN, recent=some(4, state={"parked": 4})),
        DEFAULT,
        set(),
    ),
    (
        "a tenth fails, parked and rejected together",
        dataclasses.replace(SEEN, recent=some(100, state={"parked": 6, "rejected": 4})),
        DEFAULT,
        {"failed"},
    ),
    (
        "it usually fails as often",
        dataclasses.replace(
            SEEN,
            recent=some(100, state={"parked": 20}),
            usual=some(1000, state={"parked": 150}),
        ),
        DEFAULT,
        set(),
    ),
    (
        "clock in the future",
        dataclasses.replace(SEEN, recent=some(10, delay={"ahead": 5, "1m": 5})),
        DEFAULT,
        {"ahead"},
    ),
    (
        "late all of a sudden",
        dataclasses.replace(SEEN, recent=some(100, delay={"1m": 70, "1d": 30})),
        DEFAULT,
        {"late"},
    ),
    (
        "late as always",
        dataclasses.replace(
            SEEN,
            recent=some(100, delay={"1m": 50, "1d": 50}),
            usual=some(1000, delay={"1m": 500, "1d": 500}),
        ),
        DEFAULT,
        set(),
    ),
    (
        "late within what is set as timely",
        dataclasses.replace(SEEN, recent=some(100, delay={"1m": 70, "1d": 30}), timely="1d"),
        DEFAULT,
        set(),
    ),
    (
        "codes unknown all of a sudden",
        dataclasses.replace(SEEN, day=some(100, flaw={"conformity": 40})),
        DEFAULT,
        {"conformity"},
    ),
    (
        "the same where nothing learned counts",
        dataclasses.replace(SEEN, day=some(100, flaw={"conformity": 40})),
        SourceAlarms(learned=False),
        set(),
    ),
    (
        "no share of a handful",
        dataclasses.replace(SEEN, day=some(10, flaw={"completeness": 10})),
        DEFAULT,
        set(),
    ),
    (
        "its database is away",
        dataclasses.replace(SEEN, problem="the source's database: OperationalError"),
        DEFAULT,
        {"poll"},
    ),
]


@pytest.mark.parametrize(
    ("seen", "wanted", "rules"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_rule_holds_or_not(seen: Seen, wanted: SourceAlarms, rules: set[str]) -> None:
    assert {each.rule for each in troubles(seen, wanted, NOW)} == rules


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_rule_has_a_name_and_a_sentence(language: str) -> None:
    t = translator(language)
    for rule in RULES:
        assert t.known("alarm_name", rule) != rule
        assert t.known("alarm", rule) != rule
