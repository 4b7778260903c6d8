"""What of a record goes into which section, without repeats.

The hub keeps what hospitals send, and they seldom say that something has ended: an order stays
active for ever, a diagnosis of a visit has no clinical status. So the summary shows as current
what is said to be current, or was said lately (RECENT_*), and as past illness what is older.
Nothing that a source withdrew (entered-in-error, refuted, cancelled) is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from healthhub.model.resource import Body
from healthhub.serve.fhir.summary.reading import (
    OLDEST,
    code_in,
    codings,
    keys,
    moment,
    subject_code,
    when,
    words,
)

RECENT_PROBLEM = timedelta(days=180)
LASTING_PROBLEM = timedelta(days=730)
LASTING = timedelta(days=90)
"""A diagnosis stated again after so long is of a lasting illness."""
RECENT_MEDICATION = timedelta(days=180)
ENDED_MEDICATION = timedelta(days=90)
RECENT_RESULT = timedelta(days=3 * 365)
MOST = 60
"""Entries of one section; the latest ones. The rest is a search away, and the text says so."""

NONE_KNOWN = frozenset(
    {"no-known-allergies", "no-known-medication-allergies", "no-known-food-allergies",
     "no-known-environmental-allergies", "no-known-medications", "no-known-problems",
     "716186003", "409137002", "428607008", "160244002"}
)  # fmt: skip
"""Codes by which a source says that there is none: IPS absent-unknown, SNOMED CT."""
NONE_WORDS = frozenset(
    {"无", "无过敏", "无过敏史", "否认过敏史", "无药物过敏史", "否认药物过敏史", "无已知过敏"}
)
ICD10 = re.compile(r"icd-10|^urn:oid:2\.16\.156\.10011\.2\.3\.3\.11\b")
"""Systems of ICD-10: HL7's, and that of GB/T 14396 with its editions."""
EXAMINED = re.compile(r"Z(0\d|1[0-3])")
_UNTRUE = frozenset({"entered-in-error", "refuted"})
_ENDED = frozenset({"inactive", "remission", "resolved"})
_CURRENT = frozenset({"active", "recurrence", "relapse"})
_FINAL = frozenset({"final", "amended", "corrected"})
PREGNANCY = frozenset(
    {"82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2",
     "11640-0", "11612-9", "11613-7", "11614-5", "33065-4", "11996-6", "11977-6"}
)  # fmt: skip
"""LOINC: pregnancy status, expected delivery dates, outcomes, gravidity and parity."""
SOCIAL = frozenset({"72166-2", "74013-4", "11367-0", "11331-6"})
"""LOINC: tobacco and alcohol use."""
VITALS = frozenset(
    {"85353-1", "9279-1", "8867-4", "2708-6", "59408-5", "8310-5", "8302-2", "9843-4",
     "29463-7", "39156-5", "85354-9", "8480-6", "8462-4"}
)  # fmt: skip
"""LOINC of the vital signs of http://hl7.org/fhir/R4/observation-vitalsigns.html."""

