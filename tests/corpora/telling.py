"""Tells a converted message in lines that a person can hold against the message itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from healthhub.model.resource import Body, Converted

SHARED = {"Practitioner", "PractitionerRole", "Organization", "Location", "Device"}
"""Told as numbers: the patient's own resources name those that matter."""
Told = dict[str, Any]


def tell(outcome: Converted) -> Told:
    """Resources by type, one line each (once, however often the message states it); numbers of
    the shared ones; merges; findings."""
    told: Told = {}
    stated: dict[tuple[str, str, int], Body] = {}
    for draft in outcome.drafts:
        said = (draft.type, str(draft.id), draft.stamp.authority)
        stated[said] = stated.get(said, {}) | draft.body
    for (kind, ident, authority), body in stated.items():
        if kind not in SHARED:
            line = " | ".join(part for part in TELLERS[kind](body) if part)
            weight = f"[{authority}] " if authority != 1 else ""
            lines = told.setdefault(kind, {})
            lines[ident, weight + line] = weight + line
    told = {kind: sorted(lines.values()) for kind, lines in told.items()}
    shared = Counter(
        kind for kind, _ in {(d.type, d.id) for d in outcome.drafts} if kind in SHARED
    )
    if shared:
        told["shared"] = dict(sorted(shared.items()))
    if outcome.merges:
        told["merges"] = len(outcome.merges)
    findings = sorted(
        " ".join(part for part in (f.code, f.where, f.value) if part) for f in outcome.findings
    )
    if findings:
        told["findings"] = findings
    return told


def _text(concept: Body | None) -> str:
    if not concept:
        return ""
    coding = (concept.get("coding") or [{}])[0]
    code = coding.get("code", "")
    text = concept.get("text") or coding.get("display") or ""
    return f"{code} {text}".strip() if code != text else str(code)


def _code(concept: Body | None) -> str:
    return str(((concept or {}).get("coding") or [{}])[0].get("code", ""))


def _number(resource: Body, index: int = 0) -> str:
    found = resource.get("identifier") or [{}]
    return str(found[index].get("value", "")) if index < len(found) else ""


def _span(period: Body | None) -> str:
    return f"{period.get('start', '')}..{period.get('end', '')}" if period else ""


def _quantity(value: Body) -> str:
    unit = value.get("code") or value.get("unit") or ""
    return f"{value.get('comparator', '')}{value.get('value')} {unit}".strip()


def _value(holder: Body) -> str:
    for name, value in holder.items():
        if name == "valueQuantity":
            return _quantity(value)
        if name == "valueCodeableConcept":
            return _text(value)
        if name in ("valueString", "valueDateTime", "valueTime"):
            return str(value)
    for extension in holder.get("extension", ()):
        attachment = extension.get("valueAttachment")
        if attachment:
            return _attachment(attachment)
    return ""


def _attachment(attachment: Body) -> str:
    data = attachment.get("data")
    held = attachment.get("url") or (f"{len(data)} characters of base64" if data else "")
    return f"{attachment.get('contentType', '')} {held}".strip()


def _dose(item: Body) -> str:
    for rate in item.get("doseAndRate", ()):
        if "doseQuantity" in rate:
            return _quantity(rate["doseQuantity"])
        if "doseRange" in rate:
            return f"{_quantity(rate['doseRange']['low'])} to {_quantity(rate['doseRange']['high'])}"
    return ""


def _display(reference: Body | None) -> str:
    return str((reference or {}).get("display", ""))


def _patient(r: Body) -> list[str]:
    numbers = ", ".join(i["value"] for i in r.get("identifier", ()))
    died = r.get("deceasedDateTime") or (r.get("deceasedBoolean") and "dead")
    return [
        numbers,
        ", ".join(name.get("text", "") for name in r.get("name", ())),
        r.get("gender", ""),
        r.get("birthDate", ""),
        f"died {died}" if died else "",
        "inactive" if r.get("active") is False else "",
    ]


def _encounter(r: Body) -> list[str]:
    people = ", ".join(
        f"{_code(p['type'][0])} {_display(p.get('individual'))}"
        for p in r.get("participant", ())
    )
    places = ", ".join(
        f"{p['status']} {_display(p['location'])}" for p in r.get("location", ())
    )
    return [
        _number(r),
        r.get("status", ""),
        r["class"]["code"] if "class" in r else "",
        _span(r.get("period")),
        people,
        places,
        ", ".join(_text(reason) for reason in r.get("reasonCode", ())),
        f"{len(r['diagnosis'])} diagnoses" if "diagnosis" in r else "",
    ]


def _observation(r: Body) -> list[str]:
    parts = "; ".join(_value(component) for component in r.get("component", ()))
    ranges = ", ".join(x["text"] for x in r.get("referenceRange", ()))
    return [
        _text(r["code"]),
        parts or _value(r),
        ",".join(_code(flag) for flag in r.get("interpretation", ())),
        f"({ranges})" if ranges else "",
        r["status"],
        r.get("effectiveDateTime", ""),
        " / ".join(note["text"] for note in r.get("note", ())),
    ]


def _report(r: Body) -> list[str]:
    return [
        _number(r, 1) or _number(r),
        _text(r["code"]),
        r["status"],
        r.get("effectiveDateTime") or _span(r.get("effectivePeriod")),
        f"issued {r['issued']}" if "issued" in r else "",
        f"{len(r.get('result', ()))} results",
        f"{len(r.get('specimen', ()))} specimens",
        ", ".join(_display(p) for p in r.get("resultsInterpreter", ())),
    ]


