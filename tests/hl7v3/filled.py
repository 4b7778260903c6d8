"""The ten kinds of documents that are read entry by entry, filled with invented facts; the samples
of mappings/national/cda are these, written out."""

from __future__ import annotations

from documents import (
    amount,
    coded,
    document,
    flag,
    icd,
    ident,
    observation,
    organizer,
    person,
    section,
    tag,
    text,
)

STAY = tag(
    "effectiveTime", tag("low", value="20260301093000") + tag("high", value="20260309103000")
)


def summary() -> bytes:
    """C0001: blood group, histories, a health event, a key medicine."""
    blood = organizer(
        observation("04.50.001", "ABO血型", coded("1", "A型", "2.3.1.85")),
        observation("04.50.010", "Rh血型", coded("2", "阳性", "2.3.1.250")),
    )
    event = observation(
        "05.01.024",
        "疾病诊断编码",
        icd("I10.x02", "高血压1级"),
        observation("05.10.113", "病情转归代码", coded("2", "好转", "2.3.1.148")),
    )
    medicine = observation(
        "08.50.022",
        "关键药物名称",
        text("苯磺酸氨氯地平片"),
        observation("06.00.136", "药物使用方法", text("5mg 每日一次 口服")),
        observation("06.00.129", "药物不良反应情况", text("轻度踝部水肿")),
    )
    return document(
        "C0001",
        [
            section("30954-2", "STUDIES SUMMARY", blood),
            section(
                "11348-0",
                "HISTORY OF PAST ILLNESS",
                observation("02.10.026", "疾病史(含外伤)", text("高血压病史6年")),
            ),
            section(
                "48765-2", "Allergies", observation("02.10.022", "过敏史", text("青霉素皮疹"))
            ),
            section(
                "10157-6",
                "HISTORY OF FAMILY MEMBER DISEASES",
                observation("02.10.103", "家族史", text("母亲高血压")),
            ),
            section("", "卫生事件", event, medicine),
        ],
        ids=[("1.2", "33010220260000471"), ("1.19", "HC330102000471")],
    )


def outpatient() -> bytes:
    """C0002: complaint, allergy flag, diagnosis, an order for a drug and one for a test."""

    def order(kind: str, kind_name: str, what: str) -> str:
        return organizer(
            observation("06.00.289", "医嘱项目类型代码", coded(kind, kind_name, "2.3.1.268")),
            observation(
                "06.00.288",
                "医嘱项目内容",
                text(what),
                tag(
                    "author",
                    tag("time", value="20260305094000")
                    + person("1.4", "D0317", "顾清和", "assignedAuthor"),
                ),
                observation("06.00.179", "医嘱备注信息", text("餐后")),
            ),
        )

    return document(
        "C0002",
        [
            section(
                "48765-2", "Allergies", observation("02.10.023", "过敏史标志", flag("false"))
            ),
            section(
                "10154-3", "CHIEF COMPLAINT", observation("04.01.119", "主诉", text("头晕3天"))
            ),
            section(
                "10164-2",
                "HISTORY OF PRESENT ILLNESS",
                observation("02.10.071", "现病史", text("无明显诱因头晕，测血压升高")),
            ),
            section(
                "29548-5",
                "Diagnosis",
                observation("06.00.196", "初诊标志代码", coded("1", "初诊", "2.3.2.39")),
                organizer(
                    observation("05.01.025", "诊断名称", text("原发性高血压")),
                    observation("05.01.024", "诊断代码", icd("I10.x00", "原发性高血压")),
                ),
            ),
            section(
                "46209-3",
                "Provider Orders",
                order("01", "药品类医嘱", "苯磺酸氨氯地平片 5mg qd"),
                order("02", "检查类医嘱", "动态心电图"),
            ),
        ],
    )


