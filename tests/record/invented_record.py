"""An invented resident with a long history in two hospitals, as FHIR bodies; for page tests."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from healthhub.city.numbers import check_character
from healthhub.clock import ZONE
from healthhub.settings import Settings

Body = dict[str, Any]
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
SPACE = UUID("0d4f6f5e-2f9c-4f5e-9d0e-6a2f0c0f7d11")
ID_SYSTEM = "urn:oid:2.16.156.10011.1.3"
RESIDENT_ID = "42900419640312201" + check_character("42900419640312201")
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
V3_FLAG = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
V2_FLAG = "http://terminology.hl7.org/CodeSystem/v2-0078"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ICD10 = "http://hl7.org/fhir/sid/icd-10"

SETTINGS = Settings.model_validate(
    {
        "institutions": {
            "hospital-a": {"title": "江城市第一人民医院"},
            "hospital-b": {"title": "江城市中医医院"},
            "maternity": {"title": "江城市妇幼保健院"},
        },
        "sources": {
            "a-his": {"institution": "hospital-a", "mapping": "national/hl7v2"},
            "a-lis": {"institution": "hospital-a", "mapping": "national/hl7v2"},
            "b-his": {"institution": "hospital-b", "mapping": "national/hl7v2"},
            "b-lis": {"institution": "hospital-b", "mapping": "national/hl7v2"},
            "partner": {"institution": "maternity", "mapping": "national/hl7v2"},
        },
    }
)


def key(*parts: object) -> str:
    """A stable id."""
    return str(uuid5(SPACE, "/".join(map(str, parts))))


GOLDEN, AT_A, AT_B = key("golden"), key("patient", "a"), key("patient", "b")


def cc(text: str, *codings: tuple[str, str] | tuple[str, str, str]) -> Body:
    """A CodeableConcept."""
    made: Body = {"text": text} if text else {}
    if codings:
        made["coding"] = [
            dict(zip(("system", "code", "display"), coding, strict=False)) for coding in codings
        ]
    return made


def at(moment: datetime) -> str:
    """A FHIR dateTime in the hub's zone."""
    return moment.astimezone(ZONE).isoformat(timespec="seconds")


def day(text: str, hour: int = 8, minute: int = 0) -> datetime:
    """A moment of a day in the hub's zone."""
    return datetime.fromisoformat(text).replace(hour=hour, minute=minute, tzinfo=ZONE)


