"""Residents as many houses register them, with every error that hides who they are. For measuring.

The feeds plant errors of their own at the rates of daily life (charts.py); here each kind is
planted often enough to be counted, and the truth stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from healthhub.city import UNTIL, people, slips
from healthhub.city.charts import UNKNOWN, local_number
from healthhub.city.dice import Dice, Weighted
from healthhub.city.numbers import old_form, scrambled, with_typing_habit
from healthhub.city.people import Family, Resident
from healthhub.city.places import CITY, PROVINCE, full_address

HOUSES: Weighted[str] = Weighted([("a", 30), ("b", 25), ("c", 10), ("p", 25), ("v", 10)])
COUNTS: Weighted[int] = Weighted([(1, 25), (2, 35), (3, 25), (4, 15)])
"""At how many houses a resident is registered."""
SECOND = 0.08
"""Of those who come to a house again, who are registered again, without their papers."""
CHILD = 14
"""Years up to which a child may be seen under a parent's number and phone."""


@dataclass(frozen=True, slots=True)
class Form:
    """What stands on a registration form; an empty text is an empty box."""

    name: str
    number: str
    birth: str
    sex: str
    phone: str
    address: str
    card: str
    mother: str = ""
    certificate: str = ""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Registration:
    """A source patient: its key, whose it truly is, the errors in it, and its FHIR Patient."""

    key: str
    person: str
    planted: tuple[str, ...]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Error:
    """A kind of error: of how many forms (each by itself), and what it does to one."""

    kind: str
    share: float
    happens: Callable[[Form, Dice, Resident, Family], Form]


def _kin(resident: Resident, family: Family) -> Resident | None:
    """Somebody else of the family: the mother, if she is known."""
    others = [m for m in family.members if m.person != resident.person]
    return next(
        (m for m in others if m.person == resident.mother), others[0] if others else None
    )


def _under_parent(form: Form, dice: Dice, resident: Resident, family: Family) -> Form:
    parent = next((m for m in family.members if m.person == resident.mother), None)
    if parent is None or resident.age(UNTIL) >= CHILD:
        return form
    form = replace(form, number=parent.number)
    # Some systems take the birth date out of the number.
    return replace(form, birth=parent.birth.isoformat()) if dice.chance(0.15) else form


def _kins_card(form: Form, dice: Dice, resident: Resident, family: Family) -> Form:
    kin = _kin(resident, family)
    return replace(form, card=_card(kin)) if kin and form.card else form


def _kins_phone(form: Form, dice: Dice, resident: Resident, family: Family) -> Form:
    kin = _kin(resident, family)
    return replace(form, phone=kin.phone) if kin and form.phone else form


def _moved(form: Form, dice: Dice, resident: Resident, family: Family) -> Form:
    from healthhub.city.places import address

    return replace(form, address=full_address(*address(dice)))


def _unknown(form: Form, dice: Dice, resident: Resident, family: Family) -> Form:
    return Form(UNKNOWN, "", "1900-01-01" if dice.chance(0.5) else "", form.sex, "", "", "")


ERRORS = (
    _Error("number-missing", 0.05, lambda f, *_: replace(f, number="")),
    _Error("number-mistyped", 0.01, lambda f, d, *_: replace(f, number=slips.digit(d, f.number))),
    _Error("parents-number", 0.05, _under_parent),
    _Error("kins-card", 0.005, _kins_card),
    _Error("name-sound", 0.012, lambda f, d, *_: replace(f, name=slips.sound(d, f.name))),
    _Error("name-variant", 0.008, lambda f, *_: replace(f, name=slips.traditional(f.name))),
    _Error("name-spaced", 0.01, lambda f, d, *_: replace(f, name=slips.spaced(d, f.name))),
    _Error("name-pinyin", 0.004, lambda f, d, *_: replace(f, name=slips.pinyin(d, f.name))),
    _Error("name-dot", 0.5, lambda f, d, *_: replace(f, name=slips.dot(d, f.name))),
    _Error("birth-default", 0.004, lambda f, d, *_: replace(f, birth=d.pick(slips.DEFAULTS))),
    _Error("birth-swapped", 0.004, lambda f, *_: replace(f, birth=slips.swapped(f.birth))),
    _Error("birth-digit", 0.004, lambda f, d, *_: replace(f, birth=slips.day_or_year(d, f.birth))),
    _Error("birth-january", 0.003, lambda f, *_: replace(f, birth=slips.january(f.birth))),
    _Error("birth-missing", 0.005, lambda f, *_: replace(f, birth="")),
    _Error("sex-wrong", 0.003, lambda f, *_: replace(f, sex={"M": "F", "F": "M"}[f.sex])),
    _Error("phone-missing", 0.1, lambda f, *_: replace(f, phone="")),
    _Error("phone-default", 0.03, lambda f, d, *_: replace(f, phone=d.pick(slips.PHONES))),
    _Error("phone-changed", 0.08, lambda f, d, *_: replace(f, phone=slips.phone(d))),
    _Error("phone-kin", 0.06, _kins_phone),
    _Error("address-moved", 0.04, _moved),
    _Error("address-short", 0.15, lambda f, *_: replace(
        f, address=f.address.removeprefix(PROVINCE).removeprefix(CITY))),
    _Error("address-missing", 0.05, lambda f, *_: replace(f, address="")),
    _Error("unknown-patient", 0.002, _unknown),
)  # fmt: skip
"""In this order on each form. Children's phones (a parent's, as a rule) and 15-digit numbers of
the old are no errors and not in it."""