def prescription() -> bytes:
    """C0004: two medicines."""

    def drug(name: str, spec: str, dose: str, total: str) -> str:
        inner = (
            coded("1", "口服", "2.3.1.158", "routeCode")
            + tag("doseQuantity", value=dose, unit="mg")
            + tag("rateQuantity", value="1", unit="次/日")
            + tag(
                "consumable",
                tag(
                    "manufacturedProduct",
                    tag("manufacturedLabeledDrug", "<code/>" + tag("name", name)),
                ),
            )
            + tag(
                "entryRelationship",
                observation("08.50.043", "药物规格", text(spec)),
                typeCode="COMP",
            )
            + tag(
                "entryRelationship",
                observation("06.00.135", "药物使用总剂量", amount(total, "mg")),
                typeCode="COMP",
            )
        )
        return tag("substanceAdministration", inner, classCode="SBADM", moodCode="EVN")

    return document(
        "C0004",
        [
            section(
                "29548-5",
                "Diagnosis",
                observation("05.01.024", "诊断代码", icd("I10.x00", "原发性高血压")),
            ),
            section(
                "10160-0",
                "HISTORY OF MEDICATION USE",
                drug("苯磺酸氨氯地平片", "5mg*7片", "5", "140"),
                drug("阿托伐他汀钙片", "20mg*7片", "20", "560"),
                observation("06.00.294", "处方有效天数", amount("3", "天")),
            ),
            section(
                "48768-6",
                "PAYMENT SOURCES",
                observation(
                    "07.00.004",
                    "处方药品金额",
                    tag("value", type_="MO", value="86.40", currency="元"),
                ),
            ),
        ],
        ids=[("1.11", "MZ2026030500021"), ("1.20", "CF20260305-0087")],
    )


def _item(name: str, value: str, unit: str, flag_code: str, flag_name: str) -> str:
    specimen = observation(
        "04.50.134",
        "标本类别",
        text("血清"),
    )
    return organizer(
        observation("04.30.019", "检验项目代码", text(name), specimen, at="20260302073000"),
        observation("04.30.017", "检验结果代码", coded(flag_code, flag_name, "2.3.2.38")),
        observation(
            "04.30.015",
            "检验定量结果",
            tag("value", type_="REAL", value=value),
            observation("04.30.016", "检验计量单位", text(unit)),
        ),
    )


def examination() -> bytes:
    """C0006: an ultrasound."""
    return document(
        "C0006",
        [
            section(
                "29548-5",
                "Diagnosis",
                observation("05.01.024", "诊断代码", icd("I10.x00", "原发性高血压")),
            ),
            section(
                "29545-1",
                "PHYSICAL EXAMINATION",
                observation("04.30.018", "检查类别", text("超声检查")),
                _item("左室射血分数", "62", "%", "1", "正常"),
            ),
            section(
                "",
                "检查报告",
                observation(
                    "04.50.131", "检查报告结果-客观所见", text("左室壁轻度增厚，室壁运动协调。")
                ),
                observation(
                    "04.50.132", "检查报告结果-主观提示", text("左室肥厚，收缩功能正常")
                ),
            ),
        ],
        ids=[("1.12", "ZY2026000471"), ("1.32", "US20260302-19"), ("1.24", "SQ8812")],
    )


def laboratory() -> bytes:
    """C0007: two items."""
    return document(
        "C0007",
        [
            section(
                "29548-5",
                "Diagnosis",
                observation("05.01.024", "诊断代码", icd("I10.x00", "原发性高血压")),
            ),
            section(
                "30954-2",
                "STUDIES SUMMARY",
                observation("04.30.018", "检验类别", text("生化检验")),
                _item("葡萄糖", "6.8", "mmol/L", "2", "异常"),
                _item("肌酐", "71", "μmol/L", "1", "正常"),
            ),
            section(
                "", "检验报告", observation("04.50.130", "检验报告结果", text("空腹血糖偏高"))
            ),
        ],
        ids=[("1.12", "ZY2026000471"), ("1.33", "LIS20260302-0042"), ("1.24", "SQ8807")],
    )


