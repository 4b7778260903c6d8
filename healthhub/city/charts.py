"""How a resident is registered at one house: local numbers, and what the clerk typed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from healthhub.city import moments, names
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, Moment
from healthhub.city.numbers import old_form, scrambled, with_typing_habit
from healthhub.city.people import Family, Resident
from healthhub.city.places import full_address
from healthhub.city.rates import RATES

_SALT = {
    "a": 3,
    "b": 5,
    "c": 9,
    "s": 11,
    "h": 13,
    "p": 17,
    "q": 19,
    "i": 23,
    "v": 29,
    "e": 31,
    "y": 37,
    "g": 41,
    "w": 43,
}
UNKNOWN = "无名氏"


@dataclass(frozen=True, slots=True)
class Chart:
    """A registration. ``number`` is the house's patient number, ``written_id`` the identity
    number as typed (may be old, empty, or a parent's), ``planted`` the error in it."""

    resident: Resident
    house: str
    number: str
    card: str
    name: str
    written_id: str
    birth: str
    address: str
    phone: str
    planted: str = ""


def local_number(house: str, ordinal: int, again: int = 0) -> str:
    """The patient number that a house gives; ``again`` counts further registrations."""
    number = scrambled(ordinal * 4 + again, _SALT[house])
    return {
        "a": f"00{number:08d}",
        "b": f"{number:09d}",
        "c": f"FY{number:08d}",
        "s": f"N{number:08d}",
        "h": f"C{number:08d}",
        "p": f"429004001{number:023d}",
        "q": f"429004002{number:023d}",
        "i": f"4290040101{number:09d}",
        "v": f"TJ{number:09d}",
        "e": f"{number:09d}",
        "y": f"42900400001{number:09d}",
        "g": f"XD{number:08d}",
        "w": f"SW{number:08d}",
    }[house]


def first_chart(
    dice: Dice, resident: Resident, family: Family, house: str, at: Moment
) -> Chart:
    """The registration made at a resident's first visit to a house."""
    address = full_address(resident.town, resident.line)
    chart = Chart(
        resident,
        house,
        local_number(house, resident.ordinal),
        f"{_SALT[house]}{scrambled(resident.ordinal, _SALT[house] + 40):08d}",
        resident.name,
        with_typing_habit(dice, old_form(resident.number) if resident.old else resident.number),
        resident.birth.strftime("%Y%m%d"),
        address,
        resident.phone,
    )
    age = at - moments.of(resident.birth)
    if age < 28 * DAY:
        return _newborn(chart, family)
    if resident.role == "head" and family.index == 0:
        return chart
    if age < 14 * 366 * DAY and dice.chance(RATES.parents_number):
        return _under_parent(chart, family)
    if dice.chance(RATES.typo):
        wrong = names.mistaken(chart.name)
        return replace(chart, name=wrong, planted="typo" if wrong != chart.name else "")
    if dice.chance(RATES.default_birth):
        return replace(chart, birth="19000101", planted="default-birth")
    if dice.chance(RATES.no_number):
        return replace(chart, written_id="")
    return chart


def _newborn(chart: Chart, family: Family) -> Chart:
    """Before its registration a child has no number and goes by the mother's name."""
    child = chart.resident
    mother = next((m for m in family.members if m.person == child.mother), None)
    whose = mother.name if mother else chart.name[:1] + "某"
    twins = child.twin or any(m.twin == child.person for m in family.members)
    which = "" if not twins else "次" if child.twin else "长"
    kin = "子" if child.sex == "M" else "女"
    return replace(chart, name=f"{whose}之{which}{kin}", written_id="")


def _under_parent(chart: Chart, family: Family) -> Chart:
    parent = next((m for m in family.members if m.person == chart.resident.mother), None)
    if parent is None:
        return chart
    return replace(chart, written_id=parent.number, planted="parents-number")


def righted(chart: Chart) -> Chart:
    """The chart after the clerk has seen the papers."""
    resident = chart.resident
    return replace(
        chart,
        name=resident.name,
        written_id=resident.number,
        birth=resident.birth.strftime("%Y%m%d"),
        planted="",
    )


def second_chart(chart: Chart, *, unknown: bool) -> Chart:
    """A registration made again without papers; of an unknown patient with no name either."""
    again = replace(
        chart,
        number=local_number(chart.house, chart.resident.ordinal, 2 if unknown else 1),
        card="",
        written_id="",
        planted="second-chart",
    )
    if not unknown:
        return again
    return replace(
        again, name=UNKNOWN, birth="", address="", phone="", planted="unknown-patient"
    )
