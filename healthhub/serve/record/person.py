"""The banner: who this is, how sure that is, and which allergies are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from healthhub.model import marks
from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.problems import Mention
from healthhub.serve.record.reading import (
    Concept,
    codes,
    concept,
    concepts,
    first_moment,
    moment,
)

GOLDEN = f"{marks.RECORD}|{marks.GOLDEN}"
RESIDENT_ID_SYSTEMS = (
    "urn:oid:2.16.156.10011.1.3",
    "urn:oid:2.16.840.1.113883.2.23.1.19.1",
)
NO_ALLERGY_CODES = frozenset(
    {"716186003", "409137002", "428607008", "429625007", "NKA", "NKDA"}
)
_RECORDED = ("recordedDate", "onsetDateTime", "lastOccurrence")
NO_ALLERGY_TEXTS = ("无", "否认", "未发现", "no known", "none known", "nka", "nkda")


@dataclass(frozen=True, slots=True)
class Age:
    """An age in the unit that people use for it."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """What one source says of the person."""

    id: str
    name: str
    gender: str
    birth: str
    resident_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Match:
    """How sure it is that all sources mean one person.

    ``differing`` are the elements (name, gender, birth) on which the sources disagree.
    """

    people: tuple[SourcePerson, ...]
    institutions: int
    by_resident_id: bool
    differing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allergy:
    """An allergy, and the latest statement of each institution that states it."""

    what: Concept
    reactions: tuple[str, ...]
    severe: bool
    mentions: tuple[Mention, ...]


class AllergyState(StrEnum):
    """ "None known" is a statement; "not recorded" is the lack of one."""

    KNOWN = "known"
    NONE_KNOWN = "none-known"
    NOT_RECORDED = "not-recorded"


@dataclass(frozen=True, slots=True)
class Allergies:
    """The known ones, and who stated that there are none."""

    state: AllergyState
    known: tuple[Allergy, ...]
    denied: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Banner:
    """The head of every page of a record."""

    id: str
    name: str
    gender: str
    birth: str
    age: Age | None
    deceased: bool
    deceased_on: str
    resident_id: str
    match: Match
    allergies: Allergies


def banner(
    patients: Sequence[Body],
    allergies: Sequence[Body],
    sources: Sources,
    today: date,
    key: str,
) -> Banner:
    """The banner from the person's Patient resources: the golden one, if any, and its sources."""
    golden = next((body for body in patients if is_golden(body)), None)
    members = [body for body in patients if body is not golden]
    main = golden or next((body for body in members if body["id"] == key), members[0])
    people = tuple(_source_person(body, sources) for body in members)
    birth = main.get("birthDate", "")
    died = moment(main.get("deceasedDateTime"))
    return Banner(
        id=main["id"],
        name=name(main),
        gender=main.get("gender", "unknown"),
        birth=birth,
        age=age(birth, died.date if died else today),
        deceased=died is not None or main.get("deceasedBoolean") is True,
        deceased_on=died.day if died else "",
        resident_id=masked(resident_id(main)),
        match=_match(people),
        allergies=_allergies(allergies, sources),
    )


def is_golden(patient: Body) -> bool:
    """Whether this Patient was made by the hub out of several sources' ones."""
    tags = patient.get("meta", {}).get("tag", ())
    return any(f"{tag.get('system', '')}|{tag.get('code', '')}" == GOLDEN for tag in tags)


def name(patient: Body) -> str:
    """The name in official use; old and nick names only when there is no other."""
    names = patient.get("name", ())
    rank = {"official": 0, "usual": 1, None: 1}
    for item in sorted(names, key=lambda item: rank.get(item.get("use"), 2)):
        text = item.get("text") or item.get("family", "") + "".join(item.get("given", ()))
        if text:
            return text
    return ""


def resident_id(patient: Body) -> str:
    """The resident ID number, or ""."""
    for item in patient.get("identifier", ()):
        if item.get("system") in RESIDENT_ID_SYSTEMS:
            return item.get("value", "")
    return ""