def operation() -> bytes:
    """C0009: one operation."""
    inner = (
        coded("36.0601", "冠状动脉药物洗脱支架置入术", "2.3.3.12", "code")
        + tag(
            "effectiveTime",
            tag("low", value="20260304090000") + tag("high", value="20260304101000"),
        )
        + tag("performer", person("1.4", "D0102", "陆知行"))
        + tag(
            "entryRelationship",
            observation("06.00.094", "手术名称", text("冠状动脉支架置入术")),
            typeCode="COMP",
        )
        + tag(
            "entryRelationship",
            observation("06.00.255", "手术级别", coded("4", "四级手术", "2.3.1.258")),
            typeCode="COMP",
        )
    )
    return document(
        "C0009",
        [
            section(
                "10219-4",
                "Surgical operation note preoperative Dx",
                observation(
                    "05.01.024", "术前诊断编码", icd("I25.103", "冠状动脉粥样硬化性心脏病")
                ),
            ),
            section(
                "10218-6",
                "Surgical operation note postoperative Dx",
                observation(
                    "05.01.024", "术后诊断编码", icd("I25.103", "冠状动脉粥样硬化性心脏病")
                ),
            ),
            section(
                "47519-4",
                "HISTORY OF PROCEDURES",
                tag("procedure", inner, classCode="PROC", moodCode="EVN"),
                observation("06.00.097", "出血量", amount("20", "mL")),
            ),
            section(
                "8724-7",
                "Surgical operation note description",
                observation("05.10.063", "手术过程描述", text("经桡动脉入路，置入支架一枚。")),
            ),
        ],
    )


def front_page() -> bytes:
    """C0032: main and other diagnosis, discharge, fees."""

    def diagnosis(kind: str, code: str, name: str) -> str:
        return organizer(
            observation("05.01.025", f"{kind}诊断名称", text(name), at="20260309"),
            observation("05.01.024", f"{kind}诊断编码", icd(code, name)),
            observation("09.00.104", "入院病情代码", coded("1", "有", "2.3.1.253")),
        )

    return document(
        "C0032",
        [
            section(
                "11535-2",
                "HOSPITAL DISCHARGE DX",
                diagnosis("主要", "I25.103", "冠状动脉粥样硬化性心脏病"),
                diagnosis("其他", "I10.x00", "原发性高血压"),
            ),
            section(
                "48765-2",
                "Allergies",
                tag(
                    "act",
                    tag(
                        "entryRelationship",
                        observation("02.10.023", "过敏史标志", flag("true")),
                        typeCode="SUBJ",
                    )
                    + tag(
                        "participant",
                        tag("participantRole", tag("playingEntity", tag("desc", "磺胺类"))),
                        typeCode="CSM",
                    ),
                    classCode="ACT",
                    moodCode="EVN",
                ),
            ),
            section(
                "30954-2",
                "STUDIES SUMMARY",
                observation("04.50.001", "ABO血型", coded("1", "A型", "2.3.1.85")),
            ),
            section(
                "8648-8",
                "Hospital Course",
                observation("06.00.310", "实际住院天数", amount("8", "天")),
            ),
        ],
        ids=[("1.12", "ZY2026000471"), ("1.13", "BA0088471"), ("1.19", "HC330102000471")],
        period=STAY,
    )


