"""Documents of WS/T 500 as hospital C's EMR writes them: header, sections, entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from healthhub.city.charts import Chart
from healthhub.city.moments import DAY, Moment, digits14
from healthhub.city.names import GROUP_NAMES
from healthhub.city.places import CITY, PROVINCE, Doctor
from healthhub.city.visits import Study, Visit

N = "2.16.156.10011."
_LOINC = "2.16.840.1.113883.6.1"
_TITLES = {"C0002": "门(急)诊病历", "C0006": "检查报告", "C0053": "出院小结"}
_MARRIED = {"10": "未婚", "20": "已婚", "30": "丧偶", "40": "离婚"}
OWN, OWN_NAME = "12429004H", f"{CITY}第三人民医院"


@dataclass(frozen=True, slots=True)
class Written:
    """A document: its kind, number, time and bytes."""

    kind: str
    number: str
    at: Moment
    raw: bytes


def element(name: str, inner: str = "", **attributes: str) -> str:
    """An element; ``type_`` stands for xsi:type."""
    shown = "".join(
        f" {'xsi:type' if key == 'type_' else key}={quoteattr(value)}"
        for key, value in attributes.items()
    )
    return f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>"


def _ident(root: str, extension: str) -> str:
    return element("id", root=N + root, extension=extension)


def _text(value: str) -> str:
    return element("value", escape(value), type_="ST")


def _observation(number: str, name: str, value: str) -> str:
    """An observation of data element DE``number``.00."""
    code = element(
        "code",
        code=f"DE{number}.00",
        codeSystem=N + "2.2.1",
        codeSystemName="卫生信息数据元目录",
        displayName=name,
    )
    return element("observation", code + value, classCode="OBS", moodCode="EVN")


def _section(code: str, name: str, *entries: str) -> str:
    have = {"displayName": name}
    if code:
        have = {"code": code, "codeSystem": _LOINC, "codeSystemName": "LOINC", **have}
    inner = element("code", "", **have) + "<text/>"
    inner += "".join(element("entry", each) for each in entries)
    return element("component", element("section", inner))


def _found(code: str, name: str) -> str:
    value = element(
        "value", "", type_="CD", code=code, codeSystem=N + "2.3.3.11.3", displayName=name
    )
    return _observation("05.01.024", "诊断编码", value)


def written(chart: Chart, visit: Visit, number: str, stay: bool) -> Iterator[Written]:
    """The documents of a visit: the out-patient's record or the summary at discharge, and a
    report of each examination."""
    if stay:
        days = str(max(1, (visit.end - visit.start) // DAY))
        course = _observation(
            "06.00.296", "诊疗过程描述", _text(f"因{visit.complaint}入院，予对症治疗后好转。")
        )
        length = _observation(
            "06.00.310", "实际住院天数", element("value", type_="PQ", value=days, unit="天")
        )
        advice = _observation("06.00.287", "出院医嘱", _text("规律服药，2周后门诊复查"))
        sections = _diagnosed("11535-2", "HOSPITAL DISCHARGE DX", visit)
        sections += _section("8648-8", "Hospital Course", course, length)
        sections += _section("46209-3", "Provider Orders", advice)
        yield _document(
            "C0053", chart, visit, number, visit.end, visit.doctor, sections, stay=stay
        )
    else:
        told = _observation("04.01.119", "主诉", _text(visit.complaint))
        sections = _section("10154-3", "CHIEF COMPLAINT", told)
        sections += _diagnosed("29548-5", "Diagnosis", visit)
        yield _document(
            "C0002", chart, visit, number, visit.end, visit.doctor, sections, stay=stay
        )
    for study in visit.studies:
        yield _document(
            "C0006", chart, visit, number, study.reported, study.reader, _examined(study),
            stay=stay, more=_ident("1.32", f"JC{number}"),
        )  # fmt: skip


def _diagnosed(code: str, name: str, visit: Visit) -> str:
    return _section(code, name, *(_found(d.code, d.name) for d in visit.diagnoses))


def _examined(study: Study) -> str:
    kind = _observation("04.30.018", "检查类别", _text(study.name))
    seen = _observation("04.50.131", "检查报告结果-客观所见", _text(study.findings))
    meant = _observation("04.50.132", "检查报告结果-主观提示", _text(study.impression))
    return _section("29545-1", "PHYSICAL EXAMINATION", kind) + _section(
        "", "检查报告", seen, meant
    )


def _document(
    kind: str, chart: Chart, visit: Visit, number: str, at: Moment, author: Doctor,
    sections: str, *, stay: bool, more: str = "",
) -> Written:  # fmt: skip
    document = f"{kind}-{number}"
    body = element("component", element("structuredBody", sections))
    parts = (
        '<realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>',
        element("templateId", root=f"{N}2.1.1.{20 + int(kind[1:])}"),
        _ident("1.1", document),
        element("code", code=kind, codeSystem=N + "2.4", codeSystemName="卫生信息共享文档规范编码体系"),
        f"<title>{_TITLES[kind]}</title>",
        element("effectiveTime", value=digits14(at)),
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="正常访问保密级别"/>',
        '<languageCode code="zh-CN"/><setId/><versionNumber/>',
        _target(chart, number, more, stay=stay),
        element("author", element("time", value=digits14(at)) + _staff("1.7", author, "assignedAuthor")),
        element("custodian", element("assignedCustodian", element(
            "representedCustodianOrganization", _ident("1.5", OWN) + f"<name>{OWN_NAME}</name>"))),
        element("legalAuthenticator", "<time/><signatureCode/>" + _staff("1.4", author, "assignedEntity")),
        _placed(visit) if stay else "",
        body,
    )  # fmt: skip
    inner = "\n".join(part for part in parts if part)
    raw = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n{inner}\n</ClinicalDocument>\n'
    ).encode()
    return Written(kind, document, at, raw)


def _staff(root: str, doctor: Doctor, role: str) -> str:
    return element(
        role,
        _ident(root, doctor.code) + element("assignedPerson", element("name", doctor.name)),
    )


def _target(chart: Chart, number: str, more: str, *, stay: bool) -> str:
    resident = chart.resident
    male = resident.sex == "M"
    identity = _ident("1.3", chart.written_id) if chart.written_id else ""
    patient = (
        identity
        + element("name", chart.name)
        + element("administrativeGenderCode", "", code="1" if male else "2",
                  codeSystem=N + "2.3.3.4", displayName="男性" if male else "女性")
        + element("birthTime", value=chart.birth)
        + element("maritalStatusCode", "", code=resident.married, codeSystem=N + "2.3.3.5",
                  displayName=_MARRIED[resident.married])
        + element("ethnicGroupCode", "", code=resident.group, codeSystem=N + "2.3.3.3",
                  displayName=GROUP_NAMES[resident.group])
    )  # fmt: skip
    address = element(
        "addr",
        element("houseNumber", resident.line) + element("township", resident.town)
        + element("city", CITY) + element("state", PROVINCE) + element("postalCode", "433000"),
        use="H",
    )  # fmt: skip
    role = (
        _ident("2.5.1.4", chart.number)
        + _ident("1.12" if stay else "1.11", number)
        + more
        + address
        + (element("telecom", value=f"tel:{chart.phone}") if chart.phone else "")
        + element("patient", patient, classCode="PSN", determinerCode="INSTANCE")
    )
    return element(
        "recordTarget", element("patientRole", role, classCode="PAT"), typeCode="RCT"
    )


def _placed(visit: Visit) -> str:
    """Where a stay was: ward and department inside the hospital."""
    department = visit.department
    inner = ""
    for root, code, name in (
        ("1.5", OWN, OWN_NAME),
        ("1.26", department.code_a, department.name),
        ("1.27", department.ward, f"{department.name}病区"),
    ):
        above = element("asOrganizationPartOf", inner) if inner else ""
        whole = _ident(root, code) + element("name", name) + above
        inner = element("wholeOrganization", whole)
    chain = element("serviceProviderOrganization", element("asOrganizationPartOf", inner))
    period = element(
        "effectiveTime",
        element("low", value=digits14(visit.start))
        + element("high", value=digits14(visit.end)),
    )
    place = element("location", element("healthCareFacility", chain))
    return element("componentOf", element("encompassingEncounter", period + place))
