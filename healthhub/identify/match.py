"""How well a Patient fits one that is looked for: rules on evidence, with honest grades. Pure.

``judge`` is a ``Judge``: a scorer of probabilities can take its place without another change.
Grades: http://hl7.org/fhir/R4/valueset-match-grade.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast
from uuid import UUID

from healthhub.identify.cluster import clusters
from healthhub.identify.evidence import Evidence, is_no_phone, of_patient
from healthhub.model.resource import Body

_LEFT, _RIGHT = UUID(int=1), UUID(int=2)
Grade = Literal["certain", "probable", "possible"]


@dataclass(frozen=True, slots=True)
class Features:
    """What of a Patient a match can rest on."""

    evidence: Evidence
    gender: str
    phones: frozenset[str]
    identifiers: frozenset[tuple[str, str]]

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing to look for."""
        known = self.evidence
        enough = known.number or self.identifiers or self.phones
        return not enough and not (known.names and known.birth)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well two fit: the grade, and a score between 0 and 1 that orders them."""

    grade: Grade
    score: float


Judge = Callable[[Features, Features], Fit | None]
"""Fit of the one looked for and a candidate; None when they are not the same or nothing says so."""


def features(body: Body) -> Features:
    """Read them from a Patient."""
    gender = body.get("gender")
    return Features(
        of_patient(body),
        gender if gender in ("male", "female") else "",
        frozenset(
            phone_key(one["value"])
            for one in _dicts(body.get("telecom"))
            if one.get("system") == "phone"
            and isinstance(one.get("value"), str)
            and not is_no_phone(one["value"])
        ),
        frozenset(
            (str(one["system"]), str(one["value"]))
            for one in _dicts(body.get("identifier"))
            if one.get("system") and one.get("value") and one.get("use") != "old"
        ),
    )


def phone_key(phone: str) -> str:
    """A phone number as it is compared: digits alone, without the country code."""
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", phone))
    return digits.removeprefix("86") if len(digits) == 13 else digits


def judge(wanted: Features, other: Features) -> Fit | None:
    """Rules, the strongest first. Two different valid numbers are two persons.

    Certain is only what the person index itself would link (``cluster``). A number alone can
    be someone else's (a child under a parent's); a name and a birth date are shared by strangers.
    """
    mine, theirs = wanted.evidence, other.evidence
    if mine.number and theirs.number and mine.number != theirs.number:
        return None
    name = not set(mine.names).isdisjoint(theirs.names)
    birth = mine.birth is not None and mine.birth == theirs.birth
    against = _disagrees(wanted, other)
    if mine.number and mine.number == theirs.number:
        if len(clusters({_LEFT: mine, _RIGHT: theirs}, ())) == 1:
            return Fit("certain", 0.98 if name and birth else 0.95)
        return Fit("possible", 0.5) if against else Fit("probable", 0.75)
    if not wanted.identifiers.isdisjoint(other.identifiers):
        if name or birth:
            return Fit("probable", 0.9)
        return Fit("possible", 0.5) if against else Fit("probable", 0.7)
    phone = not wanted.phones.isdisjoint(other.phones)
    return _by_description(wanted, other, name=name, birth=birth, phone=phone)


def _by_description(
    wanted: Features, other: Features, *, name: bool, birth: bool, phone: bool
) -> Fit | None:
    """Without a number in common: name, birth date, sex, phone."""
    sexes = {wanted.gender, other.gender} - {""}
    if len(sexes) == 2 or not name:
        return None
    same_sex = bool(wanted.gender) and wanted.gender == other.gender
    if birth and phone:
        return Fit("probable", 0.85 if same_sex else 0.8)
    if birth:
        return Fit("probable", 0.65) if same_sex else Fit("possible", 0.45)
    if phone and not (wanted.evidence.birth and other.evidence.birth):
        return Fit("possible", 0.4)
    return None


def _disagrees(wanted: Features, other: Features) -> bool:
    """Whether what both say of name, birth date or sex differs."""
    mine, theirs = wanted.evidence, other.evidence
    names = bool(mine.names and theirs.names) and set(mine.names).isdisjoint(theirs.names)
    births = bool(mine.birth and theirs.birth) and mine.birth != theirs.birth
    return names or births or len({wanted.gender, other.gender} - {""}) == 2


def _dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [item for item in cast(list[Any], value) if isinstance(item, dict)]
