"""Identity: are the right patients one person? On the city's truth and on FEBRL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID, uuid5

from bench import febrl
from bench.figure import SHARE, Figure
from bench.persons import agreement
from healthhub.city.registrations import registrations
from healthhub.identify.cluster import clusters
from healthhub.identify.evidence import of_patient
from healthhub.identify.match import features, judge
from healthhub.model.resource import Body

RESIDENTS = 10_000
SEED = 2
"""Another city than the one that the shipped model was trained on."""
SPACE = UUID(int=0)


def measure(residents: int) -> Iterator[Figure]:
    """All figures of the group."""
    yield from _city(residents or RESIDENTS)
    for number in (1, 2):
        yield _febrl(number)


def _city(residents: int) -> Iterator[Figure]:
    rows = list(registrations(SEED, residents))
    keys = {uuid5(SPACE, row.key): row.key for row in rows}
    evidence = {uuid5(SPACE, row.key): of_patient(row.body) for row in rows}
    found = clusters(evidence, ())
    persons = [[keys[key] for key in each.patients] for each in found]
    queued = {keys[key] for each in found if each.doubts for key in each.patients}
    truth = {row.key: row.person for row in rows if "unknown-patient" not in row.planted}
    agreed = agreement(persons, truth)
    conditions = (
        f"{len(rows):,} registrations of {residents:,} residents (seed {SEED}), errors of "
        f"healthhub/city/registrations.py, {agreed.true:,} true pairs; unknown patients not counted"
    )
    yield Figure("identity.precision", agreed.precision, SHARE, conditions)
    yield Figure("identity.recall", agreed.recall, SHARE, conditions)
    yield Figure("identity.queue_share", len(queued) / len(rows), SHARE, conditions)


def _febrl(number: int) -> Figure:
    rows = febrl.records(number)
    persons = _judged({row.key: row.body for row in rows})
    agreed = agreement(persons, {row.key: row.person for row in rows})
    conditions = (
        f"{len(rows):,} records, no number, persons by rules: precision {agreed.precision:.4f}, "
        f"recall {agreed.recall:.4f}"
    )
    return Figure(f"identity.febrl{number}_f1", agreed.f1, SHARE, conditions)


def _judged(bodies: Mapping[str, Body]) -> Iterable[Sequence[str]]:
    """Persons of all that a match would call probable."""
    known = {key: features(body) for key, body in bodies.items()}
    group = {key: [key] for key in bodies}
    born: dict[object, list[str]] = {}
    for key, each in known.items():
        born.setdefault(each.evidence.birth, []).append(key)
    for crowd in born.values():
        for place, left in enumerate(crowd):
            for right in crowd[place + 1 :]:
                fit = judge(known[left], known[right])
                if fit and group[left] is not group[right]:
                    group[left] += group[right]
                    group.update(dict.fromkeys(group[right], group[left]))
    return {id(members): members for members in group.values()}.values()