def masked(number: str) -> str:
    """The first three and last four characters; a short number is hidden whole."""
    if len(number) < 12:
        return "*" * len(number)
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def age(birth: str, today: date) -> Age | None:
    """Days under a month, months under three years, then years; None when not known."""
    try:
        born = date.fromisoformat(birth) if len(birth) == 10 else None
    except ValueError:
        return None
    if born is None:
        return Age(today.year - int(birth[:4]), "years") if birth[:4].isdecimal() else None
    if born > today:
        return None
    months = (today.year - born.year) * 12 + today.month - born.month
    months -= today.day < born.day
    if months < 1:
        return Age((today - born).days, "days")
    return Age(months, "months") if months < 36 else Age(months // 12, "years")


def _source_person(body: Body, sources: Sources) -> SourcePerson:
    return SourcePerson(
        body["id"],
        name(body),
        body.get("gender", "unknown"),
        body.get("birthDate", ""),
        masked(resident_id(body)),
        sources.of(body),
    )


def _match(people: tuple[SourcePerson, ...]) -> Match:
    """Sources that leave an element out do not contradict those that state it."""
    said = {
        "name": {person.name for person in people if person.name},
        "gender": {p.gender for p in people if p.gender in ("male", "female")},
        "birth": {person.birth for person in people if person.birth},
    }
    return Match(
        people,
        len({person.origin.institution or person.origin.source for person in people}),
        len(people) > 1 and all(person.resident_id for person in people),
        tuple(element for element, values in said.items() if len(values) > 1),
    )


def _allergies(bodies: Sequence[Body], sources: Sources) -> Allergies:
    stated: dict[str, list[Body]] = {}
    denials: list[Body] = []
    for body in bodies:
        what = concept(body.get("code"))
        status = codes(body.get("verificationStatus")) | codes(body.get("clinicalStatus"))
        if "entered-in-error" in status:
            continue
        if denies(what):
            denials.append(body)
        elif not status & {"resolved", "refuted"}:
            stated.setdefault(what.label("zh").strip().casefold(), []).append(body)
    known = [_allergy(items, sources) for items in stated.values()]
    known.sort(key=lambda item: (not item.severe, item.what.label("zh")))
    denied = [_allergy(denials, sources)] if denials else []
    state = (
        AllergyState.KNOWN
        if known
        else AllergyState.NONE_KNOWN
        if denied
        else AllergyState.NOT_RECORDED
    )
    return Allergies(state, tuple(known), denied[0].mentions if denied else ())


def denies(what: Concept) -> bool:
    """Whether the "allergy" is the statement that there is none."""
    text = what.text.strip().lower()
    return bool(NO_ALLERGY_CODES.intersection(what.codes())) or text.startswith(
        NO_ALLERGY_TEXTS
    )


def _allergy(bodies: Sequence[Body], sources: Sources) -> Allergy:
    """One substance as all sources state it: the gravest counts, every reaction is shown."""
    dated = [(first_moment(body, *_RECORDED), body) for body in bodies]
    dated.sort(key=lambda pair: pair[0].at.timestamp() if pair[0] else 0.0, reverse=True)
    mentions: dict[str, Mention] = {}
    for at, body in dated:
        origin = sources.of(body)
        mentions.setdefault(
            origin.institution or origin.source, Mention(body["id"], origin, at)
        )
    reactions = [entry for body in bodies for entry in body.get("reaction", ())]
    shown = [
        item.label("zh") for entry in reactions for item in concepts(entry.get("manifestation"))
    ]
    return Allergy(
        concept(dated[0][1].get("code")),
        tuple(dict.fromkeys(text for text in shown if text)),
        any(body.get("criticality") == "high" for body in bodies)
        or any(entry.get("severity") == "severe" for entry in reactions),
        tuple(mentions.values()),
    )
