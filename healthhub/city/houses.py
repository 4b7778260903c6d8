"""Visits that residents make at houses beside the HL7 v2 ones: how often, for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from healthhub.city import chronic
from healthhub.city.body import YEAR
from healthhub.city.illnesses import AGES, ILLNESSES, Illness
from healthhub.city.moments import DAY, Moment
from healthhub.city.occasions import (
    LENGTH,
    Occasion,
    consulting_hour,
    day_number,
    held,
    hurried,
)
from healthhub.city.system import Person
from healthhub.city.visits import Visit

_DEPARTMENT = "general"


@dataclass(frozen=True, slots=True)
class Custom:
    """How a house is used: the share of residents who go there, their visits a year, the share
    of those that end in a bed."""

    share: float
    yearly: float
    stays: float = 0.0


def visits(person: Person, house: str, custom: Custom) -> Iterator[Visit]:
    """A resident's visits to a house, in order of time; none while they are elsewhere."""
    dice = person.dice
    goes = dice.chance(custom.share) or person.named
    pause = 365.25 / (custom.yearly * (2 if person.named else 1))
    at, count = person.begin + int(dice.random() * pause * DAY), 0
    while goes and at < person.until:
        occasion = _occasion(person, consulting_hour(dice, day_number(at)), custom)
        visit = held(occasion, house, count + 1, person.resident, person.body, dice)
        last = max([visit.end, *(report.reported for report in visit.reports)])
        told = person.begin <= visit.start and last < person.until
        if told and not person.busy(visit.start, last):
            count += 1
            yield visit
        at = max(last, at + int(dice.near(pause, pause / 4)) * DAY)


def _occasion(person: Person, start: Moment, custom: Custom) -> Occasion:
    dice, body = person.dice, person.body
    present = [k for k, since in body.since.items() if since <= start and k in chronic.DRUGS]
    if present and dice.chance(0.6):
        found = tuple(dict.fromkeys(chronic.diagnosis(key, body, start) for key in present))
        stay = dice.whole(4, 9) if dice.chance(custom.stays) else 0
        return Occasion(
            start,
            "I" if stay else "O",
            _DEPARTMENT,
            "慢性病病情加重" if stay else "慢性病复诊",
            found[:3],
            ("glucose", "kidney", "electrolyte"),
            chronic.medicines(body, present)[:3],
            28,
            stay=stay,
        )
    illness = _illness(person, start)
    return Occasion(
        start,
        "O",
        _DEPARTMENT,
        illness.complaint,
        (illness.key,),
        illness.panels,
        illness.drugs,
        illness.days,
        illness.study,
        shifts=illness.shifts,
    )


def _illness(person: Person, at: Moment) -> Illness:
    """One that is seen in a clinic, by how often each strikes at the resident's age."""
    age = (at - person.life.born) / YEAR
    band = next(n for n, end in enumerate(AGES) if age < end)
    open_ = [
        (illness, illness.rates[band])
        for illness in ILLNESSES
        if not illness.stay
        and illness.key != "checkup"
        and illness.sex in ("", person.resident.sex)
    ]
    left = person.dice.random() * sum(rate for _, rate in open_)
    for illness, rate in open_:
        left -= rate
        if left <= 0:
            return illness
    return open_[0][0]


def quick(person: Person, house: str, end: Moment, count: int) -> Visit:
    """A visit to a house that ends now, all of it within the last minutes."""
    start = end - LENGTH
    occasion = _occasion(person, start, Custom(1, 1))
    return hurried(held(occasion, house, count, person.resident, person.body, person.dice), end)
