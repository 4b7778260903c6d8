"""Which patients are one person: rule version 2, on evidence alone. Pure; no order matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from healthhub.identify.evidence import Evidence
from healthhub.identify.identity import RESIDENT, parse_resident_id
from healthhub.identify.likeness import parties

MODEL = "rules-2"
NAME, BIRTH, MERGE, ALONE = "number+name", "number+birth", "merge", "alone"
DIFFER = "number+birth, names differ"


@dataclass(frozen=True, slots=True)
class Tie:
    """Why two patients are one person, or are not."""

    left: UUID
    right: UUID
    rule: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The patients of one person, in key order, what ties them, and what keeps others apart
    who bear the same number (``left`` is in this cluster)."""

    patients: tuple[UUID, ...]
    ties: tuple[Tie, ...]
    doubts: tuple[Tie, ...] = ()


def clusters(
    evidence: Mapping[UUID, Evidence], merged: Iterable[tuple[UUID, UUID]]
) -> list[Cluster]:
    """Part the patients into persons.

    Two patients are tied when a merge says so, or when they bear the same valid number and
    agree on a name or on a birth date. An agreeing birth date counts only if the number says
    the same date: twins under their mother's number share number and birth date. It does not
    count between names that plainly differ: some systems copy the birth date out of the number,
    so a child seen under a parent's number bears the parent's date too. Never by the number
    alone; a patient whose name is a place-holder is never tied by rule.
    """
    ties = [Tie(kept, replaced, MERGE) for kept, replaced in merged]
    named: dict[tuple[str, str], UUID] = {}
    born: dict[str, list[UUID]] = {}
    for key in sorted(evidence):
        one = evidence[key]
        if one.number is None or one.nameless or not one.known:
            continue
        for name in one.names:
            other = named.setdefault((one.number, name), key)
            if other != key:
                ties.append(Tie(other, key, NAME))
        number = parse_resident_id(one.number)
        if number is not None and one.birth == number.birth:
            born.setdefault(one.number, []).append(key)
    doubts: list[Tie] = []
    for number, keys in born.items():
        _of_one_birth(number, keys, evidence, ties, doubts)
    return _components(sorted(evidence), ties, doubts)


def _of_one_birth(
    number: str,
    keys: Sequence[UUID],
    evidence: Mapping[UUID, Evidence],
    ties: list[Tie],
    doubts: list[Tie],
) -> None:
    """Tie those whose number confirms their birth date. If there are names among them that
    plainly differ, each is tied to its like alone, and who has no name to nobody."""
    parsed = parse_resident_id(number)
    romanised = parsed is not None and parsed.kind == RESIDENT
    found = parties({key: evidence[key].names for key in keys}, romanised=romanised)
    if len(found) < 2:
        ties += [Tie(keys[0], key, BIRTH) for key in keys[1:]]
        return
    heads = sorted(min(party) for party in found)
    for party in found:
        head, *others = sorted(party)
        ties += [Tie(head, key, BIRTH) for key in others]
        strange = next(other for other in heads if other != head)
        doubts += [Tie(key, strange, DIFFER) for key in party]
    nameless = set(keys).difference(*found)
    doubts += [Tie(key, heads[0], DIFFER) for key in sorted(nameless)]


def _components(
    keys: Sequence[UUID], ties: Sequence[Tie], doubts: Sequence[Tie]
) -> list[Cluster]:
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
    strangers: dict[UUID, list[Tie]] = {}
    for doubt in doubts:
        if find(doubt.left) != find(doubt.right):
            strangers.setdefault(find(doubt.left), []).append(doubt)
    return [
        Cluster(tuple(members), tuple(reasons.get(head, ())), tuple(strangers.get(head, ())))
        for head, members in sorted(patients.items())
    ]
