"""Histories of invented residents in the shapes that institutions hold them: views, files, documents.

What stands in them is drawn with a fixed seed, so that every run measures the same. Each resident
has a few visits; each visit its diagnosis, most a laboratory report of a dozen items, some a
prescription: the proportions of a hospital, where results are most of the rows.
"""

from __future__ import annotations

import csv
import random
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from healthhub.city import people
from healthhub.city.people import Resident

SEED = 77
UNTIL = date(2026, 3, 1)
VISITS = 5
ITEMS = (
    ("XCG01", "白细胞计数", "10^9/L", 3.5, 9.5), ("XCG02", "红细胞计数", "10^12/L", 3.8, 5.8),
    ("XCG03", "血红蛋白", "g/L", 115, 175), ("XCG06", "血小板计数", "10^9/L", 125, 350),
    ("MY001", "C反应蛋白", "mg/L", 0, 10), ("SH001", "丙氨酸氨基转移酶", "U/L", 9, 50),
    ("SH002", "天门冬氨酸氨基转移酶", "U/L", 15, 40), ("SH006", "白蛋白", "g/L", 40, 55),
    ("SH021", "尿素", "mmol/L", 3.1, 8.0), ("SH022", "肌酐", "μmol/L", 57, 97),
    ("SH023", "尿酸", "μmol/L", 208, 428), ("SH031", "总胆固醇", "mmol/L", 2.8, 5.2),
    ("SH041", "空腹血糖", "mmol/L", 3.9, 6.1), ("SH051", "钾", "mmol/L", 3.5, 5.3),
)  # fmt: skip
ILLNESSES = (
    ("I10.x00", "高血压"), ("E11.900", "2型糖尿病"), ("J06.900", "急性上呼吸道感染"),
    ("I25.100", "动脉粥样硬化性心脏病"), ("K29.500", "慢性胃炎"), ("M51.202", "腰椎间盘突出"),
)  # fmt: skip
MEDICINES = (
    ("10101", "苯磺酸氨氯地平片", "5mg*28片", "5", "mg", "QD"),
    ("10102", "阿司匹林肠溶片", "100mg*30片", "100", "mg", "QN"),
    ("10103", "二甲双胍片", "0.5g*20片", "0.5", "g", "BID"),
    ("10104", "阿莫西林胶囊", "0.25g*24粒", "0.5", "g", "TID"),
)
DOCTORS = ("顾明", "林森", "何静", "陆知行", "沈舒", "秦越")
Row = Mapping[str, Any]


def residents(count: int) -> Iterator[Resident]:
    """So many invented residents."""
    for family in people.families(SEED, count, UNTIL):
        yield from family.members


def _visits(dice: random.Random) -> Iterator[tuple[int, datetime]]:
    """The visits of a resident, in order of time."""
    start = datetime(2021, 1, 1) + timedelta(minutes=dice.randrange(60 * 24 * 300))  # noqa: DTZ001
    for number in range(VISITS):
        yield number, start + timedelta(days=number * dice.randrange(40, 300))


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def views(path: Path, count: int) -> int:
    """Hospital B's views in a SQLite file, rows in order of change; gives the number of rows."""
    tables: dict[str, list[Row]] = {}
    for resident in residents(count):
        for name, row in _viewed(resident):
            tables.setdefault(name, []).append(row)
    with sqlite3.connect(path) as store:
        for name, rows in tables.items():
            columns = list(rows[0])
            store.execute(f"create table {name} ({', '.join(f'{c} text' for c in columns)})")
            marks = ", ".join("?" * len(columns))
            store.executemany(
                f"insert into {name} values ({marks})", [tuple(row.values()) for row in rows]
            )
            store.execute(f"create index at_{name} on {name} (gxrq)")
        for child, key in (("V_LAB_RESULT", "jybgdbh"), ("V_PRESCRIPTION_LINE", "cfxh")):
            store.execute(f"create index of_{child} on {child} ({key})")
    store.close()
    return sum(map(len, tables.values()))


def reports(count: int) -> Iterator[tuple[Row, list[Row]]]:
    """The rows of laboratory reports as the views have them, each with those of its results."""
    for resident in residents(count):
        report: Row = {}
        results: list[Row] = []
        for name, row in _viewed(resident):
            if name == "V_LAB_REPORT":
                if results:
                    yield report, results
                report, results = row, []
            elif name == "V_LAB_RESULT":
                results.append(row)
        yield report, results


