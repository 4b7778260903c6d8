"""The physical-examination vehicle: once a year it examines the old and those with lasting illnesses, in
the street; its staff hand in GBK files whose headings stand in two rows and carry the units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from healthhub.city.body import YEAR
from healthhub.city.by_hand import day, full_width
from healthhub.city.catalogue import PANELS
from healthhub.city.channels import Folder
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.parties import spelt
from healthhub.city.places import CITY, STAFF
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.sheets import Style, text
from healthhub.city.system import About, Person, System

_STYLE = Style(
    "健康体检登记", title=f"{CITY}健康体检车体检登记表", maker="健康体检车", levels=2
)
_SHARE = 0.4
"""Of those who are asked, who come in a year."""
_ITEMS = {
    "血常规/血红蛋白(g/L)": "hgb",
    "血常规/白细胞(×10^9/L)": "wbc",
    "血常规/血小板(×10^9/L)": "plt",
    "尿常规/尿蛋白": "upro",
    "尿常规/尿糖": "uglu",
    "空腹血糖(mmol/L)": "glu",
    "肝功能/谷丙转氨酶(U/L)": "alt",
    "肝功能/谷草转氨酶(U/L)": "ast",
    "肾功能/血清肌酐(μmol/L)": "crea",
    "肾功能/血尿素(mmol/L)": "urea",
    "血脂/总胆固醇(mmol/L)": "tc",
    "血脂/甘油三酯(mmol/L)": "tg",
    "血脂/低密度脂蛋白胆固醇(mmol/L)": "ldl",
    "血脂/高密度脂蛋白胆固醇(mmol/L)": "hdl",
}
"""What the vehicle's laboratory measures, by its headings."""
_PANELS = ("cbc", "urine", "glucose", "liver", "kidney", "lipid")


def booked(kind: str, rows: Sequence[Mapping[str, Any]], stamp: str) -> tuple[str, bytes]:
    """The file of a quarter."""
    return f"{_STYLE.name}{stamp}.csv", text(rows, _STYLE)


class ExamVehicle(System):
    """The city's vehicle."""

    about = About(
        source="exam-vehicle",
        house="v",
        title="健康体检车 体检登记",
        adapter="tabular",
        mapping="exam-vehicle",
        institution="exam-vehicle",
        institution_title=f"{CITY}健康体检车",
        kind="public",
        charset="gb18030",
    )
    channel = Folder(booked)

    def history(self, person: Person) -> Iterator[Sent]:
        """One examination a year, if the person comes."""
        dice = person.dice
        at, count = person.begin + dice.whole(20, 300) * DAY, 0
        while at < person.until:
            start = at - at % DAY + dice.whole(8, 11) * HOUR + dice.whole(0, 59) * MINUTE
            comes = person.named or (self._asked(person, start) and dice.chance(_SHARE))
            if comes and not person.busy(start, start + HOUR):
                count += 1
                yield from self._examined(person, start, count)
            at += round(YEAR) + dice.whole(-20, 20) * DAY

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """An examination just now."""
        yield from self._examined(person, end - 4 * MINUTE, count)

    @staticmethod
    def _asked(person: Person, at: Moment) -> bool:
        ill = any(person.body.lasting(key, at) >= 0 for key in ("hypertension", "diabetes"))
        return ill or at - person.life.born > 65 * YEAR

    def _chart(self, person: Person, at: Moment) -> Chart:
        """The vehicle numbers examinations, not people: the truth has no number of its own here."""
        dice = Dice(person.seed, self.source, "chart", person.resident.ordinal)
        return righted(first_chart(dice, person.resident, person.family, self.house, at))

    def _examined(self, person: Person, at: Moment, count: int) -> Iterator[Sent]:
        dice, resident = person.dice, person.resident
        chart = self._chart(person, at)
        person.tally[f"exams.{self.house}"] += 1
        number = f"{chart.number}{count:05d}"
        moved = person.body.shifts(at)
        results = {
            result.item.key: result
            for panel in _PANELS
            for result in person.body.panel(PANELS[panel], moved)
        }
        pressed = person.body.lasting("hypertension", at) >= 0
        high, low = round(dice.near(146 if pressed else 122, 10)), round(dice.near(84 if pressed else 76, 6))  # fmt: skip
        height, weight = dice.near(168 if resident.sex == "M" else 157, 6), dice.near(64, 8)
        odd = [results[key] for key in ("glu", "tg", "crea", "hgb") if results[key].mark]
        found = (["血压偏高"] if high >= 140 else []) + [
            f"{result.item.name}{'偏高' if result.mark[0] == 'H' else '偏低'}" for result in odd
        ]
        cells: dict[str, object] = {
            "体检编号": number,
            "姓名": resident.name
            if dice.chance(0.8)
            else f"{resident.name[0]}　{resident.name[1:]}",
            "性别": "男" if resident.sex == "M" else "女",
            "身份证号": chart.written_id,
            "出生日期": day(dice, person.life.born),
            "联系电话": full_width(chart.phone) if dice.chance(0.1) else chart.phone,
            "现住址": chart.address,
            "体检日期": day(dice, at),
            "体检类别": "2" if at - person.life.born > 65 * YEAR else "3" if pressed else "9",
            "体检地点": f"{resident.town}文化广场",
            "一般状况/体温(℃)": f"{dice.near(36.5, 0.2):.1f}",
            "一般状况/脉率(次/分)": str(round(dice.near(75, 7))),
            "一般状况/呼吸频率(次/分)": str(round(dice.near(18, 1.2))),
            "一般状况/身高(cm)": f"{height:.0f}",
            "一般状况/体重(kg)": f"{weight:.1f}",
            "一般状况/BMI": f"{weight / (height / 100) ** 2:.1f}",
            "左侧血压(mmHg)/收缩压": str(high - 3),
            "左侧血压(mmHg)/舒张压": str(low - 2),
            "右侧血压(mmHg)/收缩压": full_width(str(high)) if dice.chance(0.1) else str(high),
            "右侧血压(mmHg)/舒张压": str(low),
            "健康状态自我评估": dice.pick("1223"),
            "生活方式/吸烟状况": dice.pick("1123" if resident.sex == "M" else "1"),
        }
        # a result is written as the analyser prints it
        cells |= {heading: results[key].value for heading, key in _ITEMS.items()}
        cells |= {
            "辅助检查/心电图": "2" if pressed else "1",
            "辅助检查/心电图异常描述": "窦性心律，左室高电压" if pressed else "",
            "辅助检查/腹部B超": "1",
            "健康评价/有无异常": "2" if found else "1",
            **{f"健康评价/异常{n}": [*found, "", "", ""][n - 1] for n in (1, 2, 3)},
            "健康指导": "纳入慢性病患者健康管理" if found else "定期复查",
            "责任医生": STAFF[self.house]["checkup"][0].name,
            "体检车": "健康体检车1号",
            "修改时间": spelt(at + 2 * MINUTE),
        }
        throw = 1.0 if person.named else dice.random()
        planted, detail = "", ""
        if throw < BY_HAND.unknown_code:
            cells["生活方式/吸烟状况"], planted, detail = "8", "unknown-code", "EXM-smoke"
        elif throw < BY_HAND.unknown_code + BY_HAND.bad_time:
            cells["出生日期"], planted, detail = "1900-13-40", "bad-time", "EXM-birthday"
        yield self.row("EXM", at + 3 * MINUTE, cells, number, person, planted, detail)
