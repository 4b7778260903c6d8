"""What happens in the city now: visits of today, by residents whose history has been told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from healthhub.city import moments, people
from healthhub.city.dice import Dice
from healthhub.city.illnesses import ILLNESSES
from healthhub.city.journal import Journal
from healthhub.city.life import Life, span
from healthhub.city.moments import MINUTE, Moment
from healthhub.city.occasions import Occasion, held
from healthhub.city.people import Family
from healthhub.city.sent import Sent
from healthhub.city.story import Story
from healthhub.city.visits import Visit

FAMILIES = 40
"""Families whose members go to hospital live; the first is the named patient's."""
_QUICK = [i for i in ILLNESSES if not i.stay and i.key not in ("checkup", "thyroid_nodule")]
_LENGTH = 8 * MINUTE
"""A live visit, from registration to last result, is told in so much time."""


class Live:
    """Makes visits that end now. Their numbers follow from the minute, so that a demonstration
    that is begun again does not rewrite earlier ones."""

    def __init__(self, story: Story) -> None:
        self._story = story
        found = people.families(story.seed, story.residents, story.until)
        self._families: list[Family] = [
            family for family, _ in zip(found, range(FAMILIES), strict=False)
        ]
        self._journals: dict[int, Journal] = {}

    def visit(self, now: datetime) -> Iterator[Sent]:
        """The messages of one visit whose last events are just past, in order of time."""
        end = moments.here(now)
        dice = Dice(self._story.seed, "live", end)
        family = self._families[0] if dice.chance(0.2) else dice.pick(self._families)
        adults = [m for m in family.members if m.age(moments.day_of(end)) >= 14]
        if not adults:
            return iter(())
        truth_of = {truth.resident.person: truth for truth in self._journal(family).people}
        resident = dice.pick(adults)
        story = self._story
        life = Life(story.seed, family, resident, span(story.until, story.years), story.until)
        house = "ab"[dice.whole(0, 1)]
        count = 1000 + (end - moments.of(story.until)) // MINUTE
        visit = _hurried(
            held(_occasion(dice, end), house, count, resident, life.body, dice), end
        )
        sent = self._journal(family).attend(truth_of[resident.person], visit, life.allergy)
        return iter(sorted((s for s in sent if s.at <= end), key=lambda s: s.at))

    def _journal(self, family: Family) -> Journal:
        """The family's journal with its whole history written, so that charts are known."""
        if family.index not in self._journals:
            story = self._story
            begin = span(story.until, story.years)
            journal = Journal(story.seed, family, begin, story.until)
            for _ in journal.messages():
                pass
            self._journals[family.index] = journal
        return self._journals[family.index]


def _occasion(dice: Dice, end: Moment) -> Occasion:
    illness = dice.pick(_QUICK)
    department = (
        "general" if illness.department in ("paediatrics", "emergency") else illness.department
    )
    return Occasion(
        end - _LENGTH,
        "O",
        department,
        illness.complaint,
        (illness.key,),
        illness.panels,
        illness.drugs,
        illness.days,
        illness.study,
        shifts=illness.shifts,
    )


def _hurried(visit: Visit, end: Moment) -> Visit:
    """The visit with all its times drawn into the minutes before its end."""
    start = end - _LENGTH
    reports = tuple(
        replace(
            report,
            ordered=start + 60,
            collected=start + 120 + n,
            reported=start + 240 + 20 * n,
        )
        for n, report in enumerate(visit.reports)
    )
    studies = tuple(
        replace(study, done=end - 2 * MINUTE, reported=end - 20) for study in visit.studies
    )
    written = tuple(replace(line, written=start + 200) for line in visit.prescriptions)
    return replace(visit, end=end - 10, reports=reports, studies=studies, prescriptions=written)
