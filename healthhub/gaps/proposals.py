"""Ranks what a strange code could stand for, and says why: name, code, unit, range, others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from healthhub.convert.met import Met
from healthhub.gaps import names
from healthhub.gaps.candidates import Candidate, Index
from healthhub.model.code_maps import Target
from healthhub.terms import Terms

Kind = Literal[
    "name", "similar", "initials", "short", "code", "person", "used",
    "unit", "other-unit", "range", "other-range", "values", "other-values",
]  # fmt: skip
MOST = 8
LEAST = 0.2
NEAR = 1.6
"""Limits of two laboratories for one test differ by less than this factor, as a rule."""
FAR = 20.0
"""Patients' values lie within the usual range, widened by this factor."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, or why not: its weight, and what it points at (a name, a mapping, a unit)."""

    kind: Kind
    weight: float
    what: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A target with its reasons, the weightiest first; ``score`` is between 0 and 1."""

    target: Target
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of a strange code: how it is named and what it was met with. ``mapping`` is
    whose it is: its own other codes are no example of what others do."""

    mapping: str
    code: str
    display: str
    met: tuple[Met, ...] = ()


def propose(sought: Sought, index: Index, terms: Terms) -> list[Proposal]:
    """The best candidates, the best first; none where nothing speaks for any."""
    found: list[Proposal] = []
    for candidate in index.like(sought.code, sought.display):
        reasons = [*_named(sought, candidate), *_used(sought, candidate)]
        if not reasons:
            continue
        reasons += _measured(sought.met, candidate, terms)
        score = sum(reason.weight for reason in reasons)
        if score >= LEAST:
            reasons.sort(key=lambda reason: -abs(reason.weight))
            found.append(Proposal(candidate.target, min(score, 1.0), tuple(reasons)))
    found.sort(key=lambda p: (-p.score, p.target.code))
    return found[:MOST]


def _named(sought: Sought, candidate: Candidate) -> list[Reason]:
    best, name = 0.0, ""
    for each in candidate.names:
        alike = names.likeness(sought.display or sought.code, each)
        if alike > best:
            best, name = alike, each
    if best == 1.0:
        by_name = sought.display or not sought.code.isascii()
        kind: Kind = "name" if by_name else "short"
        return [Reason(kind, 0.6, name)]
    short = [n for n in (sought.display, sought.code) if n and n.isascii()]
    for each in candidate.names:
        if any(names.abbreviated(one, each) for one in short):
            return [Reason("initials", 0.4, each)]
        if any(names.plain(one) == names.plain(each) for one in short):
            return [Reason("short", 0.4, each)]
    if best >= 0.4:
        return [Reason("similar", round(0.5 * best, 2), name)]
    return []


def _used(sought: Sought, candidate: Candidate) -> list[Reason]:
    """The same code in another mapping; and that others use the target at all."""
    others = [use for use in candidate.uses if use.mapping != sought.mapping]
    same = [u for u in others if names.plain(u.code) == names.plain(sought.code)]
    found: list[Reason] = []
    if same:
        by_person = any(use.by_person for use in same)
        found.append(Reason("person" if by_person else "code", 0.35, same[0].mapping))
    elif others and (sought.display and _exact(sought, candidate)):
        found.append(Reason("used", 0.1, others[0].mapping))
    return found


def _exact(sought: Sought, candidate: Candidate) -> bool:
    return any(names.likeness(sought.display, each) == 1.0 for each in candidate.names)


def _measured(met: Sequence[Met], candidate: Candidate, terms: Terms) -> list[Reason]:
    """What unit, range and values say; a unit of another kind speaks against."""
    found: list[Reason] = []
    units = list(dict.fromkeys(m.unit for m in met if m.unit))
    ours = {_ucum(unit, terms) for unit in units}
    comparable = True
    if ours and (candidate.unit or candidate.high is not None):
        comparable = _ucum(candidate.unit, terms) in ours
        found.append(
            Reason("unit", 0.15, candidate.unit)
            if comparable
            else Reason("other-unit", -0.3, candidate.unit or "1")
        )
    if not comparable or candidate.high is None:
        return found
    usual = f"{candidate.low or 0:g}-{candidate.high:g}"
    limits = [h for m in met if (h := _number(m.high)) is not None]
    if limits:
        near = any(
            max(h, candidate.high) <= NEAR * min(h, candidate.high) for h in limits if h > 0
        )
        found.append(
            Reason("range", 0.15, usual) if near else Reason("other-range", -0.2, usual)
        )
    values = [v for m in met if (v := _number(m.value)) is not None]
    if values and candidate.high > 0:
        middle = median(values)
        low = (candidate.low or 0) / FAR
        fits = low <= middle <= candidate.high * FAR
        found.append(
            Reason("values", 0.05, usual) if fits else Reason("other-values", -0.3, usual)
        )
    return found


def _ucum(unit: str, terms: Terms) -> str:
    known = terms.unit(unit)
    return known.code if known else unit


def _number(text: str) -> float | None:
    try:
        return float(text.lstrip("<>= "))
    except ValueError:
        return None