def registrations(seed: int, residents: int) -> Iterator[Registration]:
    """All registrations of a city, family by family; the same numbers give the same ones."""
    for family in people.families(seed, residents, UNTIL):
        for resident in family.members:
            yield from _of(seed, resident, family)


def _of(seed: int, resident: Resident, family: Family) -> Iterator[Registration]:
    dice = Dice(seed, "registrations", resident.ordinal)
    houses: dict[str, int] = {}
    for _ in range(dice.weighed(COUNTS)):
        house = dice.weighed(HOUSES)
        again = houses[house] = houses.get(house, -1) + 1
        if not again or (again == 1 and dice.chance(SECOND)):
            yield _registered(dice, resident, family, house, again)
    if resident.mother and resident.age(UNTIL) < 6 and dice.chance(0.3):
        yield from _newborn(dice, resident, family)


def _registered(
    dice: Dice, resident: Resident, family: Family, house: str, again: int
) -> Registration:
    form = _right_form(dice, resident, family)
    planted: list[str] = ["number-old"] if resident.old else []
    if again:
        form, planted = replace(form, number="", card=""), [*planted, "second-chart"]
    for error in ERRORS:
        if dice.chance(error.share):
            changed = error.happens(form, dice, resident, family)
            if changed != form:
                form, planted = changed, [*planted, error.kind]
    number = local_number(house, resident.ordinal, again)
    return Registration(
        f"{house}/{number}", resident.person, tuple(planted), _patient(form, house, number)
    )


def _right_form(dice: Dice, resident: Resident, family: Family) -> Form:
    number = old_form(resident.number) if resident.old and dice.chance(0.4) else resident.number
    young = resident.age(UNTIL) < CHILD
    mother = next((m for m in family.members if m.person == resident.mother), None)
    phone = mother.phone if mother and young and dice.chance(0.8) else resident.phone
    form = Form(
        resident.name,
        with_typing_habit(dice, number),
        resident.birth.isoformat(),
        resident.sex,
        phone,
        full_address(resident.town, resident.line),
        _card(resident) if dice.chance(0.6) else "",
    )
    if mother and resident.age(UNTIL) < 6 and dice.chance(0.5):
        form = replace(form, certificate=_certificate(resident))
    return form


def _newborn(dice: Dice, child: Resident, family: Family) -> Iterator[Registration]:
    """Before its own registration: under the mother's name, by certificate, mother and order;
    sometimes in the house of birth and again where it was taken to."""
    mother = next((m for m in family.members if m.person == child.mother), None)
    if mother is None:
        return
    twins = bool(child.twin) or any(m.twin == child.person for m in family.members)
    order = (2 if child.twin else 1) if twins else 0
    kin = ("" if not twins else "长次"[order - 1]) + ("子" if child.sex == "M" else "女")
    form = Form(
        f"{mother.name}之{kin}", "", child.birth.isoformat(), child.sex, mother.phone,
        full_address(child.town, child.line), "", mother.number, _certificate(child), order,
    )  # fmt: skip
    for house in ("c", "a") if dice.chance(0.3) else ("c",):
        one = replace(form, certificate="") if dice.chance(0.2) else form
        number = local_number(house, child.ordinal, 3)
        yield Registration(f"{house}/{number}", child.person, ("newborn",), _patient(one, house, number))  # fmt: skip


def _card(resident: Resident) -> str:
    return f"XT{scrambled(resident.ordinal, 51):08d}"


def _certificate(resident: Resident) -> str:
    return f"{'PQRSTU'[resident.birth.year % 6]}{scrambled(resident.ordinal, 53, 10**9):09d}"


def _patient(form: Form, house: str, number: str) -> dict[str, Any]:
    """The Patient that a mapping makes of the form."""
    held = [
        {"system": f"urn:healthhub:city:{house}", "value": number},
        _typed("2.16.156.10011.1.3", form.number, "NI"),
        _typed("2.16.156.10011.1.19", form.card, "HC"),
        _typed("2.16.156.10011.1.99.1", form.certificate, "BCT"),
        _typed("2.16.156.10011.1.99.2", form.mother, "MTH"),
    ]
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [one for one in held if one["value"]],
        "name": [{"text": form.name}],
        "gender": {"M": "male", "F": "female"}[form.sex],
    }
    if form.birth and _is_date(form.birth):
        body["birthDate"] = form.birth
    if form.phone:
        body["telecom"] = [{"system": "phone", "value": form.phone}]
    if form.address:
        body["address"] = [{"text": form.address}]
    if form.order:
        body["multipleBirthInteger"] = form.order
    return body


def _typed(oid: str, value: str, code: str) -> dict[str, Any]:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}
    return {"system": f"urn:oid:{oid}", "value": value, "type": {"coding": [coding]}}


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text) is not None
    except ValueError:
        return False
