"""The whole city over some years: its people and, in order of time, everything sent about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
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

UNTIL = date(2026, 7, 1)
"""The day at which a story ends unless told otherwise: fixed, so that bytes are."""


@dataclass
class Story:
    """A city of so many residents. The same four values give the same bytes, always.

    ``tally`` counts what the messages tell of, once they have all been made.
    """

    residents: int
    seed: int = 1
    years: int = 3
    until: date = UNTIL
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
            self.tally.update(journal.tally)
            self.tally["people"] += len(family.members)
            if met is not None:
                for truth in journal.people:
                    met(truth)

    def _count(self, sent: Sent) -> None:
        tally = self.tally
        tally["messages"] += 1
        tally[f"messages.{sent.source}"] += 1
        if not sent.accepted:
            tally["garbage"] += 1
        if sent.planted == "resend-same":
            tally["repeated"] += 1
        if sent.planted:
            tally[f"planted.{sent.planted}"] += 1

    def named(self) -> Resident:
        """The resident whose record demonstrations open: ill for years, seen at A and at B."""
        return next(iter(people.families(self.seed, 2, self.until))).members[0]
