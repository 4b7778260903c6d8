"""Medicines: what is taken now, in one list across institutions, and what was taken before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import (
    NOTHING,
    Concept,
    Moment,
    codes,
    concept,
    decimal,
    digits,
    display,
    first_moment,
    moment,
    quantity,
)

STOPPED = frozenset({"stopped", "completed", "cancelled", "on-hold", "ended", "not-taken"})
DISCARDED = frozenset({"entered-in-error", "draft"})
OPEN_DAYS = 180
"""A prescription without an end counts as current for so long after it was written."""
INPATIENT_DAYS = 30
"""The same for an order of a hospital stay: its end is often not sent."""
GRACE_DAYS = 30
"""A drug whose supply ended is still shown for so long, as expired: people collect late."""

_STRENGTH = re.compile(
    r"[（(【\[].*?[）)】\]]|\s+|\d+(\.\d+)?\s*(mg|g|ml|ug|μg|iu|u|%).*$", re.IGNORECASE
)

_SWALLOWED = re.compile(
    "(?:缓释|控释|肠溶|分散|咀嚼|泡腾|口腔崩解|口崩|薄膜衣|双层|软|干|滴)*"
    "(?:片|胶囊|颗粒|丸|口服液|口服溶液|混悬液|混悬剂|糖浆)[ⅠⅡIV]*$"
)
_SALT = re.compile(
    "^(?:盐酸|硫酸|磷酸|苯磺酸|甲磺酸|马来酸|富马酸|琥珀酸|酒石酸|枸橼酸|醋酸|氢溴酸)(?=...)"
    "|(?<=[^酸]{4})[钙钠钾]$"
)
"""Salts as the Chinese Pharmacopoeia names them: before the base, or one metal after it."""


@dataclass(frozen=True, slots=True)
class Dosage:
    """How to take it; the pages have words of their own for the usual codes (BID, PO)."""

    dose: str
    frequency: Concept
    route: Concept
    text: str


UNTOLD = Dosage("", NOTHING, NOTHING, "")


@dataclass(frozen=True, slots=True)
class Prescription:
    """One order as its source wrote it."""

    id: str
    type: str
    name: Concept
    dosage: Dosage
    written: Moment | None
    until: Moment | None
    status: str
    inpatient: bool
    prescriber: str
    origin: Origin

    def expired(self, today: date) -> bool:
        """Whether the supply has run out by now."""
        return self.until is not None and self.until.date < today


@dataclass(frozen=True, slots=True)
class Medicine:
    """One drug, its latest prescription and every source that has it current."""

    latest: Prescription
    count: int
    sources: tuple[Prescription, ...]

    @property
    def duplicated(self) -> bool:
        """Whether two institutions prescribe it at the same time."""
        return len(self.sources) > 1


@dataclass(frozen=True, slots=True)
class Medicines:
    """Both lists, the latest first."""

    current: tuple[Medicine, ...]
    earlier: tuple[Medicine, ...]


def medicines(
    requests: Sequence[Body], sources: Sources, today: date, names: dict[str, str]
) -> Medicines:
    """The lists from MedicationRequest and MedicationStatement resources."""
    current: dict[str, list[Prescription]] = {}
    earlier: dict[str, list[Prescription]] = {}
    for body in requests:
        if body.get("status") in DISCARDED:
            continue
        item = prescription(body, sources, names)
        lists = current if is_current(item, today) else earlier
        lists.setdefault(drug_key(item.name), []).append(item)
    past = {key: items for key, items in earlier.items() if key not in current}
    return Medicines(_listed(current), _listed(past))


def is_current(item: Prescription, today: date) -> bool:
    """Whether the drug is to be taken today, as far as the prescription tells."""
    if item.status in STOPPED:
        return False
    if item.until is not None:
        return item.until.date >= today - timedelta(days=GRACE_DAYS)
    days = timedelta(days=INPATIENT_DAYS if item.inpatient else OPEN_DAYS)
    return item.written is not None and item.written.date >= today - days


def drug_key(name: Concept) -> str:
    """The same ATC code, else the same generic name is one drug: without strength, brand, salt,
    and the form as far as both are swallowed (a drop for the eye stays apart)."""
    for coding in name.codings:
        if coding.system.endswith("/atc") and len(coding.code) >= 7:
            return coding.code
    return _SALT.sub("", _SWALLOWED.sub("", _STRENGTH.sub("", name.label("zh")))).casefold()


def prescription(body: Body, sources: Sources, names: dict[str, str]) -> Prescription:
    """One MedicationRequest or MedicationStatement."""
    return Prescription(
        id=body["id"],
        type=body["resourceType"],
        name=_drug(body, names),
        dosage=_dosage(body),
        written=first_moment(
            body, "authoredOn", "effectiveDateTime", "effectivePeriod", "dateAsserted"
        ),
        until=_until(body),
        status=body.get("status", ""),
        inpatient="inpatient" in codes(body.get("category")),
        prescriber=display(body.get("requester") or body.get("informationSource"), names),
        origin=sources.of(body),
    )


def _drug(body: Body, names: dict[str, str]) -> Concept:
    if "medicationCodeableConcept" in body:
        return concept(body["medicationCodeableConcept"])
    for item in body.get("contained", ()):
        if item.get("resourceType") == "Medication":
            return concept(item.get("code"))
    return Concept(display(body.get("medicationReference"), names))


def _dosage(body: Body) -> Dosage:
    """The first instruction that says anything."""
    for item in body.get("dosageInstruction") or body.get("dosage") or ():
        found = Dosage(
            _dose(item),
            _frequency(item.get("timing", {})),
            concept(item.get("route")),
            item.get("text") or item.get("patientInstruction") or "",
        )
        if found != UNTOLD:
            return found
    return UNTOLD


def _dose(item: Body) -> str:
    for rate in item.get("doseAndRate", ()):
        dose = quantity(rate.get("doseQuantity"))
        if dose is not None:
            return f"{dose.text} {dose.unit}".strip()
        ends = [quantity(rate.get("doseRange", {}).get(end)) for end in ("low", "high")]
        texts = [end.text for end in ends if end]
        if texts:
            unit = next(end.unit for end in ends if end)
            return f"{'–'.join(dict.fromkeys(texts))} {unit}".strip()
    return ""


def _frequency(timing: Body) -> Concept:
    code = concept(timing.get("code"))
    repeat = timing.get("repeat", {})
    period = decimal(repeat.get("period"))
    if not code and repeat.get("frequency") and period is not None:
        return Concept(f"{repeat['frequency']}×/{digits(period)}{repeat.get('periodUnit', '')}")
    return code


def _until(body: Body) -> Moment | None:
    """The last day of taking: as stated, else from the days' supply."""
    for item in body.get("dosageInstruction", ()):
        bounds = item.get("timing", {}).get("repeat", {}).get("boundsPeriod", {})
        if bounds.get("end"):
            return moment(bounds["end"])
    period = body.get("effectivePeriod", {})
    if period.get("end"):
        return moment(period["end"])
    supply = body.get("dispenseRequest", {})
    if supply.get("validityPeriod", {}).get("end"):
        return moment(supply["validityPeriod"]["end"])
    days = quantity(supply.get("expectedSupplyDuration"))
    start = moment(body.get("authoredOn"))
    if days is not None and start is not None and days.unit_key in ("d", "天", "day", "days"):
        end = start.at + timedelta(days=int(days.number))
        return Moment(end, end.strftime("%Y-%m-%d"))
    return None


def _listed(lists: dict[str, list[Prescription]]) -> tuple[Medicine, ...]:
    found = []
    for items in lists.values():
        items.sort(key=_written, reverse=True)
        by_institution: dict[str, Prescription] = {}
        for item in items:
            by_institution.setdefault(item.origin.institution or item.origin.source, item)
        found.append(Medicine(items[0], len(items), tuple(by_institution.values())))
    return tuple(sorted(found, key=lambda item: _written(item.latest), reverse=True))


def _written(item: Prescription) -> float:
    return item.written.at.timestamp() if item.written else 0.0