def _viewed(of: Resident) -> Iterator[tuple[str, Row]]:
    dice, n = random.Random(of.ordinal), of.ordinal
    patient = {"patid": f"B{n:07d}"}
    first = True
    for number, at in _visits(dice):
        changed = {"gxrq": _stamp(at), "isdelete": "0"}
        if first:
            yield (
                "V_PATIENT",
                patient
                | {"hzxm": of.name, "sfzhm": of.number, "sfzjlb": "01"}
                | {"xbdm": "1" if of.sex == "M" else "2", "csrq": f"{of.birth:%Y%m%d}"}
                | {"hyzkdm": of.married, "mz": of.group, "dzsf": "江南省", "dzsq": "泽安市"}
                | {"dzx": of.town, "dzmphm": of.line, "hzdhhm": of.phone}
                | changed,
            )
            first = False
        visit = {"jzlsh": f"M{n:07d}{number}"} | patient
        doctor = dice.randrange(len(DOCTORS))
        yield (
            "V_VISIT",
            visit
            | {"jzlb": "1", "mjzh": f"MZ{n}{number}", "jzrqsj": _stamp(at), "ksdm": "0301"}
            | {"ksmc": "心血管内科", "zrysgh": f"D{doctor:03d}", "zrysxm": DOCTORS[doctor]}
            | {"zs": f"头晕{dice.randrange(1, 9)}天"}
            | changed,
        )
        code, title = dice.choice(ILLNESSES)
        yield (
            "V_DIAGNOSIS",
            {"zdlsh": f"ZD{n}{number}", "jbdm": code, "jbmc": title, "zdlxbm": "5"}
            | visit
            | {"zyzdbz": "1", "yszdbz": "0", "zdrq": f"{at:%Y%m%d}", "zgqk": "2"}
            | changed,
        )
        if number % 3 < 2:
            yield from _reported(dice, f"{n}{number}", visit, at, changed)
        else:
            yield from _prescribed(dice, f"{n}{number}", visit, at, changed)


def _reported(
    dice: random.Random, name: str, visit: Row, at: datetime, changed: Row
) -> Iterator[tuple[str, Row]]:
    report = {"jybgdbh": f"R{name}"}
    taken, told = at + timedelta(minutes=20), at + timedelta(hours=2)
    yield (
        "V_LAB_REPORT",
        report
        | dict(visit)
        | {"dzsqdbh": f"S{name}", "txdm": f"T{name}", "bblbdm": "C", "bblbmc": "血清"}
        | {
            "jylbdm": "JYZ012",
            "jylbmc": "肾功能",
            "cjsj": _stamp(taken),
            "jybgrq": _stamp(told),
        }
        | {"shysqmsj": _stamp(told), "shys": dice.choice(DOCTORS)}
        | dict(changed),
    )
    for code, title, unit, low, high in ITEMS:
        value = round(dice.gauss((low + high) / 2, (high - low) / 3), 2)
        mark = "↑" if value > high else "↓" if value < low else ""
        yield (
            "V_LAB_RESULT",
            report
            | {"jyxmdm": code, "jyxmmc": title, "jyjg": f"{abs(value):g}", "jydljgjldw": unit}
            | {"ckfw": f"{low}-{high}", "ts": mark, "wjzbz": "0"}
            | dict(changed),
        )


def _prescribed(
    dice: random.Random, name: str, visit: Row, at: datetime, changed: Row
) -> Iterator[tuple[str, Row]]:
    order = {"cfxh": f"CF{name}"}
    doctor = dice.choice(DOCTORS)
    yield (
        "V_PRESCRIPTION",
        order
        | dict(visit)
        | {"cfklrq": _stamp(at), "kfys": doctor, "cfzt": "0"}
        | dict(changed),
    )
    for line, (code, title, size, dose, unit, often) in enumerate(MEDICINES[:2]):
        yield (
            "V_PRESCRIPTION_LINE",
            order
            | {"mxxh": str(line), "ywdm": code, "ywmc": title, "ywgg": size, "ywsycjl": dose}
            | {"ywsyjldw": unit, "ywsypcdm": often, "ywsytj": "1", "cfyxts": "28"}
            | dict(changed),
        )


_FILES: Mapping[str, Sequence[str]] = {
    "个人档案": "empiId 健康档案编号 姓名 身份证号 性别 出生日期 手机号 民族 血型 婚姻状况 住址 建档日期 最后修改时间 状态".split(),
    "门诊就诊": "JZXH BRID EMPIID BRXM KSDM YSDM KSSJ JSSJ JZZT THBZ".split(),
    "门诊诊断": "JZXH EMPIID ICD10 ZDMC ZZBZ FBRQ".split(),
    "检验结果": "报告号 EMPIID 项目代码 项目名称 结果 单位 参考范围 提示 检验日期".split(),
    "门诊处方": "CFSB JZXH EMPIID YPXH YPMC YPGG YCJL YCDW GYTJ PC YYTS YPSL KFRQ ZFPB".split(),
}


