"""Keep persons up to date with what was just written about patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from healthhub.identify import golden, neighbours
from healthhub.identify.cluster import ALONE, MERGE, MODEL, Cluster, clusters
from healthhub.identify.evidence import Evidence, of_patient
from healthhub.identify.neighbours import Link
from healthhub.model.ids import derive
from healthhub.model.resource import Body, Merge
from healthhub.store.writer import Written

Connection = psycopg.Connection[Any]

_PAIR = """
insert into patient_pair (kept, replaced, rule, undone, authority, at, message)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (kept, replaced, rule) do update
   set undone = excluded.undone, authority = excluded.authority, at = excluded.at,
       message = excluded.message
 where (excluded.authority, excluded.at, excluded.message)
     > (patient_pair.authority, patient_pair.at, patient_pair.message)
"""
_LINK = """
with linked as (
    insert into person_link (patient_key, person_key, rule, evidence, model, decided_by)
    values (%(patient)s, %(person)s, %(rule)s, %(evidence)s, %(model)s, 'rule')
    on conflict (patient_key) do update
       set person_key = excluded.person_key, rule = excluded.rule,
           evidence = excluded.evidence, model = excluded.model,
           decided_by = excluded.decided_by, decided_at = now())
insert into person_decision
       (patient_key, person_before, person_after, rule, evidence, model, decided_by)
values (%(patient)s, %(before)s, %(person)s, %(rule)s, %(evidence)s, %(model)s, 'rule')
"""


def observe(
    connection: Connection, written: Sequence[Written], merges: Sequence[Merge]
) -> None:
    """Link the patients of ``written`` and apply ``merges``.

    Runs inside the caller's transaction, after the drafts were written; rewrites the golden
    Patients concerned. Blocks while another transaction decides about the same person. May
    raise psycopg's DeadlockDetected or UniqueViolation: the whole transaction is then to be
    tried again.
    """
    bodies: dict[UUID, Body] = {
        each.id: each.body
        for each in written
        if each.type == "Patient"
        and each.action != "unchanged"
        and not golden.is_golden(each.body)
    }
    if not bodies and not merges:
        return
    touched = {*bodies, *(key for m in merges for key in (m.kept, m.replaced))}
    old_numbers = neighbours.hold(connection, touched)
    neighbours.note(connection, {key: of_patient(body) for key, body in bodies.items()})
    if merges:
        connection.cursor().executemany(
            _PAIR,
            [
                (
                    m.kept,
                    m.replaced,
                    MERGE,
                    m.undone,
                    m.stamp.authority,
                    m.stamp.at,
                    m.stamp.message,
                )
                for m in sorted(merges, key=lambda m: (m.kept, m.replaced))
                if m.kept != m.replaced
            ],
        )
    _decide(connection, touched, old_numbers, bodies)


def _decide(
    connection: Connection,
    touched: set[UUID],
    old_numbers: set[str],
    bodies: Mapping[UUID, Body],
) -> None:
    around = neighbours.lock(connection, touched, old_numbers)
    found = clusters(around.evidence, around.merged)
    persons = _persons(connection, found, around.evidence, around.links)
    links = [
        link
        for each, person in zip(found, persons, strict=True)
        for link in _links(each, person, around.evidence)
    ]
    changed = [link for link in links if around.links.get(link.patient) != link]
    if changed:
        connection.cursor().executemany(
            _LINK,
            [
                {
                    "patient": link.patient,
                    "person": link.person,
                    "before": before.person
                    if (before := around.links.get(link.patient))
                    else None,
                    "rule": link.rule,
                    "evidence": link.evidence_json(),
                    "model": MODEL,
                }
                for link in changed
            ],
        )
    wanted = {person: each for each, person in zip(found, persons, strict=True) if person}
    moved = {link.person for link in changed}
    stale = {
        person: _known(each, around.evidence)
        for person, each in wanted.items()
        if person in moved or not bodies.keys().isdisjoint(each.patients)
    }
    golden.rewrite(connection, stale, around.evidence, bodies)
    were = {link.person for link in around.links.values()} - around.evidence.keys()
    golden.retire(connection, were - wanted.keys(), around.links, links)


def _known(cluster: Cluster, evidence: Mapping[UUID, Evidence]) -> tuple[UUID, ...]:
    return tuple(key for key in cluster.patients if evidence[key].known)


def _persons(
    connection: Connection,
    found: Sequence[Cluster],
    evidence: Mapping[UUID, Evidence],
    links: Mapping[UUID, Link],
) -> list[UUID | None]:
    """The person key of each cluster; None where each patient is its own.

    A cluster keeps the golden key that most of its patients had; a key that two clusters
    would keep goes to the one with more of them (then to the one with the smallest patient).
    """
    claims: list[tuple[int, UUID, int, UUID]] = []
    for place, each in enumerate(found):
        if len(_known(each, evidence)) < 2:
            continue
        had = [links[key].person for key in each.patients if key in links]
        for person in set(had) - set(each.patients):
            claims.append((-had.count(person), each.patients[0], place, person))
    persons: dict[int, UUID] = {}
    taken: set[UUID] = {person for *_, person in claims}
    given: set[UUID] = set()
    for _, _, place, person in sorted(claims):
        if place not in persons and person not in given:
            persons[place] = person
            given.add(person)
    for place, each in enumerate(found):
        if place not in persons and len(_known(each, evidence)) > 1:
            persons[place] = _fresh(connection, each, taken)
    return [persons.get(place) for place in range(len(found))]


def _fresh(connection: Connection, cluster: Cluster, taken: set[UUID]) -> UUID:
    """A key that no person ever had, derived from the patients so that a rebuilt hub agrees."""
    members = [str(key) for key in cluster.patients]
    for turn in range(1000):
        key = derive("healthhub", "Person", str(turn), *members)
        if key in taken:
            continue
        made = connection.execute(
            "insert into person (person_key) values (%s) on conflict do nothing"
            " returning person_key",
            (key,),
        ).fetchone()
        if made is not None:
            return key
    raise RuntimeError("a thousand persons were made of the same patients")


def _links(
    cluster: Cluster, person: UUID | None, evidence: Mapping[UUID, Evidence]
) -> list[Link]:
    """The links of a cluster's patients, each with what ties it and what keeps it apart from
    others of its number."""
    known = _known(cluster, evidence)
    single = known[0] if len(known) == 1 else None
    links: list[Link] = []
    for key in cluster.patients:
        ties = sorted(
            (tie.rule, str(tie.right if tie.left == key else tie.left))
            for tie in cluster.ties
            if key in (tie.left, tie.right)
        )
        rules = sorted({rule for rule, _ in ties})
        doubts = sorted((d.rule, str(d.right)) for d in cluster.doubts if d.left == key)
        reasons = (*ties, *doubts)
        links.append(Link(key, person or single or key, " ".join(rules) or ALONE, reasons))
    return links
