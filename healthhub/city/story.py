"""The whole city over some years: its people and, in order of time, everything sent about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from healthhub.city import people
from healthhub.city.dice import Dice
from healthhub.city.journal import Journal, PersonTruth
from healthhub.city.life import span
from healthhub.city.mishaps import disturbed
from healthhub.city.order import by_time
from healthhub.city.people import Resident
from healthhub.city.sent import Sent
from healthhub.city.system import System, met
from healthhub.city.systems import SYSTEMS

UNTIL = date(2026, 7, 1)
"""The day at which a story ends unless told otherwise: fixed, so that bytes are."""


@dataclass
class Story:
    """A city of so many residents. The same four values give the same bytes, always, and what
    the HL7 v2 houses send is the same whichever other ``systems`` send too.

    ``tally`` counts what the messages tell of, once they have all been made.
    """

    residents: int
    seed: int = 1
    years: int = 3
    until: date = UNTIL
    systems: Sequence[System] = SYSTEMS
    tally: Counter[str] = field(default_factory=Counter)

    def messages(self, met: Callable[[PersonTruth], None] | None = None) -> Iterator[Sent]:
        """Everything sent, earliest first. ``met`` is called once for each resident."""
        self.tally.clear()
        yield from by_time(self._told(met))

    def _told(self, met: Callable[[PersonTruth], None] | None) -> Iterator[Sent]:
        begin = span(self.until, self.years)
        for family in people.families(self.seed, self.residents, self.until):
            journal = Journal(self.seed, family, begin, self.until)
            dice = Dice(self.seed, "wire", family.index)
            for sent in disturbed(journal.messages(), dice):
                self._count(sent)
                yield sent
            for sent in self._beside(journal):
                self._count(sent)
                yield sent
            self.tally.update(journal.tally)
            self.tally["people"] += len(family.members)
            if met is not None:
                for truth in journal.people:
                    met(truth)

        for system in self.systems:
            for sent in system.of_the_house(self.seed, begin, self.until):
                self._count(sent)
                yield sent
            if system.silent_since(self.until) is not None:
                self.tally["planted.silent"] += 1

    def _beside(self, journal: Journal) -> Iterator[Sent]:
        """What the other systems tell of a family whose journal is written."""
        for system in self.systems:
            for truth, life, visits in journal.lives:
                yield from system.history(
                    met(system, self.seed, truth, life, visits, self.tally)
                )

    def _count(self, sent: Sent) -> None:
        tally = self.tally
        tally["messages"] += 1
        tally[f"messages.{sent.source}"] += 1
        if sent.planted == "garbage":
            tally["garbage"] += 1
        if sent.planted == "resend-same":
            tally["repeated"] += 1
        if sent.planted:
            tally[f"planted.{sent.planted}"] += 1

    def named(self) -> Resident:
        """The resident whose record demonstrations open: ill for years, seen at A, B, C and P."""
        return next(iter(people.families(self.seed, 2, self.until))).members[0]
