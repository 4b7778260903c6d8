"""Which patients are one person: rule version 1, on evidence alone. Pure; no order matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from healthhub.identify.evidence import Evidence
from healthhub.identify.identity import parse_resident_id

MODEL = "rules-1"
NAME, BIRTH, MERGE, ALONE = "number+name", "number+birth", "merge", "alone"


@dataclass(frozen=True, slots=True)
class Tie:
    """Why two patients are one person."""

    left: UUID
    right: UUID
    rule: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The patients of one person, in key order, and what ties them."""

    patients: tuple[UUID, ...]
    ties: tuple[Tie, ...]


def clusters(
    evidence: Mapping[UUID, Evidence], merged: Iterable[tuple[UUID, UUID]]
) -> list[Cluster]:
    """Part the patients into persons.

    Two patients are tied when a merge says so, or when they bear the same valid number and
    agree on a name or on a birth date. An agreeing birth date counts only if the number says
    the same date: twins under their mother's number share number and birth date. Never by
    the number alone; a patient whose name is a place-holder is never tied by rule.
    """
    ties = [Tie(kept, replaced, MERGE) for kept, replaced in merged]
    first: dict[tuple[str, str], UUID] = {}
    for key in sorted(evidence):
        for rule, mark in _marks(evidence[key]):
            other = first.setdefault((rule, mark), key)
            if other != key:
                ties.append(Tie(other, key, rule))
    return _components(sorted(evidence), ties)


def _marks(one: Evidence) -> list[tuple[str, str]]:
    """What a patient must share with another to be tied to it."""
    if one.number is None or one.nameless or not one.known:
        return []
    marks = [(NAME, f"{one.number}|{name}") for name in one.names]
    number = parse_resident_id(one.number)
    if number is not None and one.birth == number.birth:
        marks.append((BIRTH, one.number))
    return marks


def _components(keys: Sequence[UUID], ties: Sequence[Tie]) -> list[Cluster]:
    root = {key: key for key in keys}

    def find(key: UUID) -> UUID:
        while root[key] != key:
            root[key] = root[root[key]]
            key = root[key]
        return key

    known = [tie for tie in ties if tie.left in root and tie.right in root]
    for tie in known:
        left, right = sorted((find(tie.left), find(tie.right)))
        root[right] = left
    patients: dict[UUID, list[UUID]] = {}
    reasons: dict[UUID, list[Tie]] = {}
    for key in keys:
        patients.setdefault(find(key), []).append(key)
    for tie in known:
        reasons.setdefault(find(tie.left), []).append(tie)
    return [
        Cluster(tuple(members), tuple(reasons.get(head, ())))
        for head, members in sorted(patients.items())
    ]
