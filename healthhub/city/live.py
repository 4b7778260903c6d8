"""What happens in the city now: visits of today, by residents whose history has been told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from healthhub.city import moments, people
from healthhub.city.dice import Dice
from healthhub.city.illnesses import ILLNESSES
from healthhub.city.journal import Journal
from healthhub.city.life import Life, span
from healthhub.city.moments import MINUTE, Moment
from healthhub.city.occasions import LENGTH, Occasion, held, hurried
from healthhub.city.people import Family, Resident
from healthhub.city.sent import Sent
from healthhub.city.story import Story
from healthhub.city.system import System, met

FAMILIES = 40
"""Families whose members go to hospital live; the first is the named patient's."""
BESIDE = 0.5
"""Share of live visits that are to other houses than A and B."""
_QUICK = [i for i in ILLNESSES if not i.stay and i.key not in ("checkup", "thyroid_nodule")]


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
        self._open = [s for s in story.systems if s.silent_since(story.until) is None]

    def visit(self, now: datetime) -> Iterator[Sent]:
        """The messages of one visit whose last events are just past, in order of time."""
        end = moments.here(now)
        dice = Dice(self._story.seed, "live", end)
        family = self._families[0] if dice.chance(0.2) else dice.pick(self._families)
        adults = [m for m in family.members if m.age(moments.day_of(end)) >= 14]
        if not adults:
            return iter(())
        count = 1000 + (end - moments.of(self._story.until)) // MINUTE
        if self._open and dice.chance(BESIDE):
            sent = self._beside(dice.pick(self._open), family, dice.pick(adults), end, count)
        else:
            sent = self._at_a_or_b(family, dice.pick(adults), end, count, dice)
        return iter(sorted((s for s in sent if s.at <= end), key=lambda s: s.at))

    def _at_a_or_b(
        self, family: Family, resident: Resident, end: Moment, count: int, dice: Dice
    ) -> Iterator[Sent]:
        truth_of = {truth.resident.person: truth for truth in self._journal(family).people}
        story = self._story
        life = Life(story.seed, family, resident, span(story.until, story.years), story.until)
        house = "ab"[dice.whole(0, 1)]
        visit = hurried(
            held(_occasion(dice, end), house, count, resident, life.body, dice), end
        )
        return self._journal(family).attend(truth_of[resident.person], visit, life.allergy)

    def _beside(
        self, system: System, family: Family, resident: Resident, end: Moment, count: int
    ) -> Iterator[Sent]:
        """What another system sends about a resident who has just been there."""
        journal = self._journal(family)
        truth, life, visits = next(
            entry for entry in journal.lives if entry[0].resident.person == resident.person
        )
        person = met(system, self._story.seed, truth, life, visits, journal.tally, "live", end)
        return system.live(person, end, count)

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
        end - LENGTH,
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