def admission() -> bytes:
    """C0034: histories, vital signs, nested diagnosis."""
    return document(
        "C0034",
        [
            section(
                "10154-3",
                "CHIEF COMPLAINT",
                observation("04.01.119", "主诉", text("反复胸闷1月")),
            ),
            section(
                "8716-3",
                "VITAL SIGNS",
                observation("04.10.186", "体温", amount("36.6", "℃")),
                observation("04.10.118", "脉率", amount("78", "次/min")),
                observation("04.10.082", "呼吸频率", amount("18", "次/min")),
                organizer(
                    observation("04.10.174", "收缩压", amount("152", "mmHg")),
                    observation("04.10.176", "舒张压", amount("94", "mmHg")),
                    kind="BATTERY",
                ),
                observation("04.10.167", "身高", amount("161", "cm")),
                observation("04.10.188", "体重", amount("0", "kg")),
            ),
            section(
                "29545-1",
                "PHYSICAL EXAMINATION",
                observation("04.10.219", "一般状况检查结果", text("神志清，精神可")),
            ),
            section(
                "11450-4",
                "PROBLEM LIST",
                observation("05.10.143", "陈述内容可靠标志", flag("true")),
                observation(
                    "05.01.025",
                    "初步诊断-西医诊断名称",
                    text("冠状动脉粥样硬化性心脏病"),
                    observation(
                        "05.01.024",
                        "初步诊断-西医诊断编码",
                        icd("I25.103", "冠状动脉粥样硬化性心脏病"),
                    ),
                    at="20260301113000",
                ),
            ),
        ],
        period=tag("effectiveTime", tag("low", value="20260301093000")),
    )


def first_note() -> bytes:
    """C0037: provisional and differential diagnosis, Chinese disease and syndrome."""
    return document(
        "C0037",
        [
            section(
                "10154-3",
                "CHIEF COMPLAINT",
                observation("04.01.119", "主诉", text("反复胸闷1月")),
            ),
            section(
                "29548-5",
                "Diagnosis",
                observation("05.10.133", "病例特点", text("中年女性，反复胸闷，活动后加重。")),
                observation(
                    "05.01.024",
                    "初步诊断-西医诊断编码",
                    icd("I25.103", "冠状动脉粥样硬化性心脏病"),
                ),
                organizer(
                    observation(
                        "05.10.130",
                        "初步诊断-中医病名代码",
                        coded("BNX080", "胸痹心痛病", "2.3.3.14"),
                    ),
                    observation(
                        "05.10.130",
                        "初步诊断-中医证候代码",
                        coded("ZYVXK0", "心血瘀阻证", "2.3.3.14"),
                    ),
                ),
                observation("05.01.025", "鉴别诊断-西医诊断名称", text("肋间神经痛")),
            ),
            section(
                "18776-5",
                "TREATMENT PLAN",
                observation("05.01.025", "诊疗计划", text("完善冠脉造影")),
            ),
        ],
    )


def discharge() -> bytes:
    """C0053: admission and discharge diagnosis, course."""
    return document(
        "C0053",
        [
            section(
                "46241-6",
                "HOSPITAL ADMISSION DX",
                observation(
                    "05.01.024",
                    "入院诊断-西医诊断编码",
                    icd("I25.103", "冠状动脉粥样硬化性心脏病"),
                ),
            ),
            section(
                "11535-2",
                "HOSPITAL DISCHARGE DX",
                observation(
                    "05.01.024",
                    "出院诊断-西医诊断编码",
                    icd("I25.103", "冠状动脉粥样硬化性心脏病"),
                ),
                observation("06.00.193", "出院情况", text("病情平稳，伤口愈合好")),
            ),
            section(
                "8648-8",
                "Hospital Course",
                observation(
                    "06.00.296", "诊疗过程描述", text("行冠状动脉支架置入术，术后恢复顺利。")
                ),
                observation("06.00.310", "实际住院天数", amount("8", "天")),
            ),
            section(
                "46209-3",
                "Provider Orders",
                observation("06.00.287", "出院医嘱", text("规律服药，1月后门诊复查")),
            ),
        ],
        period=STAY,
    )


FILLED = {
    "c0001-summary": summary,
    "c0002-outpatient": outpatient,
    "c0004-prescription": prescription,
    "c0006-examination": examination,
    "c0007-laboratory": laboratory,
    "c0009-operation": operation,
    "c0032-front-page": front_page,
    "c0034-admission": admission,
    "c0037-first-note": first_note,
    "c0053-discharge": discharge,
}
__all__ = ["FILLED", "ident"]
