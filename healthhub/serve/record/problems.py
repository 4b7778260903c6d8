"""Problems: the diagnoses of all visits, one line for each, with who stated it and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import Concept, Moment, codes, concept, first_moment

OVER = frozenset({"inactive", "remission", "resolved"})
UNSURE = frozenset({"unconfirmed", "provisional", "differential"})
DISCARDED = frozenset({"refuted", "entered-in-error"})
ICD10 = re.compile(r"icd-10|^urn:oid:2\.16\.156\.10011\.2\.3\.3\.11\b")
"""Systems of ICD-10: HL7's, and that of GB/T 14396 with its editions."""
EXAMINED = re.compile(r"Z(0\d|1[0-3])")
"""ICD-10 Z00 to Z13: why somebody came to be examined, which is no illness; the visit tells it."""
LASTING_DAYS = 90
"""A diagnosis stated again after so long is of a lasting illness."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One source's latest statement of the problem."""

    id: str
    origin: Origin
    at: Moment | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One diagnosis. ``count`` is how often it was stated; ``code`` its ICD-10 code, if any."""

    name: Concept
    code: str
    first: Moment | None
    last: Moment | None
    count: int
    unsure: bool
    over: bool
    mentions: tuple[Mention, ...]

    @property
    def lasting(self) -> bool:
        """Whether it was stated over a long time."""
        if self.first is None or self.last is None:
            return False
        return (self.last.date - self.first.date).days >= LASTING_DAYS


def problems(conditions: Sequence[Body], sources: Sources) -> tuple[Problem, ...]:
    """All diagnoses that stand: those of now first, lasting ones before others, the latest
    first."""
    grouped: dict[str, list[Body]] = {}
    for body in conditions:
        name = concept(body.get("code"))
        if EXAMINED.match(icd10(name)) or DISCARDED & codes(body.get("verificationStatus")):
            continue
        grouped.setdefault(_key(name), []).append(body)
    found = [_problem(bodies, sources) for bodies in grouped.values()]
    found.sort(key=lambda item: item.last.at.timestamp() if item.last else 0.0, reverse=True)
    found.sort(key=lambda item: (item.over, not item.lasting))
    return tuple(found)


def icd10(name: Concept) -> str:
    """The ICD-10 code of a concept in any of its national editions, or ""."""
    return next((c.code for c in name.codings if ICD10.search(c.system.lower())), "")


def _key(name: Concept) -> str:
    """The same code, else the same words, is the same problem."""
    return icd10(name) or name.label("zh").replace(" ", "")


def _when(body: Body) -> Moment | None:
    return first_moment(body, "recordedDate", "onsetDateTime", "onsetPeriod")


def _problem(bodies: Sequence[Body], sources: Sources) -> Problem:
    dated = [(body, _when(body)) for body in bodies]
    dated.sort(key=lambda pair: pair[1].at.timestamp() if pair[1] else 0.0, reverse=True)
    latest = dated[0][0]
    name = concept(latest.get("code"))
    starts = [
        first_moment(body, "onsetDateTime", "onsetPeriod", "recordedDate") for body in bodies
    ]
    mentions: dict[str, Mention] = {}
    for body, at in dated:
        origin = sources.of(body)
        mentions.setdefault(
            origin.institution or origin.source, Mention(body["id"], origin, at)
        )
    return Problem(
        name=name,
        code=icd10(name),
        first=min((start for start in starts if start), default=None),
        last=dated[0][1],
        count=len(bodies),
        unsure=all(UNSURE & codes(body.get("verificationStatus")) for body in bodies),
        over=bool(OVER & codes(latest.get("clinicalStatus"))),
        mentions=tuple(mentions.values()),
    )
