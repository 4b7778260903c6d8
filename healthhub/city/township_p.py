"""Townships P and Q: health centres whose staff hand in CSV and Excel files that they made by hand.

The basic HIS exports visits, diagnoses, prescriptions and results; the public-health system
residents' records and the follow-ups of hypertension. Dates are written in many ways, digits now
and then in full width. Township Q, of the same software, falls silent before the story ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import orjson

from healthhub.city import houses, moments
from healthhub.city.by_hand import day, full_width, minute
from healthhub.city.channels import FILE, Folder
from healthhub.city.charts import Chart, local_number
from healthhub.city.houses import Custom
from healthhub.city.moments import DAY, MINUTE, Moment
from healthhub.city.places import CITY, STAFF
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.sheets import DIASTOLIC, SYSTOLIC, booked
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Report, Visit

ITEMS = {"glu": "GLU", "k": "K", "upro": "PRO"}
"""Tests that a health centre's bench can do, by their local codes."""
_MARRIED = {"10": "1", "20": "2", "30": "3", "40": "4"}
_UNREADABLE = b"\xff\xfd\x80\x81 \xd6\xd0\xff\xff,\x90"
SILENT_DAYS = 20


class TownshipP(System):
    """The health centre of a town whose people mostly come here."""

    about = About(
        source="township-p",
        house="p",
        title="柳溪镇卫生院 基本HIS与公卫系统",
        adapter="tabular",
        mapping="township-p",
        institution="township-p",
        institution_title=f"{CITY}柳溪镇卫生院",
        kind="township",
        charset="gb18030",
    )
    channel = Folder(booked)
    custom = Custom(share=0.45, yearly=1.1)

    def history(self, person: Person) -> Iterator[Sent]:
        """The record of who comes here, their visits, and the follow-ups of their pressure."""
        end = self.silent_since(moments.day_of(person.until)) or person.until
        seen = [v for v in houses.visits(person, self.house, self.custom) if v.end < end - DAY]
        if not seen:
            return
        chart = self.registered(person, seen[0].start)
        yield self._record(person, chart, seen[0].start)
        for visit in seen:
            yield from self._visit(person, chart, visit)
        since = person.body.since.get("hypertension")
        if since is not None:
            yield from self._follow_ups(person, chart, max(since, seen[0].start), end)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A visit, and the follow-up of one who has hypertension."""
        chart = self.registered(person, end)
        yield self._record(person, chart, end - 9 * MINUTE)
        yield from self._visit(person, chart, houses.quick(person, self.house, end, count))
        if "hypertension" in person.body.since:
            yield self._follow_up(person, chart, end, count)

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """Files that nobody can use: one in no charset, one that is no table of the system's."""
        at = moments.of(until) - 30 * DAY
        for name, raw, planted in (
            ("检验结果(乱码).csv", _UNREADABLE, "wrong-charset"),
            (
                "节假日值班安排.csv",
                "日期,值班人\r\n10月1日,何医生\r\n".encode("gbk"),
                "garbage",
            ),
        ):
            yield Sent(at, self.source, raw, FILE, name, "", planted, "", accepted=False)

    def _record(self, person: Person, chart: Chart, at: Moment) -> Sent:
        """MPI_DemographicInfo with the number of the health record."""
        dice, resident = person.dice, chart.resident
        phone = full_width(chart.phone) if dice.chance(0.1) else chart.phone
        cells = {
            "empiId": chart.number,
            "健康档案编号": f"42900400100{chart.number[-8:]}",
            "姓名": chart.name if dice.chance(0.8) else f"{chart.name[0]}　{chart.name[1:]}",
            "身份证号": chart.written_id,
            "性别": "男" if resident.sex == "M" else "女",
            "出生日期": day(dice, moments.of(resident.birth)) if chart.birth[:4] != "1900" else "1900-01-01",
            "手机号": phone,
            "民族": resident.group,
            "血型": str(dice.whole(1, 5)),
            "婚姻状况": _MARRIED[resident.married],
            "住址": chart.address,
            "建档日期": day(dice, at),
            "最后修改时间": minute(at),
            "状态": "0",
        }  # fmt: skip
        return self.row("PER", at, cells, chart.number, person, chart.planted)

    def _visit(self, person: Person, chart: Chart, visit: Visit) -> Iterator[Sent]:
        number = f"J{chart.number[-8:]}{visit.count:05d}"
        at, dice = visit.end + MINUTE, person.dice
        visited = {
            "JZXH": number,
            "BRID": f"BR{chart.number[-8:]}",
            "EMPIID": chart.number,
            "BRXM": chart.name,
            "KSDM": "全科",
            "YSDM": visit.doctor.name,
            "KSSJ": minute(visit.start),
            "JSSJ": minute(visit.end),
            "JZZT": "9",
            "THBZ": "0",
        }
        person.tally[f"visits.{self.house}"] += 1
        again = dice.chance(BY_HAND.resend_same) and not person.named
        yield self.row("VST", at, visited, number, person)
        if again:
            yield self.row("VST", at + 100 * DAY, visited, number, person, "resend-same")
        for n, found in enumerate(visit.diagnoses):
            told = {
                "JZXH": number,
                "EMPIID": chart.number,
                "ICD10": found.code,
                "ZDMC": found.name,
                "ZZBZ": "0" if n else "1",
                "FBRQ": day(dice, visit.start),
            }
            person.tally[f"diagnoses.{self.house}"] += 1
            yield self.row("DIA", at, told, f"{number}-{n}", person)
        yield from self._medicines(person, chart, visit, number)
        for report in visit.reports:
            yield from self._results(person, chart, report, f"{number}{report.panel.code_b}")

    def _medicines(
        self, person: Person, chart: Chart, visit: Visit, number: str
    ) -> Iterator[Sent]:
        """Lines of the prescription; now and then one is written for another of the family and
        made void the day after."""
        dice = person.dice
        lines = [line for line in visit.prescriptions if line.drug.route == "口服"]
        for n, line in enumerate(lines):
            drug = line.drug
            cells = {
                "CFSB": f"CF{number}",
                "JZXH": number,
                "EMPIID": chart.number,
                "YPXH": drug.code_b,
                "YPMC": drug.name,
                "YPGG": drug.spec,
                "YCJL": full_width(drug.dose) if dice.chance(0.05) else drug.dose,
                "YCDW": drug.unit,
                "GYTJ": "1",
                "PC": drug.frequency,
                "YYTS": str(line.days),
                "YPSL": f"{drug.quantity}{drug.pack}",
                "KFRQ": day(dice, line.written),
                "ZFPB": "0",
            }
            key, at = f"{number}-{drug.code_b}", line.written
            others = [m for m in person.family.members if m.person != person.resident.person]
            person.tally[f"prescriptions.{self.house}"] += 1
            if n == 0 and others and not person.named and dice.chance(BY_HAND.wrong_patient):
                wrong = cells | {
                    "CFSB": f"CW{number}",
                    "EMPIID": self._number_of(others[0].ordinal),
                }
                whose = f"belongs to {person.resident.person}"
                yield self.row("DRG", at, wrong, f"W{key}", person, "wrong-patient", whose)
                void = wrong | {"ZFPB": "1"}
                yield self.row(
                    "DRG", at + 95 * DAY, void, f"W{key}", person, "wrong-patient", whose
                )
            yield self.row("DRG", at, cells, key, person)

    def _number_of(self, ordinal: int) -> str:
        return local_number(self.house, ordinal)

    def _results(
        self, person: Person, chart: Chart, report: Report, number: str
    ) -> Iterator[Sent]:
        dice = person.dice
        known = [r for r in report.results if r.item.key in ITEMS]
        if not known:
            return
        person.tally[f"reports.{self.house}"] += 1
        throw = 1.0 if person.named else dice.random()
        planted = (
            "unknown-code" if throw < BY_HAND.unknown_code
            else "bad-time" if throw < BY_HAND.unknown_code + BY_HAND.bad_time
            else ""
        )  # fmt: skip
        tested = "2025/2/30" if planted == "bad-time" else day(dice, report.collected)
        for n, result in enumerate(known):
            item = result.item
            low, high = item.range(person.resident.sex)
            code = "BYX09" if planted == "unknown-code" and n == 0 else ITEMS[item.key]
            cells = {
                "报告号": number,
                "EMPIID": chart.number,
                "项目代码": code,
                "项目名称": item.name,
                "结果": full_width(result.value) if dice.chance(0.05) else result.value,
                "单位": item.unit,
                "参考范围": f"{low}-{high}" if item.digits >= 0 else item.expected,
                "提示": {"H": "↑", "HH": "↑", "L": "↓", "LL": "↓"}.get(result.mark, ""),
                "检验日期": tested,
            }
            person.tally[f"results.{self.house}"] += 1
            first = planted if n == 0 else ""
            where = {"unknown-code": "ITM-itemId", "bad-time": "ITM-testDate"}.get(first, "")
            yield self.row(
                "ITM", report.reported, cells, f"{number}-{code}", person, first, where
            )

    def _follow_ups(
        self, person: Person, chart: Chart, begin: Moment, end: Moment
    ) -> Iterator[Sent]:
        """Once a season; now and then with the two pressures swapped, put right later."""
        dice, at, count = person.dice, begin + 10 * DAY, 1
        while at < end - 10 * DAY:
            sent = self._follow_up(person, chart, at, count)
            if not person.named and dice.chance(BY_HAND.correction):
                cells = orjson.loads(sent.raw)
                high, low = cells[SYSTOLIC], cells[DIASTOLIC]
                wrong = cells | {SYSTOLIC: low, DIASTOLIC: high}
                yield replace(
                    sent,
                    raw=orjson.dumps(wrong),
                    planted="corrected",
                    detail="HTN-constriction",
                )
                yield replace(
                    sent, at=at + 100 * DAY, planted="corrected", detail="HTN-constriction"
                )
            else:
                yield sent
            at, count = at + 91 * DAY + dice.whole(-8, 8) * DAY, count + 1

    def _follow_up(self, person: Person, chart: Chart, at: Moment, count: int) -> Sent:
        """The follow-up's form. constriction is the systolic pressure."""
        dice = person.dice
        high = round(dice.near(142, 10) - (8 if dice.chance(0.5) else 0))
        controlled = high < 140
        number = f"SF{chart.number[-8:]}{count:05d}"
        medicine = person.body.since.get("hypertension") and "苯磺酸氨氯地平片"
        person.tally[f"follow-ups.{self.house}"] += 1
        cells = {
            "随访编号": number,
            "个人编号": chart.number,
            "姓名": chart.name,
            "随访日期": day(dice, at),
            "随访方式": dice.pick("1145"),
            SYSTOLIC: full_width(str(high)) if dice.chance(0.1) else str(high),
            DIASTOLIC: str(round(dice.near(86, 6))),
            "体重(kg)": f"{dice.near(64, 8):.1f}",
            "心率": f"{round(dice.near(74, 7))}次/分" if dice.chance(0.3) else str(round(dice.near(74, 7))),
            "症状": "无" if controlled else "头晕",
            "服药情况/药物名称": medicine,
            "服药情况/用法用量": "每日1次，每次5mg",
            "此次随访分类": "1" if controlled else "2",
            "下次随访日期": day(dice, at + 90 * DAY),
            "随访医生": STAFF[self.house]["general"][0].name,
        }  # fmt: skip
        return self.row("HTN", at, cells, number, person)


class TownshipQ(TownshipP):
    """A smaller centre of the same software, which has sent nothing for weeks."""

    about = About(
        source="township-q",
        house="q",
        title="白螺湾镇卫生院 基本HIS与公卫系统",
        adapter="tabular",
        mapping="township-p",
        institution="township-q",
        institution_title=f"{CITY}白螺湾镇卫生院",
        kind="township",
        charset="gb18030",
    )
    custom = Custom(share=0.1, yearly=0.9)
    silent_minutes = 2

    def history(self, person: Person) -> Iterator[Sent]:
        """As at P, of fewer; the named residents live elsewhere."""
        return iter(()) if person.named else super().history(person)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """Nothing: it is silent."""
        return iter(())

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """Nothing."""
        return iter(())

    def silent_since(self, until: date) -> Moment | None:
        """Weeks before the story ends."""
        return moments.of(until) - SILENT_DAYS * DAY
