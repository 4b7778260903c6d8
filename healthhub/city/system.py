"""A system of the city beside the HL7 v2 houses: whose it is, how it sends, what it tells.

To add one, write a file with a subclass of System and name it in systems.py. ``history`` tells
what it has sent about a resident up to the end of the story, ``live`` what it sends just now,
``of_the_house`` what is about nobody in particular. Everything is a Sent: on channels of
messages its bytes are the message, on channels of tables (folder, views) they are a row as JSON
and its kind is the name of the table (``row`` below makes it).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import orjson

from healthhub.city.body import Body
from healthhub.city.channels import Channel
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.journal import PersonTruth
from healthhub.city.life import Life
from healthhub.city.moments import DAY, HOUR, Moment
from healthhub.city.people import Family, Resident
from healthhub.city.sent import Sent
from healthhub.city.visits import Visit


@dataclass(frozen=True, slots=True)
class Person:
    """A resident as a system meets them, with throws and a body of its own: what one system
    asks changes nothing of what another tells. ``elsewhere`` are visits to the HL7 v2 houses;
    ``begin`` and ``until`` bound the story."""

    seed: int
    resident: Resident
    family: Family
    life: Life
    elsewhere: Sequence[Visit]
    begin: Moment
    until: Moment
    dice: Dice
    body: Body
    truth: PersonTruth
    tally: Counter[str]

    @property
    def named(self) -> bool:
        """Whether demonstrations open this record: every system knows it, without errors."""
        return self.family.index == 0

    def busy(self, start: Moment, end: Moment) -> bool:
        """Whether the resident is at one of the HL7 v2 houses then."""
        return any(v.start - HOUR < end and start < v.end + HOUR for v in self.elsewhere)

    def known_as(self, house: str, number: str, planted: str = "") -> None:
        """Tell the truth that a patient number of a house stands for this resident."""
        if all(entry[:2] != (house, number) for entry in self.truth.numbers):
            self.truth.numbers.append((house, number, planted))
            self.tally[f"patients.{house}"] += 1


@dataclass(frozen=True, slots=True)
class About:
    """What the hub's settings say of a system. ``source`` is its name there; ``house`` names its
    institution in the truth's counts and in places.STAFF."""

    source: str
    house: str
    title: str
    adapter: str
    mapping: str
    institution: str
    institution_title: str
    kind: str = "hospital"
    charset: str = "utf-8"
    namespace: str = ""

    def institution_table(self) -> dict[str, str]:
        """The table [institutions.INSTITUTION]."""
        return {"title": self.institution_title, "kind": self.kind}

    def source_table(self) -> dict[str, Any]:
        """The table [sources.SOURCE], without what its channel adds."""
        names = ("institution", "title", "adapter", "mapping", "charset", "namespace")
        return {name: getattr(self, name) for name in names}


class System(ABC):
    """One system: what the hub knows of it, the way that it sends by, and what it tells."""

    about: ClassVar[About]
    channel: ClassVar[Channel]
    silent_minutes: ClassVar[float] = 12 * 60
    """Silence after which a demonstration's hub gives an alarm."""

    @property
    def source(self) -> str:
        """Its name in the hub's settings."""
        return self.about.source

    @property
    def house(self) -> str:
        """Its institution in the truth's counts."""
        return self.about.house

    @abstractmethod
    def history(self, person: Person) -> Iterator[Sent]:
        """What it has sent about a resident, in any order."""

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """What it sends about something that ends now; ``count`` differs at each call."""
        return iter(())

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """What it has sent about no resident: stock, deliveries, staff."""
        return iter(())

    def silent_since(self, until: date) -> Moment | None:
        """When it fell silent, for the one that does."""
        return None

    def registered(self, person: Person, at: Moment) -> Chart:
        """How the house has the resident in its books, errors of registration included."""
        dice = Dice(person.seed, self.source, "chart", person.resident.ordinal)
        chart = first_chart(dice, person.resident, person.family, self.house, at)
        if person.named:
            chart = righted(chart)
        person.known_as(self.house, chart.number, chart.planted)
        return chart

    def row(
        self,
        kind: str,
        at: Moment,
        cells: Mapping[str, object],
        key: str,
        person: Person,
        planted: str = "",
        detail: str = "",
    ) -> Sent:
        """A row of table ``kind``, known by ``key``, that is written at a moment."""
        raw = orjson.dumps(dict(cells))
        name = person.resident.person
        return Sent(at, self.source, raw, kind, f"{kind}|{key}", name, planted, detail)


def met(
    system: System, seed: int, truth: PersonTruth, life: Life, elsewhere: Sequence[Visit],
    tally: Counter[str], *more: object,
) -> Person:  # fmt: skip
    """The resident as the system meets them; ``more`` tells one meeting from another."""
    dice = Dice(seed, system.source, truth.resident.ordinal, *more)
    return Person(
        seed,
        truth.resident,
        life.family,
        life,
        elsewhere,
        life.begin,
        life.until - DAY,
        dice,
        life.body.measured_with(dice),
        truth,
        tally,
    )