Key = Callable[[Body], list[str]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries of a section, the latest first; ``total`` counts those beyond MOST too."""

    entries: tuple[Body, ...] = ()
    total: int = 0


def choose(record: Iterable[Body], now: datetime) -> dict[str, Chosen]:
    """The sections of a record by name; those without an entry are left out."""
    kinds: dict[str, list[Body]] = {}
    for body in record:
        if not _is_untrue(body):
            kinds.setdefault(body["resourceType"], []).append(body)
    observations = kinds.get("Observation", [])
    problems, past = _conditions(kinds.get("Condition", []), now)
    seen = [one for one in observations if one.get("status") in _FINAL]
    found = {
        "allergies": _allergies(kinds.get("AllergyIntolerance", [])),
        "problems": problems,
        "past": past,
        "medications": _medications(kinds, now),
        "immunizations": _distinct(
            [one for one in kinds.get("Immunization", []) if one.get("status") == "completed"],
            _of_code_and_day,
        ),
        "results": _results(seen, kinds.get("DiagnosticReport", []), now),
        "procedures": _distinct(
            _in_status(kinds.get("Procedure", []), "completed", "in-progress"), _of_code_and_day
        ),
        "devices": _in_status(kinds.get("DeviceUseStatement", []), "active", "completed"),
        "directives": [
            one
            for one in _in_status(kinds.get("Consent", []), "active")
            if code_in(one.get("category")) & {"acd", "42348-3"}
            or code_in(one.get("scope")) & {"adr"}
        ],
        "alerts": _distinct(_in_status(kinds.get("Flag", []), "active"), _of_code),
        "plans": [
            *_in_status(kinds.get("CarePlan", []), "active", "on-hold"),
            *kinds.get("ImmunizationRecommendation", []),
        ],
        "vitals": _distinct([one for one in seen if _is_vital(one)], _of_code),
        "social": _distinct([one for one in seen if _is_social(one)], _of_code),
        "pregnancy": _distinct(
            [one for one in seen if code_in(one.get("code")) & PREGNANCY], _of_code
        ),
    }
    return {name: _latest(entries) for name, entries in found.items() if entries}


def says_none(body: Body) -> bool:
    """Whether a source states with this that there is none (no known allergies)."""
    code = body.get("code")
    return bool(code_in(code) & NONE_KNOWN) or words(code).strip(" 。.") in NONE_WORDS


def _latest(entries: list[Body]) -> Chosen:
    ordered = sorted(entries, key=lambda one: (moment(when(one)), one["id"]), reverse=True)
    return Chosen(tuple(ordered[:MOST]), len(ordered))


def _is_untrue(body: Body) -> bool:
    return body.get("status") == "entered-in-error" or bool(
        code_in(body.get("verificationStatus")) & _UNTRUE
    )


def _in_status(bodies: list[Body], *status: str) -> list[Body]:
    return [one for one in bodies if one.get("status") in status]


def _of_code(body: Body) -> list[str]:
    return keys(subject_code(body)) or [f"id|{body['id']}"]


def _of_code_and_day(body: Body) -> list[str]:
    return [f"{key}@{when(body)[:10]}" for key in _of_code(body)]


def _newest(body: Body) -> tuple[float, str]:
    return moment(when(body)).timestamp() if moment(when(body)) > OLDEST else 0.0, body["id"]


def _condition_rank(body: Body) -> tuple[bool, float, str]:
    """A statement that says whether the condition still is outweighs one that does not."""
    return bool(code_in(body.get("clinicalStatus"))), *_newest(body)


def _groups(bodies: list[Body], key: Key) -> list[list[Body]]:
    """The bodies that share a key. Sharing goes on through others: A and C are one thing if B
    has a code of each."""
    first: dict[str, int] = {}
    merged: dict[int, int] = {}

    def root(number: int) -> int:
        while merged.get(number, number) != number:
            number = merged[number]
        return number

    for number, body in enumerate(bodies):
        for one in key(body):
            head = root(first.setdefault(one, number))
            merged[root(number)] = head
    found: dict[int, list[Body]] = {}
    for number, body in enumerate(bodies):
        found.setdefault(root(number), []).append(body)
    return list(found.values())


def _distinct(
    bodies: list[Body], key: Key, rank: Callable[[Body], Any] = _newest
) -> list[Body]:
    """One of those that share a key, the one that ranks highest."""
    return [max(group, key=rank) for group in _groups(bodies, key)]


def _conditions(bodies: list[Body], now: datetime) -> tuple[list[Body], list[Body]]:
    """What is still a problem, and what is past illness; one for each diagnosis."""
    problems: list[Body] = []
    past: list[Body] = []
    for group in _groups([one for one in bodies if not _is_examination(one)], _of_code):
        best = max(group, key=_condition_rank)
        (problems if _is_problem(best, group, now) else past).append(best)
    return problems, past


def _is_examination(body: Body) -> bool:
    """Whether a diagnosis is why somebody came to be examined (ICD-10 Z00 to Z13)."""
    return any(
        ICD10.search(str(one.get("system")).lower()) and EXAMINED.match(str(one.get("code")))
        for one in codings(body.get("code"))
    )


def _is_problem(body: Body, group: list[Body], now: datetime) -> bool:
    status = code_in(body.get("clinicalStatus"))
    if status & _ENDED or any(name.startswith("abatement") for name in body):
        return False
    if status & _CURRENT or "problem-list-item" in code_in(body.get("category")):
        return True
    times = [found for one in group if (found := moment(when(one))) > OLDEST]
    if not times:
        return False
    lasts = max(times) - min(times) >= LASTING
    return max(times) >= now - (LASTING_PROBLEM if lasts else RECENT_PROBLEM)


def _allergies(bodies: list[Body]) -> list[Body]:
    """One for each substance; "none known" only while nothing else is known."""
    distinct = _distinct(bodies, _of_code, _condition_rank)
    real = [one for one in distinct if not says_none(one)]
    return real or distinct


def _medications(kinds: dict[str, list[Body]], now: datetime) -> list[Body]:
    statements = _in_status(
        kinds.get("MedicationStatement", []), "active", "intended", "on-hold", "unknown"
    )
    orders = [
        one
        for one in _in_status(
            kinds.get("MedicationRequest", []), "active", "on-hold", "completed", "unknown"
        )
        if one.get("intent") not in ("proposal", "option") and _is_current(one, now)
    ]
    return _distinct([*statements, *orders], _of_medicine)


def _of_medicine(body: Body) -> list[str]:
    reference = body.get("medicationReference", {}).get("reference")
    return [f"reference|{reference}"] if reference else _of_code(body)


def _is_current(order: Body, now: datetime) -> bool:
    ends = [
        moment(period["end"])
        for dose in order.get("dosageInstruction", ())
        if "end" in (period := dose.get("timing", {}).get("repeat", {}).get("boundsPeriod", {}))
    ]
    validity = order.get("dispenseRequest", {}).get("validityPeriod", {})
    if "end" in validity:
        ends.append(moment(validity["end"]))
    if ends:
        return max(ends) >= now - ENDED_MEDICATION
    return moment(order.get("authoredOn")) >= now - RECENT_MEDICATION


def _is_vital(body: Body) -> bool:
    return "vital-signs" in code_in(body.get("category")) or bool(
        code_in(body.get("code")) & VITALS
    )


def _is_social(body: Body) -> bool:
    return "social-history" in code_in(body.get("category")) or bool(
        code_in(body.get("code")) & SOCIAL
    )


def _results(seen: list[Body], reports: list[Body], now: datetime) -> list[Body]:
    """The latest value of each test, and the latest report of each kind that is no panel of
    values: an imaging report is its text."""
    tests = [
        one
        for one in seen
        if not _is_vital(one)
        and not _is_social(one)
        and not code_in(one.get("code")) & PREGNANCY
        and moment(when(one)) >= now - RECENT_RESULT
    ]
    texts = [
        one
        for one in reports
        if one.get("status") in _FINAL
        and ("conclusion" in one or "presentedForm" in one)
        and moment(when(one)) >= now - RECENT_RESULT
    ]
    return [*_distinct(tests, _of_code), *_distinct(texts, _of_code)]
