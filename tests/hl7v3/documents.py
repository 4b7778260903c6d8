"""Builds WS/T 500 documents of invented people as an EMR would: header, sections, entries."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

N = "2.16.156.10011."
LOINC = "2.16.840.1.113883.6.1"
ICD = N + "2.3.3.11.3"
TITLES = dict(
    zip(
        (f"C{number:04d}" for number in range(1, 54)),
        """病历概要 门(急)诊病历 急诊留观病历 西药处方 中药处方 检查报告 检验报告 治疗记录 一般手术记录
        麻醉术前访视记录 麻醉记录 麻醉术后访视记录 输血记录 待产记录 阴道分娩记录 剖宫产记录 一般护理记录
        病危(重)护理记录 手术护理记录 生命体征测量记录 出入量记录 高值耗材使用记录 入院评估 护理计划
        出院评估与指导 手术知情同意书 麻醉知情同意书 输血治疗同意书 特殊检查及特殊治疗同意书
        病危(重)通知书 其他知情同意书 住院病案首页 中医住院病案首页 入院记录 24小时内入出院记录
        24小时内入院死亡记录 首次病程记录 日常病程记录 上级医师查房记录 疑难病例讨论记录 交接班记录
        转科记录 阶段小结 抢救记录 会诊记录 术前小结 术前讨论 术后首次病程记录 出院记录 死亡记录
        死亡病例讨论记录 住院医嘱 出院小结""".split(),
        strict=True,
    )
)
OUTPATIENT = {"C0001", "C0002", "C0003", "C0004", "C0005"}


def tag(name: str, inner: str = "", **attributes: str) -> str:
    """An element; ``type_`` stands for xsi:type."""
    shown = "".join(
        f" {'xsi:type' if key == 'type_' else key}={quoteattr(value)}"
        for key, value in attributes.items()
    )
    return f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>"


def ident(root: str, extension: str) -> str:
    """An id; ``root`` below the nation's."""
    return tag("id", root=N + root, extension=extension)


def coded(code: str, display: str = "", system: str = "", name: str = "value") -> str:
    """A coded value."""
    kind = {"type_": "CD"} if name == "value" else {}
    return tag(name, "", **kind, code=code, codeSystem=N + system, displayName=display)


def text(value: str) -> str:
    """A text value."""
    return tag("value", escape(value), type_="ST")


def amount(value: str, unit: str) -> str:
    """A measured value."""
    return tag("value", type_="PQ", value=value, unit=unit)


def flag(value: str) -> str:
    """A truth value."""
    return tag("value", type_="BL", value=value)


def observation(element: str, display: str, value: str, *more: str, at: str = "") -> str:
    """An observation of a data element; ``more`` are observations or roles below it."""
    code = tag(
        "code",
        code=f"DE{element}.00",
        codeSystem=N + "2.2.1",
        codeSystemName="卫生信息数据元目录",
        displayName=display,
    )
    time = tag("effectiveTime", value=at) if at else ""
    below = "".join(
        tag("entryRelationship", each, typeCode="COMP") if each.startswith("<obs") else each
        for each in more
    )
    return tag("observation", code + time + value + below, classCode="OBS", moodCode="EVN")


def organizer(*observations: str, kind: str = "CLUSTER") -> str:
    """Observations side by side."""
    inner = tag("statusCode") + "".join(tag("component", each) for each in observations)
    return tag("organizer", inner, classCode=kind, moodCode="EVN")


def section(code: str, display: str, *entries: str) -> str:
    """A section; without a code it has its display alone."""
    have = {"displayName": display}
    if code:
        have = {"code": code, "codeSystem": LOINC, "codeSystemName": "LOINC", **have}
    inner = "\n".join(tag("entry", each) for each in entries)
    return tag(
        "component", tag("section", tag("code", "", **have) + tag("text") + "\n" + inner)
    )


def person(root: str, number: str, name: str, role: str = "assignedEntity") -> str:
    """Somebody with a number."""
    return tag(role, ident(root, number) + tag("assignedPerson", tag("name", name)))