class Chart:
    """Collects the resources of one person, as sources would state them."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.older: dict[str, list[Body]] = {}
        self._message = 1000

    def add(self, type_: str, source: str, when: datetime, body: Body) -> Body:
        """Add a resource; its id follows from its content unless it brings one."""
        self._message += 1
        made = {
            "resourceType": type_,
            "id": body.pop("id", None) or key(type_, len(self.bodies)),
            "meta": {
                "versionId": "1",
                "lastUpdated": at(when + timedelta(minutes=3)),
                "source": f"urn:healthhub:source:{source}#{self._message}",
            },
        } | body
        self.bodies.append(made)
        return made

    def patient_of(self, source: str) -> Body:
        """The subject of what a source sends."""
        return {"reference": f"Patient/{AT_A if source.startswith('a') else AT_B}"}

    def visit(
        self,
        source: str,
        start: datetime,
        kind: str,
        department: str,
        doctor: str,
        diagnoses: tuple[tuple[str, str], ...],
        *,
        days: int = 0,
        status: str = "finished",
    ) -> str:
        """A visit with its diagnoses; gives its reference."""
        visit = key("Encounter", source, start)
        here = f"Encounter/{visit}"
        conditions = [
            self.add(
                "Condition",
                source,
                start,
                {
                    "clinicalStatus": cc("", (CLINICAL, "active")),
                    "code": cc(name, (ICD10, code, name)),
                    "subject": self.patient_of(source),
                    "encounter": {"reference": here},
                    "recordedDate": at(start),
                },
            )
            for name, code in diagnoses
        ]
        self.add(
            "Encounter",
            source,
            start,
            {
                "id": visit,
                "status": status,
                "class": {"code": kind},
                "subject": self.patient_of(source),
                "period": {
                    "start": at(start),
                    "end": at(start + timedelta(days=days, minutes=40)),
                },
                "participant": [{"individual": {"display": doctor}}],
                "location": [{"location": {"display": department}}],
                "diagnosis": [
                    {"condition": {"reference": f"Condition/{item['id']}"}, "rank": rank}
                    for rank, item in enumerate(conditions, 1)
                ],
            },
        )
        return here

    def result(
        self,
        source: str,
        when: datetime,
        test: tuple[str, str, str, str | None, str | None],
        value: str,
        *,
        flag: str | None = None,
        status: str = "final",
        visit: str = "",
        **more: Any,
    ) -> Body:
        """A laboratory value: (name, LOINC or local code, unit, low, high)."""
        name, code, unit, low, high = test
        local = f"urn:healthhub:codes:{source[:1]}:lis"
        codings: list[Any] = [(local, f"L{abs(hash_of(name)) % 9000 + 1000}", name)]
        if "-" in code:
            codings.insert(0, (LOINC, code))
        body: Body = {
            "status": status,
            "category": [cc("", (CATEGORY, "laboratory"))],
            "code": cc(name, *codings),
            "subject": self.patient_of(source),
            "effectiveDateTime": at(when),
            "valueQuantity": {
                "value": Decimal(value),
                "unit": unit,
                "system": UCUM,
                "code": unit,
            },
        } | more
        body = {element: content for element, content in body.items() if content is not None}
        if visit:
            body["encounter"] = {"reference": visit}
        ends = {"low": low, "high": high}
        limits = {
            end: {"value": Decimal(v), "unit": unit} for end, v in ends.items() if v is not None
        }
        if limits and "referenceRange" not in body:
            body["referenceRange"] = [limits]
        if flag is not None:
            body["interpretation"] = [cc("", (V3_FLAG, flag), (V2_FLAG, flag))]
        return self.add("Observation", source, when, body)

    def report(
        self,
        source: str,
        when: datetime,
        title: str,
        category: str,
        results: list[Body],
        visit: str = "",
        **more: Any,
    ) -> Body:
        """A report over results."""
        body: Body = {
            "status": "final",
            "category": [cc("", ("http://terminology.hl7.org/CodeSystem/v2-0074", category))],
            "code": cc(title),
            "subject": self.patient_of(source),
            "effectiveDateTime": at(when),
            "issued": at(when + timedelta(hours=2)),
            "result": [{"reference": f"Observation/{item['id']}"} for item in results],
            "resultsInterpreter": [{"display": "方既白"}],
        } | more
        if visit:
            body["encounter"] = {"reference": visit}
        return self.add("DiagnosticReport", source, when, body)


def hash_of(text: str) -> int:
    """A number that is the same in every run."""
    return sum(ord(letter) * place for place, letter in enumerate(text, 1))


BIOCHEMISTRY = (
    ("空腹血糖", "14771-0", "mmol/L", "3.9", "6.1", 8.2, 1.1, 1),
    ("糖化血红蛋白", "4548-4", "%", "4.0", "6.0", 7.8, 0.6, 1),
    ("肌酐", "14682-9", "μmol/L", "57", "97", 92, 9, 0),
    ("尿素", "22664-7", "mmol/L", "3.1", "8.0", 6.9, 1.2, 1),
    ("尿酸", "14933-6", "μmol/L", "208", "428", 402, 36, 0),
    ("钾", "2823-3", "mmol/L", "3.5", "5.3", 4.4, 0.3, 2),
    ("钠", "2951-2", "mmol/L", "137", "147", 140, 1.8, 1),
    ("氯", "2075-0", "mmol/L", "99", "110", 103, 2, 1),
    ("总胆固醇", "14647-2", "mmol/L", None, "5.18", 5.3, 0.5, 2),
    ("甘油三酯", "14927-8", "mmol/L", None, "1.70", 1.9, 0.4, 2),
    ("低密度脂蛋白胆固醇", "22748-8", "mmol/L", None, "3.37", 3.2, 0.4, 2),
    ("高密度脂蛋白胆固醇", "14646-4", "mmol/L", "1.04", None, 1.08, 0.1, 2),
    ("丙氨酸氨基转移酶", "1742-6", "U/L", "9", "50", 31, 9, 0),
    ("天门冬氨酸氨基转移酶", "1920-8", "U/L", "15", "40", 27, 6, 0),
)
BLOOD = (
    ("白细胞计数", "6690-2", "10*9/L", "3.5", "9.5", 6.8, 1.4, 2),
    ("红细胞计数", "789-8", "10*12/L", "4.3", "5.8", 4.7, 0.2, 2),
    ("血红蛋白", "718-7", "g/L", "130", "175", 138, 6, 0),
    ("血小板计数", "777-3", "10*9/L", "125", "350", 214, 30, 0),
    ("中性粒细胞百分数", "770-8", "%", "40", "75", 61, 6, 1),
)


def _history(chart: Chart, dice: random.Random) -> None:
    """Three years of visits every few weeks, mostly at the first hospital."""
    when = day("2023-11-20", 8, 10)
    turn = 0
    while when < day("2026-10-20"):
        source = "b" if turn % 4 == 3 else "a"
        visit = chart.visit(
            f"{source}-his",
            when,
            "AMB",
            "内分泌科门诊" if turn % 3 else "心血管内科门诊",
            dice.choice(("周砚", "林若水", "沈知行")),
            (("高血压病2级", "I10.x04"), ("2型糖尿病", "E11.900"))[: 1 + turn % 2],
        )
        if turn % 2 == 0 or source == "b":
            _panel(
                chart, dice, source, when + timedelta(hours=1), visit, BIOCHEMISTRY, "生化全套"
            )
        if turn % 3 == 0:
            _panel(chart, dice, source, when + timedelta(hours=1), visit, BLOOD, "血常规")
        _pressure(chart, source, when, 150 - turn // 2 + dice.randint(-9, 9), visit)
        when += timedelta(days=dice.randint(34, 52), minutes=dice.randint(-60, 240))
        turn += 1


def _panel(
    chart: Chart,
    dice: random.Random,
    source: str,
    when: datetime,
    visit: str,
    tests: tuple[Any, ...],
    title: str,
) -> None:
    results = []
    for name, code, unit, low, high, middle, spread, places in tests:
        number = f"{dice.gauss(middle, spread):.{places}f}"
        flag = None
        if source == "a":
            value = Decimal(number)
            flag = "N"
            if high and value > Decimal(high):
                flag = "H"
            elif low and value < Decimal(low):
                flag = "L"
        results.append(
            chart.result(
                f"{source}-lis",
                when,
                (name, code, unit, low, high),
                number,
                flag=flag,
                visit=visit,
            )
        )
    chart.report(f"{source}-lis", when, title, "CH", results, visit)


def _pressure(chart: Chart, source: str, when: datetime, systolic: int, visit: str) -> None:
    parts = (("8480-6", systolic), ("8462-4", systolic - 58))
    chart.add(
        "Observation",
        f"{source}-his",
        when,
        {
            "status": "final",
            "category": [cc("", (CATEGORY, "vital-signs"))],
            "code": cc("血压", (LOINC, "85354-9", "Blood pressure")),
            "subject": chart.patient_of(source),
            "encounter": {"reference": visit},
            "effectiveDateTime": at(when),
            "component": [
                {
                    "code": cc("", (LOINC, code)),
                    "valueQuantity": {
                        "value": value,
                        "unit": "mmHg",
                        "system": UCUM,
                        "code": "mm[Hg]",
                    },
                }
                for code, value in parts
            ],
        },
    )


def _vital(chart: Chart, code: tuple[str, str], when: datetime, value: str, unit: str) -> None:
    chart.add(
        "Observation",
        "a-his",
        when,
        {
            "status": "final",
            "category": [cc("", (CATEGORY, "vital-signs"))],
            "code": cc(code[0], (LOINC, code[1])),
            "subject": chart.patient_of("a"),
            "effectiveDateTime": at(when),
            "valueQuantity": {
                "value": Decimal(value),
                "unit": unit,
                "system": UCUM,
                "code": unit,
            },
        },
    )


def _drug(
    chart: Chart,
    source: str,
    when: datetime,
    name: str,
    dose: tuple[str, str],
    often: str,
    *,
    days: int | None = None,
    status: str = "active",
    atc: str = "",
) -> None:
    codings = [("http://www.whocc.no/atc", atc)] if atc else []
    body: Body = {
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": cc(name, *codings),
        "subject": chart.patient_of(source),
        "authoredOn": at(when),
        "requester": {"display": "周砚"},
        "dosageInstruction": [
            {
                "timing": {
                    "code": cc(
                        "", ("http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", often)
                    )
                },
                "route": cc("口服"),
                "doseAndRate": [{"doseQuantity": {"value": Decimal(dose[0]), "unit": dose[1]}}],
            }
        ],
    }
    if days:
        body["dispenseRequest"] = {
            "expectedSupplyDuration": {"value": days, "unit": "天", "system": UCUM, "code": "d"}
        }
    chart.add("MedicationRequest", f"{source}-his", when, body)


def _stay(chart: Chart) -> None:
    """Eleven days in hospital with a critical potassium, a correction and a withdrawal."""
    start = day("2026-10-26", 15, 20)
    visit = chart.visit(
        "a-his",
        start,
        "IMP",
        "肾内科一病区",
        "林若水",
        (("糖尿病肾病", "E11.200x021"), ("高钾血症", "E87.500"), ("高血压病2级", "I10.x04")),
        days=11,
    )
    potassium = ("钾", "2823-3", "mmol/L", "3.5", "5.3")
    for hours, value, flag in (
        (2, "6.8", "HH"),
        (9, "5.9", "H"),
        (38, "5.1", "N"),
        (160, "4.6", "N"),
    ):
        when = start + timedelta(hours=hours)
        item = chart.result("a-lis", when, potassium, value, flag=flag, visit=visit)
        chart.report("a-lis", when, "急诊电解质", "CH", [item], visit)
    creatinine = ("肌酐", "14682-9", "μmol/L", "57", "97")
    when = start + timedelta(hours=160)
    fixed = chart.result(
        "a-lis", when, creatinine, "128", flag="H", status="corrected", visit=visit
    )
    fixed["meta"]["versionId"] = "2"
    before = {
        **fixed,
        "status": "final",
        "valueQuantity": {**fixed["valueQuantity"], "value": Decimal("182")},
        "meta": {**fixed["meta"], "versionId": "1", "source": "urn:healthhub:source:a-lis#990"},
    }
    chart.older[fixed["id"]] = [before]
    chart.result(
        "a-lis",
        start + timedelta(hours=190),
        ("肌钙蛋白I", "10839-9", "ng/mL", None, "0.04"),
        "0.02",
        flag="N",
        visit=visit,
    )
    chart.result(
        "a-lis",
        start + timedelta(hours=200),
        ("血红蛋白", "718-7", "g/L", "130", "175"),
        "61",
        flag="LL",
        status="entered-in-error",
        visit=visit,
    )
    chart.result(
        "a-lis",
        start + timedelta(hours=20),
        ("尿蛋白定性", "20454-5", "", None, None),
        "0",
        visit=visit,
        valueQuantity=None,
        valueString="2+",
        interpretation=[cc("", (V3_FLAG, "A"))],
        referenceRange=[{"text": "阴性(-)"}],
    )
    passages = [
        {
            "status": "final",
            "category": [cc("", (CATEGORY, "imaging"))],
            "code": cc(heading),
            "subject": chart.patient_of("a"),
            "effectiveDateTime": at(start + timedelta(days=1)),
            "valueString": text,
        }
        for heading, text in (
            (
                "检查所见",
                "双肾大小形态正常，包膜光整，实质回声稍增强，皮髓质分界尚清，集合系统未见分离。"
                "\n双侧输尿管未见扩张。膀胱充盈可，壁光滑，腔内未见异常回声。",
            ),
            ("检查印象", "双肾实质回声稍增强，请结合临床。"),
        )
    ]
    found = [chart.add("Observation", "a-his", start + timedelta(days=1), p) for p in passages]
    chart.report(
        "a-his", start + timedelta(days=1), "双肾、输尿管、膀胱彩超", "US", found, visit
    )


def resident() -> Chart:
    """A man of 62 with hypertension, diabetes and a stay in hospital a month ago."""
    chart = Chart()
    dice = random.Random(7)
    number = {"system": ID_SYSTEM, "value": RESIDENT_ID}
    chart.bodies.append(
        {
            "resourceType": "Patient",
            "id": GOLDEN,
            "meta": {
                "versionId": "3",
                "lastUpdated": at(NOW),
                "source": "urn:healthhub:person",
                "tag": [{"system": "https://healthhub.dev/fhir/record", "code": "golden"}],
            },
            "identifier": [number],
            "name": [{"use": "official", "text": "顾长河"}],
            "gender": "male",
            "birthDate": "1964-03-12",
            "link": [
                {"other": {"reference": f"Patient/{item}"}, "type": "seealso"}
                for item in (AT_A, AT_B)
            ],
        }
    )
    for item, source in ((AT_A, "a-his"), (AT_B, "b-his")):
        chart.add(
            "Patient",
            source,
            day("2023-11-20"),
            {
                "id": item,
                "identifier": [number],
                "name": [{"text": "顾长河"}],
                "gender": "male",
                "birthDate": "1964-03-12",
            },
        )
    _history(chart, dice)
    _stay(chart)
    _medicines(chart)
    _rest(chart)
    return chart


def _medicines(chart: Chart) -> None:
    _drug(
        chart,
        "a",
        day("2026-11-08"),
        "苯磺酸氨氯地平片 5mg",
        ("5", "mg"),
        "QD",
        days=28,
        atc="C08CA01",
    )
    _drug(
        chart,
        "b",
        day("2026-11-02"),
        "氨氯地平片(络活喜) 5mg",
        ("5", "mg"),
        "QD",
        days=30,
        atc="C08CA01",
    )
    _drug(
        chart,
        "a",
        day("2026-11-08"),
        "盐酸二甲双胍缓释片 0.5g",
        ("0.5", "g"),
        "BID",
        days=28,
        atc="A10BA02",
    )
    _drug(chart, "a", day("2026-11-08"), "阿托伐他汀钙片 20mg", ("20", "mg"), "QHS", days=28)
    _drug(chart, "b", day("2026-10-12"), "黄葵胶囊", ("5", "粒"), "TID", days=21)
    _drug(
        chart, "a", day("2025-06-03"), "缬沙坦胶囊 80mg", ("80", "mg"), "QD", status="stopped"
    )


def _rest(chart: Chart) -> None:
    for what, reaction, severe in (("青霉素", "过敏性休克", True), ("磺胺类", "皮疹", False)):
        chart.add(
            "AllergyIntolerance",
            "a-his",
            day("2024-02-01"),
            {
                "code": cc(what),
                "criticality": "high" if severe else "low",
                "patient": chart.patient_of("a"),
                "recordedDate": "2024-02-01",
                "reaction": [{"manifestation": [cc(reaction)]}],
            },
        )
    for code, value, unit in (
        (("脉搏", "8867-4"), "78", "/min"),
        (("体温", "8310-5"), "36.6", "Cel"),
        (("体重", "29463-7"), "71.5", "kg"),
        (("身高", "8302-2"), "170", "cm"),
    ):
        _vital(chart, code, day("2026-11-08", 9), value, unit)
    chart.visit(
        "a-his",
        day("2026-11-08", 8, 50),
        "AMB",
        "肾内科门诊",
        "林若水",
        (("糖尿病肾病", "E11.200x021"),),
    )
    chart.visit(
        "b-his",
        day("2026-11-02", 9, 5),
        "AMB",
        "脾胃病科门诊",
        "何如初",
        (("慢性胃炎", "K29.500"),),
        status="cancelled",
    )
    chart.add(
        "Immunization",
        "a-his",
        day("2025-10-15"),
        {
            "status": "completed",
            "vaccineCode": cc("流感病毒裂解疫苗"),
            "patient": chart.patient_of("a"),
            "occurrenceDateTime": "2025-10-15",
            "lotNumber": "202508A12",
            "protocolApplied": [{"doseNumberPositiveInt": 1}],
        },
    )
    chart.add(
        "DocumentReference",
        "a-his",
        day("2026-11-06", 11),
        {
            "status": "current",
            "type": cc("出院记录"),
            "subject": chart.patient_of("a"),
            "date": at(day("2026-11-06", 11)),
            "author": [{"display": "林若水"}],
            "description": "糖尿病肾病，高钾血症已纠正；门诊随访肾功能与电解质。",
        },
    )


def newcomer(**more: Any) -> Chart:
    """A person of whom nothing is known but who it is."""
    chart = Chart()
    chart.add(
        "Patient",
        "a-his",
        day("2026-11-23"),
        {
            "id": GOLDEN,
            "name": [{"text": "白无瑕"}],
            "gender": "female",
            "birthDate": "2026-11-01",
        }
        | more,
    )
    return chart
