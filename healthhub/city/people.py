"""Residents in their families: who lives where, and with which numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from healthhub.city import names, places
from healthhub.city.dice import Dice, Weighted
from healthhub.city.numbers import ResidentIds, scrambled

MEMBERS = 8
"""Numbers kept for each family, so that every resident's ordinal is its own."""


@dataclass(frozen=True, slots=True)
class Resident:
    """One person. ``person`` is the truth's name for them; ``role`` the place in the family
    (head, spouse, parent, child); ``old`` says that papers still carry the 15-digit number;
    ``twin`` and ``mother`` name other persons, or are empty."""

    person: str
    ordinal: int
    name: str
    sex: str
    birth: date
    number: str
    old: bool
    group: str
    town: str
    line: str
    phone: str
    role: str
    married: str
    mother: str = ""
    twin: str = ""

    def age(self, day: date) -> int:
        """Whole years of age on a day."""
        return (
            day.year
            - self.birth.year
            - ((day.month, day.day) < (self.birth.month, self.birth.day))
        )


@dataclass(frozen=True, slots=True)
class Family:
    """People at one address; ``index`` with the seed derives everything about them."""

    index: int
    members: tuple[Resident, ...]


_KINDS: Weighted[str] = Weighted(
    [
        ("parents and children", 34),
        ("three generations", 16),
        ("old couple", 19),
        ("old alone", 7),
        ("young couple", 12),
        ("alone", 12),
    ]
)


class _House:
    """A family while it is being made."""

    def __init__(self, seed: int, index: int, ids: ResidentIds, until: date) -> None:
        self.dice = Dice(seed, "family", index)
        self.index, self.ids, self.until = index, ids, until
        self.town, self.line = places.address(self.dice)
        self.group = self.dice.weighed(names.GROUPS)
        self.members: list[Resident] = []

    def add(
        self, role: str, sex: str, birth: date, surname: str, married: str, **extra: str
    ) -> Resident:
        dice, ordinal = self.dice, self.index * MEMBERS + len(self.members)
        phone = f"12{scrambled(ordinal, 11, 10**9):09d}"  # 12x is assigned to nobody
        resident = Resident(
            person=f"P{ordinal:08d}",
            ordinal=ordinal,
            name=names.full(dice, surname, sex, birth.year, self.group),
            sex=sex,
            birth=birth,
            number=self.ids.issue(dice, birth, sex),
            old=birth.year < 1950 and dice.chance(0.12),
            group=self.group,
            town=self.town,
            line=self.line,
            phone=phone,
            role=role,
            married=married,
            **extra,
        )
        self.members.append(resident)
        return resident

    def born(self, low: float, high: float) -> date:
        """A birth date for an age in years between low and high at the end of the story."""
        days = self.dice.near((low + high) / 2, (high - low) / 6) * 365.25
        return self.until - timedelta(days=int(min(max(days, low * 365.25), high * 365.25)))

    def couple(self, low: float, high: float, role: str = "head") -> tuple[Resident, Resident]:
        man = self.born(low, high)
        woman = man + timedelta(days=int(self.dice.near(500, 700)))
        surname = self.dice.weighed(names.SURNAMES)
        spouse_role = "spouse" if role == "head" else role
        husband = self.add(role, "M", man, surname, "20")
        return husband, self.add(
            spouse_role, "F", woman, self.dice.weighed(names.SURNAMES), "20"
        )

    def children(self, father: Resident, mother: Resident, count: int) -> None:
        """Children of a couple, born when the mother was 21 to 38; twins now and then."""
        dice = self.dice
        surname = father.name[:2] if father.name[:2] in ("欧阳", "司马") else father.name[:1]
        first = mother.birth + timedelta(days=int(dice.near(27, 3) * 365.25))
        for n in range(count):
            day = first + timedelta(days=n * dice.whole(800, 1700))
            if day >= self.until - timedelta(days=3):
                return
            sex = "M" if dice.chance(0.53) else "F"
            child = self.add("child", sex, day, surname, "10", mother=mother.person)
            if dice.chance(0.025):
                self.add(
                    "child",
                    sex,
                    day,
                    surname,
                    "10",
                    mother=mother.person,
                    twin=child.person,
                )
                return


def family(seed: int, index: int, ids: ResidentIds, until: date) -> Family:
    """Make the family of an index. The date is the last day of the story."""
    house = _House(seed, index, ids, until)
    dice = house.dice
    kind = dice.weighed(_KINDS)
    if kind == "parents and children":
        house.children(*house.couple(26, 52), dice.whole(1, 2))
    elif kind == "three generations":
        parents = house.couple(54, 76, "parent")
        father = house.couple(28, 44)
        house.children(*father, dice.whole(1, 2))
        if dice.chance(0.4):
            house.members.remove(parents[0])
    elif kind == "old couple":
        house.couple(58, 88)
    elif kind == "old alone":
        house.add("head", *_alone(house, 64, 94), dice.weighed(names.SURNAMES), "30")
    elif kind == "young couple":
        pair = house.couple(22, 33)
        if dice.chance(0.35):
            house.children(*pair, 1)
    else:
        house.add("head", *_alone(house, 19, 60), dice.weighed(names.SURNAMES), "10")
    return Family(index, tuple(house.members))


def _alone(house: _House, low: float, high: float) -> tuple[str, date]:
    return "M" if house.dice.chance(0.5) else "F", house.born(low, high)


def named_family(seed: int, ids: ResidentIds, until: date) -> Family:
    """Family 0: the couple whose record demonstrations open. Their illnesses are certain."""
    house = _House(seed, 0, ids, until)
    house.group = "01"
    years = timedelta(days=int(61.4 * 365.25))
    husband = house.add("head", "M", until - years, "陆", "20")
    house.add("spouse", "F", until - years + timedelta(days=640), "沈", "20")
    renamed = _renamed(husband, "陆文斌")
    return Family(0, (renamed, _renamed(house.members[1], "沈秀兰")))


def _renamed(resident: Resident, name: str) -> Resident:
    return replace(resident, name=name)


def families(seed: int, residents: int, until: date) -> Iterator[Family]:
    """All families, in order, until the city has its residents. Nothing is held."""
    ids = ResidentIds()
    left, index = residents, 0
    while left > 0:
        made = named_family(seed, ids, until) if index == 0 else family(seed, index, ids, until)
        members = made.members[:left]
        left -= len(members)
        yield Family(index, members)
        index += 1
