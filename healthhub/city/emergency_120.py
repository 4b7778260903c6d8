"""The 120 emergency centre: its dispatch system is read as views under Chinese names. An ambulance brings
some of those who are seen in an emergency room; some calls end where they began, or meet nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from healthhub.city import moments
from healthhub.city.catalogue import DIAGNOSES
from healthhub.city.channels import View, Views
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.parties import INSTITUTIONS, impersonal, spelt
from healthhub.city.places import CITY, STAFF
from healthhub.city.rates import PLATFORM
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Visit

_TRIP = (
    "任务编号 受理流水号 受理时间 呼救电话 呼救类型 呼救原因 现场地址 调度分级 急救站 车辆编号 派车时间 出车时间 到达现场时间 离开现场时间 到达医院时间 "
    "返站时间 送达医院代码 送达医院 任务状态 放空原因 更新时间 删除标志"
)
_RECORD = (
    "任务编号 病历编号 姓名 性别 年龄 出生日期 身份证号 联系电话 主诉 诊断编码 初步诊断 病情分级 收缩压 舒张压 心率 呼吸 血氧饱和度 体温 血糖 GCS评分 "
    "测量时间 急救措施 转归 急救医生 交接时间 接诊医生 更新时间 作废标志"
)
VIEWS = {
    "出车任务": View(tuple(_TRIP.split()), ("任务编号",), "更新时间"),
    "院前病历": View(tuple(_RECORD.split()), ("病历编号",), "更新时间"),
}
_CARRIED = 0.5
"""Share of emergency visits to which an ambulance brought the person."""
_UNKNOWN = 0.05
_STATIONS = ("城关分站", "柳溪分站", "白螺湾分站")


@dataclass(frozen=True, slots=True)
class _Trip:
    """The marks of one trip; 0 where it never came so far."""

    called: Moment
    arrived: Moment
    left: Moment
    hospital: Moment
    done: Moment


class Emergency120(System):
    """The city's centre."""

    about = About(
        source="emergency-120",
        house="e",
        title="市120急救中心 调度系统视图",
        adapter="tabular",
        mapping="emergency-120",
        institution="emergency-120",
        institution_title=f"{CITY}120急救中心",
        kind="public",
        charset="gb18030",
    )
    channel = Views(VIEWS, "gb18030")

    def history(self, person: Person) -> Iterator[Sent]:
        """A trip before some of the emergency visits; the named person was once cared for at home."""
        dice, count = person.dice, 0
        for visit in person.elsewhere:
            if visit.kind == "E" and dice.chance(_CARRIED):
                count += 1
                yield from self._carried(person, visit, count)
        if person.named:
            at = person.begin + dice.whole(30, 300) * DAY + dice.whole(0, 23) * HOUR
            while person.busy(at, at + 2 * HOUR):
                at += DAY
            yield from self._at_home(person, at, count + 1)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A call that ended at home just now."""
        yield from self._at_home(person, end - 25 * MINUTE, count)

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """Trips that met nobody, two a month."""
        dice = Dice(seed, self.source, "empty")
        at = moments.of(begin) + 5 * DAY
        while at < moments.of(until) - 2 * DAY:
            called = at + dice.whole(0, 86_399)
            number = f"T{moments.digits14(called)}0"
            trip = _Trip(called, 0, 0, 0, called + dice.whole(8, 20) * MINUTE)
            cells = self._trip(dice, number, trip, "急病", "晕倒", "路边", "")
            cells |= {
                "任务状态": "放空",
                "放空原因": dice.pick(("呼救人取消", "现场未找到病人")),
            }
            yield impersonal(self.source, "出车任务", trip.done, cells, number)
            at += dice.whole(11, 19) * DAY

    def _chart(self, person: Person, at: Moment) -> Chart:
        """Who is carried has the identity card at hand, or tells name and number."""
        dice = Dice(person.seed, self.source, "chart", person.resident.ordinal)
        return righted(first_chart(dice, person.resident, person.family, self.house, at))

    def _carried(self, person: Person, visit: Visit, count: int) -> Iterator[Sent]:
        dice = person.dice
        hospital = visit.start - dice.whole(4, 12) * MINUTE
        left = hospital - dice.whole(9, 28) * MINUTE
        arrived = left - dice.whole(6, 18) * MINUTE
        called = arrived - dice.whole(7, 21) * MINUTE
        trip = _Trip(called, arrived, left, hospital, visit.start + 20 * MINUTE)
        found = visit.diagnoses[0]
        yield from self._told(
            person, trip, count, visit.complaint, (found.code, found.name), visit.house,
            visit.start + 2 * MINUTE, visit.doctor.name,
        )  # fmt: skip

    def _at_home(self, person: Person, called: Moment, count: int) -> Iterator[Sent]:
        arrived = called + 11 * MINUTE
        trip = _Trip(called, arrived, 0, 0, arrived + 12 * MINUTE)
        pressure = DIAGNOSES["hypertension"]
        told = (pressure.code, pressure.name)
        yield from self._told(person, trip, count, "头晕、心慌1小时", told, "", 0, "")

    def _told(
        self, person: Person, trip: _Trip, count: int, complaint: str, found: tuple[str, str],
        house: str, handover: Moment, receiver: str,
    ) -> Iterator[Sent]:  # fmt: skip
        dice, resident = person.dice, person.resident
        number = f"T{moments.digits14(trip.called)}{resident.ordinal % 1000:03d}"
        record = f"Y{number[1:]}{count:05d}"
        kind = "创伤" if "摔" in complaint or "外伤" in complaint else "急病"
        scene = f"{resident.town}{resident.line}"
        cells = self._trip(dice, number, trip, kind, complaint, scene, house)
        done = trip.done
        throw = 1.0 if person.named else dice.random()
        unknown = throw < _UNKNOWN
        planted, detail = "", ""
        whole = self._record(person, number, record, complaint, found, trip, unknown=unknown)
        whole |= {
            "转归": "送达医院" if house else "现场处置",
            "交接时间": spelt(handover) if handover else "",
            "接诊医生": receiver,
            "更新时间": spelt(done),
        }
        if _UNKNOWN < throw < _UNKNOWN + PLATFORM.unknown_code:
            whole["病情分级"], planted, detail = "V级", "unknown-code", "PRE-triage"
        person.tally[f"trips.{self.house}"] += 1
        person.known_as(self.house, record, "unknown-patient" if unknown else "")
        name = resident.person
        yield Sent(
            done, self.source, impersonal(self.source, "出车任务", done, cells, number).raw, "出车任务",
            f"出车任务|{number}", name,
        )  # fmt: skip
        yield self.row("院前病历", done, whole, record, person, planted, detail)

    @staticmethod
    def _trip(
        dice: Dice, number: str, trip: _Trip, kind: str, reason: str, scene: str, house: str
    ) -> dict[str, object]:
        code, title = INSTITUTIONS.get(house, ("", ""))
        sent_out = min(trip.called + dice.whole(40, 110), trip.arrived or trip.done)
        departed = min(sent_out + dice.whole(50, 120), trip.arrived or trip.done)

        def mark(at: Moment) -> str:
            return spelt(at) if at else ""

        return {
            "任务编号": number,
            "受理流水号": f"H{number[1:15]}",
            "受理时间": spelt(trip.called),
            "呼救电话": "120****" + number[-4:],
            "呼救类型": kind,
            "呼救原因": reason,
            "现场地址": scene,
            "调度分级": dice.pick("1223"),
            "急救站": dice.pick(_STATIONS),
            "车辆编号": f"鄂M·120{dice.whole(1, 9):02d}",
            "派车时间": spelt(sent_out),
            "出车时间": spelt(departed),
            "到达现场时间": mark(trip.arrived),
            "离开现场时间": mark(trip.left),
            "到达医院时间": mark(trip.hospital),
            "返站时间": spelt(trip.done),
            "送达医院代码": code,
            "送达医院": title,
            "任务状态": "完成",
            "更新时间": spelt(trip.done),
            "删除标志": "0",
        }

    def _record(
        self, person: Person, number: str, record: str, complaint: str,
        found: tuple[str, str], trip: _Trip, *, unknown: bool,
    ) -> dict[str, object]:  # fmt: skip
        dice, chart = person.dice, self._chart(person, trip.called)
        resident = person.resident
        age = resident.age(moments.day_of(trip.called))
        who: dict[str, object] = {
            "姓名": resident.name,
            "年龄": f"{age}岁",
            "出生日期": f"{resident.birth:%Y-%m-%d}",
            "身份证号": chart.written_id,
            "联系电话": chart.phone,
        }
        if unknown:
            who = {"姓名": "无名氏", "年龄": f"约{age // 10 * 10}岁", "身份证号": "无"}
        return who | {
            "任务编号": number,
            "病历编号": record,
            "性别": "男" if resident.sex == "M" else "女",
            "主诉": complaint,
            "诊断编码": found[0],
            "初步诊断": found[1],
            "病情分级": dice.pick(("II级", "III级", "III级", "IV级")),
            "收缩压": str(round(dice.near(138, 14))),
            "舒张压": str(round(dice.near(84, 8))),
            "心率": str(round(dice.near(92, 12))),
            "呼吸": str(round(dice.near(20, 2))),
            "血氧饱和度": str(min(99, round(dice.near(96, 2)))),
            "体温": f"{dice.near(36.7, 0.4):.1f}" if dice.chance(0.7) else "",
            "血糖": f"{dice.near(6.8, 1.5):.1f}" if dice.chance(0.5) else "--",
            "GCS评分": "15" if dice.chance(0.9) else "14",
            "测量时间": spelt(trip.arrived + 3 * MINUTE),
            "急救措施": dice.pick(("吸氧；心电监护", "建立静脉通道；心电监护", "固定；吸氧")),
            "急救医生": dice.pick(STAFF[self.house]["emergency"]).name,
            "作废标志": "0",
        }