def document(
    code: str,
    sections: Sequence[str] = (),
    *,
    number: str = "",
    ids: Sequence[tuple[str, str]] = (),
    identity: str = "330102198003076328",
    name: str = "沈望舒",
    sex: str = "2",
    at: str = "20260305101500",
    period: str = "",
    replaces: str = "",
    extra: str = "",
) -> bytes:
    """A whole document."""
    inpatient = code not in OUTPATIENT
    ids = ids or ((("1.12", "ZY2026000471"),) if inpatient else (("1.11", "MZ2026030500021"),))
    patient = (
        ident("1.3", identity)
        + tag("name", name)
        + coded(sex, "女性" if sex == "2" else "男性", "2.3.3.4", "administrativeGenderCode")
        + tag("birthTime", value=f"{identity[6:14]}")
        + coded("20", "已婚", "2.3.3.5", "maritalStatusCode")
        + coded("01", "汉族", "2.3.3.3", "ethnicGroupCode")
    )
    address = tag(
        "addr",
        "<houseNumber>12号</houseNumber><streetName>望江路</streetName><township>采荷街道</township>"
        "<county>上城区</county><city>泽安市</city><state>江南省</state><postalCode>310000</postalCode>",
        use="H",
    )
    role = (
        "".join(ident(root, value) for root, value in ids)
        + address
        + tag("telecom", value="tel:13900000147")
        + tag("patient", patient, classCode="PSN", determinerCode="INSTANCE")
    )
    chain = tag(
        "serviceProviderOrganization",
        tag(
            "asOrganizationPartOf",
            tag(
                "wholeOrganization",
                ident("1.22", "ZA-W3-07")
                + "<name>07床</name>"
                + tag(
                    "asOrganizationPartOf",
                    tag(
                        "wholeOrganization",
                        ident("1.26", "A03.04")
                        + "<name>心血管内科</name>"
                        + tag(
                            "asOrganizationPartOf",
                            tag(
                                "wholeOrganization",
                                ident("1.5", "47000000133010211A1001")
                                + "<name>泽安市第三人民医院</name>",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )
    visit = tag(
        "componentOf",
        tag(
            "encompassingEncounter",
            (period or tag("effectiveTime"))
            + tag("location", tag("healthCareFacility", chain)),
        ),
    )
    parts = [
        '<realmCode code="CN"/>',
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>',
        tag("templateId", root=f"{N}2.1.1.{20 + int(code[1:])}"),
        ident("1.1", number or f"{code}-2026-000471"),
        tag(
            "code",
            code=code,
            codeSystem=N + "2.4",
            codeSystemName="卫生信息共享文档规范编码体系",
        ),
        f"<title>{TITLES[code]}</title>",
        tag("effectiveTime", value=at),
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="正常访问保密级别"/>',
        '<languageCode code="zh-CN"/>',
        "<setId/><versionNumber/>",
        tag("recordTarget", tag("patientRole", role, classCode="PAT"), typeCode="RCT"),
        tag(
            "author", tag("time", value=at) + person("1.7", "D0317", "顾清和", "assignedAuthor")
        ),
        tag(
            "custodian",
            tag(
                "assignedCustodian",
                tag(
                    "representedCustodianOrganization",
                    ident("1.5", "47000000133010211A1001") + "<name>泽安市第三人民医院</name>",
                ),
            ),
        ),
        tag(
            "legalAuthenticator",
            "<time/><signatureCode/>" + person("1.4", "D0102", "陆知行"),
        ),
        tag(
            "relatedDocument",
            tag("parentDocument", ident("1.1", replaces) if replaces else "<id/><setId/>"),
            typeCode="RPLC",
        ),
        visit if inpatient else "",
        extra,
        tag("component", tag("structuredBody", "\n".join(sections))) if sections else "",
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        + "\n".join(part for part in parts if part)
        + "\n</ClinicalDocument>\n"
    ).encode()


def icd(code: str, display: str) -> str:
    """An ICD-10 value."""
    return coded(code, display, "2.3.3.11.3")