def _order(r: Body) -> list[str]:
    return [
        _number(r),
        _text(r.get("code")),
        r["status"],
        r.get("priority", ""),
        r.get("occurrenceDateTime") or _span(r.get("occurrencePeriod")),
        f"by {_display(r['requester'])}" if "requester" in r else "",
        ", ".join(_text(reason) for reason in r.get("reasonCode", ())),
        " / ".join(note["text"] for note in r.get("note", ())),
    ]


def _prescription(r: Body) -> list[str]:
    dosage = (r.get("dosageInstruction") or [{}])[0]
    quantity = r.get("dispenseRequest", {}).get("quantity")
    return [
        _number(r),
        _text(r["medicationCodeableConcept"]),
        r["status"],
        _dose(dosage),
        _code(dosage.get("timing", {}).get("code")),
        _code(dosage.get("route")),
        dosage.get("text", ""),
        f"dispense {_quantity(quantity)}" if quantity else "",
    ]


def _dispensing(r: Body) -> list[str]:
    drug, amount = _text(r["medicationCodeableConcept"]), _quantity(r["quantity"])
    return [_number(r), drug, r["status"], amount, r.get("whenHandedOver", "")]


def _vaccination(r: Body) -> list[str]:
    return [
        _text(r["vaccineCode"]),
        r["status"],
        r["occurrenceDateTime"],
        _quantity(r["doseQuantity"]) if "doseQuantity" in r else "",
        f"lot {r['lotNumber']}" if "lotNumber" in r else "",
        _display(r.get("manufacturer")),
        _code(r.get("route")),
        _code(r.get("site")),
        "" if r.get("primarySource", True) else "reported",
    ]


def _condition(r: Body) -> list[str]:
    status = _code(r.get("clinicalStatus")) or _code(r.get("verificationStatus"))
    return [_text(r["code"]), _code(r["category"][0]), status, r.get("onsetDateTime", "")]


def _allergy(r: Body) -> list[str]:
    reaction = (r.get("reaction") or [{}])[0]
    return [
        _text(r["code"]),
        ",".join(r.get("category", ())),
        _code(r.get("clinicalStatus")),
        _code(r.get("verificationStatus")),
        r.get("criticality", ""),
        ", ".join(m["text"] for m in reaction.get("manifestation", ())),
        reaction.get("severity", ""),
        r.get("onsetDateTime", ""),
    ]


def _procedure(r: Body) -> list[str]:
    when = r.get("performedDateTime") or _span(r.get("performedPeriod"))
    people = ", ".join(_display(p["actor"]) for p in r.get("performer", ()))
    return [_text(r["code"]), r["status"], when, people]


def _coverage(r: Body) -> list[str]:
    return [
        _display(r["payor"][0]),
        r.get("subscriberId", ""),
        _text(r.get("type")),
        _span(r.get("period")),
    ]


def _charge(r: Body) -> list[str]:
    price = r.get("priceOverride", {})
    money = f"{price.get('value', '')} {price.get('currency', '')}".strip()
    return [_number(r), _text(r["code"]), r["status"], money, r.get("occurrenceDateTime", "")]


def _document(r: Body) -> list[str]:
    contents = "; ".join(
        f"{c['attachment'].get('title', '')} {_attachment(c['attachment'])}"
        for c in r["content"]
    )
    number = r.get("masterIdentifier", {}).get("value", "")
    authors = ", ".join(_display(a) for a in r.get("author", ()))
    return [
        number,
        _text(r.get("type")),
        r["status"],
        r.get("docStatus", ""),
        r["date"],
        authors,
        contents,
    ]


def _appointment(r: Body) -> list[str]:
    people = ", ".join(_display(p["actor"]) for p in r["participant"] if _display(p["actor"]))
    return [
        _number(r),
        r["status"],
        f"{r.get('start', '')}..{r.get('end', '')}",
        people,
        r.get("comment", ""),
    ]


def _specimen(r: Body) -> list[str]:
    taken = r.get("collection", {})
    when = taken.get("collectedDateTime") or _span(taken.get("collectedPeriod"))
    return [_number(r), _text(r.get("type")), when, r.get("status", "")]


def _relative(r: Body) -> list[str]:
    names = ", ".join(name.get("text", "") for name in r.get("name", ()))
    return [names or _number(r), ", ".join(_text(c) for c in r.get("relationship", ()))]


def _provenance(r: Body) -> list[str]:
    agents = ", ".join(f"{_code(a['type'])} {_display(a['who'])}" for a in r["agent"])
    return [_code(r.get("activity")), r["recorded"], agents]


TELLERS: dict[str, Callable[[Body], list[str]]] = {
    "Patient": _patient,
    "Encounter": _encounter,
    "Observation": _observation,
    "DiagnosticReport": _report,
    "ServiceRequest": _order,
    "MedicationRequest": _prescription,
    "MedicationDispense": _dispensing,
    "Immunization": _vaccination,
    "Condition": _condition,
    "AllergyIntolerance": _allergy,
    "Procedure": _procedure,
    "Coverage": _coverage,
    "ChargeItem": _charge,
    "DocumentReference": _document,
    "Appointment": _appointment,
    "Specimen": _specimen,
    "RelatedPerson": _relative,
    "Provenance": _provenance,
    "Account": lambda r: [_number(r), r["status"]],
    "EpisodeOfCare": lambda r: [_number(r), r["status"]],
}
