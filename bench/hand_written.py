"""A converter as one would write it by hand: laboratory reports of hospital B's views to FHIR.

For comparison with the mapping mappings/hospital-b-views alone: the same fields, the same outcome
to the last byte (bench.groups.feeds compares before it measures), straight Python with the usual
care for full-width digits, unknown codes and impossible times, and nothing configurable.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from healthhub.model.finding import Finding
from healthhub.model.ids import derive
from healthhub.model.resource import Converted, Draft, Stamp
from healthhub.terms.units import Unit, load, spelling

Body = dict[str, Any]
Cells = Mapping[str, str | None]

_ZONE = ZoneInfo("Asia/Shanghai")
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M")
_NUMBER = re.compile(r"(<=|>=|<|>)?\s*([+-]?\d+(?:\.\d+)?)")
_RANGE = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:-+|~|—|至)\s*([+-]?\d+(?:\.\d+)?)")
_UCUM = "http://unitsofmeasure.org"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_SPECIMENS = {
    "C": ("SER", "Serum"), "W": ("WB", "Blood"), "P": ("PLAS", "Plasma"), "2": ("UR", "Urine"),
    "血清": ("SER", "Serum"), "全血": ("WB", "Blood"), "尿液": ("UR", "Urine"),
}  # fmt: skip
_MARKS = {
    "↑": ("H", "High"), "↓": ("L", "Low"), "H": ("H", "High"), "L": ("L", "Low"),
    "正常": ("N", "Normal"), "N": ("N", "Normal"),
    "阳性": ("POS", "Positive"), "阴性": ("NEG", "Negative"),
}  # fmt: skip
_MARK_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


class LaboratoryReports:
    """Converts the messages of one source. ``mappings``: where code tables and units lie."""

    def __init__(self, source: str, namespace: str, mappings: Path) -> None:
        self._source = source
        self._namespace = namespace
        self._tests = _table(mappings / "hospital-b-views/codes/tests.csv")
        self._panels = _table(mappings / "hospital-b-views/codes/panels.csv")
        self._units = load(mappings / "national/terms/units.csv")
        self._known: dict[str, Unit | None] = {}

    def convert(self, message: int, raw: bytes, received: datetime) -> Converted:  # noqa: C901 - as one writes it by hand
        """The report, its results, and mentions of its patient and visit."""
        lines = raw.split(b"\n")
        head = orjson.loads(lines[0])
        report: Cells = {}
        results: list[Cells] = []
        gone: set[int] = set()
        lost = False
        for line in lines[1:]:
            if not line:
                continue
            table, cells, *mark = orjson.loads(line)
            if table == "LAB":
                report, lost = cells, bool(mark)
            else:
                if mark:
                    gone.add(len(results))
                results.append(cells)
        at = datetime.fromisoformat(head["at"]) if head.get("at") else received
        mention, stamp = Stamp(0, at, message), Stamp(1, at, message)
        findings: list[Finding] = []
        number = report["patid"] or ""
        patient = derive(self._namespace, "Patient", number)
        subject = {"reference": f"Patient/{patient}"}
        meta = {"source": f"urn:healthhub:source:{self._source}#{message}"}
        drafts = [
            Draft("Patient", patient, patient, mention, {
                "resourceType": "Patient",
                "id": str(patient),
                "identifier": [self._identifier(number, "MR", "Medical record number")],
                "meta": meta,
            })
        ]  # fmt: skip
        encounter: Body | None = None
        if visit := report.get("jzlsh"):
            key = derive(self._namespace, "Encounter", visit)
            encounter = {"reference": f"Encounter/{key}"}
            drafts.append(Draft("Encounter", key, patient, mention, {
                "resourceType": "Encounter",
                "id": str(key),
                "identifier": [self._identifier(visit, "VN", "Visit number")],
                "status": "unknown",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": "AMB",
                    "display": "ambulatory",
                },
                "subject": subject,
                "meta": meta,
            }))  # fmt: skip
        specimen = self._specimen(report, subject, meta)
        taken, issued = _time(report.get("cjsj")), _instant(report)
        keys = [
            derive(self._namespace, "Observation", report["jybgdbh"] or "", r["jyxmdm"] or "")
            for r in results
        ]
        body: Body = {"resourceType": "DiagnosticReport"}
        key = derive(self._namespace, "DiagnosticReport", report["jybgdbh"] or "")
        body["id"] = str(key)
        body["identifier"] = [
            self._identifier(report["jybgdbh"] or "", "FILL", "Filler Identifier")
        ]
        if order := report.get("dzsqdbh"):
            body["identifier"].append(self._identifier(order, "PLAC", "Placer Identifier"))
        body["status"] = "entered-in-error" if lost else "final"
        body["category"] = [
            _concept("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory")
        ]
        body["code"] = self._code(
            "panels",
            self._panels,
            report.get("jylbdm"),
            report.get("jylbmc"),
            findings,
            "LAB-jylbdm",
        ) or _concept("http://loinc.org", "11502-2", "Laboratory report")
        body["subject"] = subject
        if encounter:
            body["encounter"] = encounter
        if taken:
            body["effectiveDateTime"] = taken
        if issued:
            body["issued"] = issued
        if name := _name(report.get("shys")):
            body["resultsInterpreter"] = [{"display": name}]
        reference: Body | None = None
        if specimen:
            reference = {"reference": f"Specimen/{specimen['id']}"}
            body["specimen"] = [reference]
        body["result"] = [{"reference": f"Observation/{each}"} for each in keys]
        body["meta"] = meta
        drafts.append(Draft("DiagnosticReport", key, patient, stamp, body))
        if specimen:
            key = derive(
                self._namespace, "Specimen", report.get("txdm") or report["jybbh"] or ""
            )
            drafts.append(Draft("Specimen", key, patient, stamp, specimen))
        for place, (key, cells) in enumerate(zip(keys, results, strict=True)):
            made: Body = {
                "resourceType": "Observation",
                "id": str(key),
                "status": "entered-in-error" if lost or place in gone else "final",
                "category": [_LABORATORY],
            }
            code = self._code(
                "tests",
                self._tests,
                cells.get("jyxmdm"),
                cells.get("jyxmmc"),
                findings,
                "RES-jyxmdm",
            )
            if code:
                made["code"] = code
            made["subject"] = subject
            if encounter:
                made["encounter"] = encounter
            if taken:
                made["effectiveDateTime"] = taken
            if issued:
                made["issued"] = issued
            self._value(made, cells, findings)
            if reference:
                made["specimen"] = reference
            made["meta"] = meta
            drafts.append(Draft("Observation", key, patient, stamp, made))
        return Converted(tuple(drafts), (), tuple(findings))

    def _value(self, made: Body, cells: Cells, findings: list[Finding]) -> None:
        """Value, interpretation and range of a result."""
        unit = self._unit(cells.get("jydljgjldw"))
        if text := cells.get("jyjg"):
            if found := _NUMBER.fullmatch(_half(text)):
                quantity: Body = {"value": Decimal(found[2])}
                if found[1]:
                    quantity["comparator"] = found[1]
                made["valueQuantity"] = quantity | unit
            else:
                made["valueString"] = text
        marks: list[Body] = []
        if cells.get("wjzbz") == "1":
            marks.append(_concept(_MARK_SYSTEM, "AA", "Critical abnormal"))
        if mark := cells.get("ts"):
            if known := _MARKS.get(mark):
                marks.append({
                    "coding": [
                        {"system": _MARK_SYSTEM, "code": known[0], "display": known[1]},
                        {"system": f"urn:healthhub:codes:{self._namespace}:mark", "code": mark},
                    ]
                })  # fmt: skip
            else:
                findings.append(_unknown("mark", "RES-ts", mark))
        if marks:
            made["interpretation"] = marks
        if text := cells.get("ckfw"):
            span: Body = {}
            if found := _RANGE.fullmatch(_half(text)):
                span["low"] = {"value": Decimal(found[1])} | unit
                span["high"] = {"value": Decimal(found[2])} | unit
            span["text"] = text
            made["referenceRange"] = [span]

    def _specimen(self, report: Cells, subject: Body, meta: Body) -> Body | None:
        number = report.get("txdm") or report.get("jybbh")
        if not number:
            return None
        made: Body = {"resourceType": "Specimen"}
        made["id"] = str(derive(self._namespace, "Specimen", number))
        made["accessionIdentifier"] = {
            "value": number,
            "system": f"urn:healthhub:id:{self._namespace}:ACSN",
        }
        kind, shown = report.get("bblbdm"), report.get("bblbmc")
        if kind:
            codings: list[Body] = []
            if known := _SPECIMENS.get(kind):
                codings.append({
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0487",
                    "code": known[0],
                    "display": known[1],
                })  # fmt: skip
            local: Body = {
                "system": f"urn:healthhub:codes:{self._namespace}:specimen-type",
                "code": kind,
            }
            concept: Body = {"coding": [*codings, local]}
            if shown:
                local["display"] = concept["text"] = shown
            made["type"] = concept
        made["subject"] = subject
        if received := _time(report.get("ybjssj")):
            made["receivedTime"] = received
        if taken := _time(report.get("cjsj")):
            made["collection"] = {"collectedDateTime": taken}
        made["meta"] = meta
        return made

    def _identifier(self, value: str, code: str, display: str) -> Body:
        return {
            "value": value,
            "system": f"urn:healthhub:id:{self._namespace}:{code}",
            "type": {"coding": [{"system": _TYPES, "code": code, "display": display}]},
        }

    def _code(
        self,
        name: str,
        table: Mapping[str, tuple[str, str] | None],
        code: str | None,
        shown: str | None,
        findings: list[Finding],
        where: str,
    ) -> Body | None:
        """A local code with its LOINC, if the table has one."""
        if not code:
            return None
        codings: list[Body] = []
        if code not in table:
            findings.append(_unknown(name, where, code))
        elif known := table[code]:
            codings.append(
                {"system": "http://loinc.org", "code": known[0], "display": known[1]}
            )
        local: Body = {"system": f"urn:healthhub:codes:{self._namespace}:{name}", "code": code}
        codings.append(local)
        made: Body = {"coding": codings}
        if shown:
            local["display"] = shown
            made["text"] = shown
        return made

    def _unit(self, text: str | None) -> Body:
        if not text:
            return {}
        if text not in self._known:
            self._known[text] = self._units.get(spelling(text))
        unit = self._known[text]
        if unit is None:
            return {"unit": text}
        return {"unit": text, "system": _UCUM, "code": unit.code}


def _concept(system: str, code: str, display: str) -> Body:
    return {"coding": [{"system": system, "code": code, "display": display}]}


_LABORATORY = _concept(
    "http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory"
)


def _unknown(table: str, where: str, value: str) -> Finding:
    return Finding(
        "warning", "unknown-code", where, f"the table {table} has no such code", "", value
    )


def _table(path: Path) -> dict[str, tuple[str, str] | None]:
    with path.open(encoding="utf-8", newline="") as rows:
        return {
            row["source"]: None if row["code"] == "none" else (row["code"], row["display"])
            for row in csv.DictReader(rows)
        }


def _half(text: str) -> str:
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def _name(text: str | None) -> str:
    return "".join(_half(text).split()) if text else ""


@lru_cache(maxsize=4096)
def _time(text: str | None) -> str:
    """A time as FHIR writes it; empty where the source's is none."""
    if not text:
        return ""
    for form in _TIMES:
        try:
            return datetime.strptime(_half(text), form).replace(tzinfo=_ZONE).isoformat()
        except ValueError:
            continue
    return ""


def _instant(report: Cells) -> str:
    return _time(report.get("shysqmsj")) or _time(report.get("jybgrq"))