def files(folder: Path, count: int) -> int:
    """Township P's CSV files, in GBK as its programs write them; gives the number of rows."""
    folder.mkdir(parents=True)
    rows = 0
    opened = {
        name: (folder / f"{name}.csv").open("w", encoding="gb18030", newline="")
        for name in _FILES
    }
    try:
        writers = {name: csv.writer(file) for name, file in opened.items()}
        for name, headings in _FILES.items():
            writers[name].writerow(headings)
        for resident in residents(count):
            for name, row in _filed(resident):
                writers[name].writerow(row)
                rows += 1
    finally:
        for file in opened.values():
            file.close()
    return rows


def _filed(of: Resident) -> Iterator[tuple[str, Sequence[str]]]:
    dice, n = random.Random(of.ordinal), of.ordinal
    person, sex = f"E{n:031d}", "1" if of.sex == "M" else "2"
    yield (
        "个人档案",
        (person, f"3604210010010{n:07d}", of.name, of.number, sex, f"{of.birth:%Y-%m-%d}",
         of.phone, of.group, "2", "3", of.line, "2016/5/3", "2024/3/1 8:05", "0"),
    )  # fmt: skip
    for number, at in _visits(dice):
        visit, day = f"J{n:07d}{number}", f"{at.year}/{at.month}/{at.day}"
        doctor = dice.choice(DOCTORS)
        minute = f"{day} {at.hour}:{at.minute:02d}"
        yield (
            "门诊就诊",
            (visit, f"BR{n}", person, of.name, "01", doctor, minute, minute, "9", "0"),
        )
        code, title = dice.choice(ILLNESSES)
        yield "门诊诊断", (visit, person, code, title, "1", day)
        if number % 3 < 2:
            for item, name, unit, low, high in ITEMS:
                value = abs(round(dice.gauss((low + high) / 2, (high - low) / 3), 2))
                mark = "↑" if value > high else "↓" if value < low else ""
                yield (
                    "检验结果",
                    (f"R{n}{number}", person, item, name, f"{value:g}", unit, f"{low}-{high}",
                     mark, day),
                )  # fmt: skip
        else:
            for code, name, size, dose, unit, often in MEDICINES[:2]:
                yield (
                    "门诊处方",
                    (f"CF{n}{number}", visit, person, code, name, size, dose, unit, "1", often,
                     "28", "1盒", day, "0"),
                )  # fmt: skip


_OWN = re.compile(
    rb'(<id root="2\.16\.156\.10011\.1\.(?:1|12|24|33|10|11|14|16|17|18|31|35)" extension=")([^"]*)'
)
_RESIDENT = re.compile(rb'(<id root="2\.16\.156\.10011\.1\.3" extension=")\d{17}[\dX]')
_NAME = re.compile(rb"(</?name>)")
_ENTRY = re.compile(rb"<entry>.*?</entry>", re.DOTALL)


def documents(
    folder: Path, samples: Path, count: int, least_bytes: Sequence[int] = (0,)
) -> int:
    """WS/T 500 documents after the samples of all kinds that there are, each of another number,
    two of each resident; gives their bytes. By turns they repeat their entries until they have
    ``least_bytes``, as the documents of long stays do."""
    folder.mkdir(parents=True)
    templates = [path.read_bytes() for path in sorted(samples.glob("c*.xml"))]
    written = 0
    born = list(residents(count // 2 + 1))
    for number in range(count):
        of = born[number // 2]
        made = _renumbered(templates[number % len(templates)], of, number)
        made = _lengthened(made, least_bytes[number % len(least_bytes)])
        (folder / f"{number:07d}.xml").write_bytes(made)
        written += len(made)
    return written


def _renumbered(template: bytes, of: Resident, number: int) -> bytes:
    own = f"{of.ordinal}D{number}".encode()
    made = _OWN.sub(lambda found: found[1] + found[2] + b"-" + own, template)
    patient = b'<id root="2.16.156.10011.1.12" extension="'
    made = re.sub(re.escape(patient) + rb'[^"]*', patient + f"C{of.ordinal:07d}".encode(), made)
    made = _RESIDENT.sub(lambda found: found[1] + of.number.encode(), made)
    return re.sub(
        rb"(<patient .*?<name>)[^<]*", lambda found: found[1] + of.name.encode(), made, count=1,
        flags=re.DOTALL,
    )  # fmt: skip


def _lengthened(document: bytes, least: int) -> bytes:
    entries = _ENTRY.findall(document)
    if not entries or len(document) >= least:
        return document
    longest = max(entries, key=len)
    again = -(-(least - len(document)) // len(longest))
    return document.replace(longest, longest * (again + 1), 1)
