"""Golden Patients: what the hub says of a person whom several sources know.

A golden Patient is stored when a person has two or more source patients. It links to each of
them (``Patient.link``, seealso) and carries the best demographics. Best: the members are ranked
by (1) a birth date that the resident number confirms, (2) a name that is no place-holder, (3) how
many of the elements they state; each element is that of the first member that has it. Identifiers,
phones and addresses are those of all, in that order, without repeats. So what is said of a person
follows from what the sources say now, in whatever order they came to say it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import orjson
import psycopg

from healthhub.identify.evidence import Evidence
from healthhub.identify.identity import parse_resident_id
from healthhub.identify.neighbours import Link
from healthhub.model import marks
from healthhub.model.resource import Body
from healthhub.store import direct, query, reads

Connection = psycopg.Connection[Any]

TAG = {"system": marks.RECORD, "code": marks.GOLDEN}
SOURCE = f"{marks.SOURCES}person"
_SINGLE = ("name", "gender", "birthDate", "maritalStatus", "communication", "photo")
_CHOICE = ("deceasedBoolean", "deceasedDateTime")
_UNION = ("identifier", "telecom", "address")


def is_golden(body: Body) -> bool:
    """Whether the hub made this Patient of others."""
    meta = body.get("meta")
    if not isinstance(meta, dict):
        return False
    tags = cast(dict[str, Any], meta).get("tag")
    return isinstance(tags, list) and any(
        isinstance(tag, dict)
        and cast(dict[str, Any], tag).get("system") == TAG["system"]
        and cast(dict[str, Any], tag).get("code") == TAG["code"]
        for tag in cast(list[Any], tags)
    )


def compose(person: UUID, members: Sequence[tuple[UUID, Body]]) -> Body:
    """The golden Patient of the members, who come best first."""
    bodies = [body for _, body in members]
    made: Body = {
        "resourceType": "Patient",
        "id": str(person),
        "meta": {"source": SOURCE, "tag": [TAG]},
        "active": True,
    }
    for element in _UNION:
        together: dict[bytes, Any] = {}
        for body in bodies:
            for item in cast(list[Any], body.get(element) or ()):
                together.setdefault(_mark(item), item)
        if together:
            made[element] = list(together.values())
    for element in _SINGLE:
        best = next((body[element] for body in bodies if body.get(element)), None)
        if best is not None:
            made[element] = best
    for body in bodies:
        said = {element: body[element] for element in _CHOICE if element in body}
        if said and said != {"deceasedBoolean": False}:
            made.update(said)
            break
    made["link"] = [
        {"other": {"reference": f"Patient/{body['id']}"}, "type": "seealso"}
        for _, body in sorted(members, key=lambda member: member[0])
    ]
    return made


def _mark(item: Any) -> bytes:
    """What makes two identifiers, phones or addresses the same: a number is one number, however
    the sources name its kind."""
    if isinstance(item, dict):
        held = cast(dict[str, Any], item)
        if held.get("system") and held.get("value"):
            item = {name: held.get(name) for name in ("system", "value", "use")}
    return orjson.dumps(item, default=str, option=orjson.OPT_SORT_KEYS)


def rewrite(
    connection: Connection,
    persons: Mapping[UUID, Sequence[UUID]],
    evidence: Mapping[UUID, Evidence],
    bodies: Mapping[UUID, Body],
) -> None:
    """Store the golden Patients of ``persons`` (person to members) anew, where they changed."""
    wanted = {*persons, *(key for members in persons.values() for key in members)}
    if not wanted:
        return
    stored = query.fetch(connection, reads.by_ids(sorted(wanted)))
    current: dict[UUID, Body] = {each.id: orjson.loads(each.json) for each in stored}
    current.update({key: body for key, body in bodies.items() if key not in current})

    def rank(key: UUID) -> tuple[bool, bool, int, UUID]:
        one = evidence[key]
        number = parse_resident_id(one.number) if one.number else None
        confirmed = number is not None and number.birth == one.birth
        return (not confirmed, not one.names, -_fullness(current[key]), key)

    for person, members in sorted(persons.items()):
        there = sorted((key for key in members if key in current), key=rank)
        ranked = [(key, current[key]) for key in there]
        made = compose(person, ranked)
        if _without_meta(current.get(person)) != _without_meta(made):
            direct.update(connection, "Patient", str(person), made)


def _fullness(body: Body) -> int:
    """How many of the elements that a golden Patient takes over are stated."""
    return sum(bool(body.get(element)) for element in (*_SINGLE, *_UNION))


def _without_meta(body: Body | None) -> Body:
    return {name: value for name, value in (body or {}).items() if name != "meta"}


def retire(
    connection: Connection,
    persons: Collection[UUID],
    before: Mapping[UUID, Link],
    after: Sequence[Link],
) -> None:
    """Withdraw golden Patients whose members now belong to others.

    When all went to one other golden person, the old one stays as a pointer to it
    (``replaced-by``); when they were parted it is deleted. Its history stays either way.
    """
    now = {link.patient: link.person for link in after}
    for person in sorted(persons):
        heirs = {now[key] for key, link in before.items() if link.person == person}
        heir = heirs.pop() if len(heirs) == 1 else None
        if heir is None or heir in now:
            direct.delete(connection, "Patient", str(person))
            connection.execute(
                "update person set dissolved = true where person_key = %s", (person,)
            )
            continue
        direct.update(connection, "Patient", str(person), _pointer(person, heir))
        connection.execute(
            "update person set successor = %s where person_key = %s", (heir, person)
        )


def _pointer(person: UUID, heir: UUID) -> Body:
    return {
        "resourceType": "Patient",
        "id": str(person),
        "meta": {"source": SOURCE, "tag": [TAG]},
        "active": False,
        "link": [{"other": {"reference": f"Patient/{heir}"}, "type": "replaced-by"}],
    }
