"""Hospital B's south campus: its HIS and LIS are read as views of a warehouse, in GBK, with columns
in pinyin initials and dates as text; a row that changes is the same row with a later gxrq."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from healthhub.city import houses, moments
from healthhub.city.catalogue import Item
from healthhub.city.channels import View, Views
from healthhub.city.charts import Chart, local_number
from healthhub.city.desk import ReportForm, forms
from healthhub.city.hospital_b import spaced
from healthhub.city.houses import Custom
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.names import GROUP_NAMES
from healthhub.city.places import CITY, PROVINCE
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Report, Visit

_COLUMNS = {
    "V_PATIENT": "yljgdm patid hzxm sfzhm sfzjlb jkkh xbdm xbmc csrq hyzkdm mz mzmc dzsf dzsq dzx dzmphm "
    "hzdhhm gxrq isdelete",
    "V_VISIT": "yljgdm jzlsh patid jzlb mjzh zyh jzrqsj ryrqsj cyrqsj ksdm ksmc bqdm bch zrysgh zrysxm zs "
    "lyfsdm gxrq isdelete",
    "V_DIAGNOSIS": "yljgdm zdlsh jzlsh patid jbdm jbmc zdlxbm zyzdbz yszdbz zdrq zgqk gxrq isdelete",
    "V_LAB_REPORT": "yljgdm jybgdbh jzlsh patid dzsqdbh jybbh txdm bblbdm bblbmc jylbdm jylbmc cjsj ybjssj "
    "jybgrq shysqmsj shys gxrq isdelete",
    "V_LAB_RESULT": "yljgdm jybgdbh jyxmdm jyxmmc jyxmywmc loincbm jyjg jydljg jydljgjldw ckfw ts wjzbz gxrq "
    "isdelete",
    "V_PRESCRIPTION": "yljgdm cfxh jzlsh patid cfklrq kfys cfzt gxrq isdelete",
    "V_PRESCRIPTION_LINE": "yljgdm cfxh mxxh ywdm ywmc ywgg ywsycjl ywsyjldw ywsypcdm ywsytj cfyxts ywsyzjl "
    "gxrq isdelete",
}
_KEYS = {
    "V_PATIENT": "patid",
    "V_VISIT": "jzlsh",
    "V_DIAGNOSIS": "zdlsh",
    "V_LAB_REPORT": "jybgdbh",
    "V_LAB_RESULT": "jybgdbh jyxmdm",
    "V_PRESCRIPTION": "cfxh",
    "V_PRESCRIPTION_LINE": "cfxh mxxh",
}
VIEWS = {
    name: View(tuple(columns.split()), tuple(_KEYS[name].split()), "gxrq")
    for name, columns in _COLUMNS.items()
}
_ROUTES = {"口服": "1", "皮下注射": "401", "静脉滴注": "405", "吸入": "5"}
_BAD_TIME = "2025-02-30 10:15:00"
_LOST = "锟斤拷锟斤拷"
"""What a text becomes on its way through a warehouse that takes UTF-8 for GBK."""


def source_time(at: Moment) -> str:
    """CHAR(16) of the source HIS: yyyyMMddHH:mm:ss."""
    digits = moments.digits14(at)
    return f"{digits[:10]}:{digits[10:12]}:{digits[12:]}"


def newer_time(at: Moment) -> str:
    """The form of the newer views: yyyy-MM-dd HH:mm:ss."""
    digits = moments.digits14(at)
    return (
        f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}:{digits[12:]}"
    )


class HospitalBViews(System):
    """The south campus. Its numbers are its own, so it has a namespace of its own."""

    about = About(
        source="hospital-b-views",
        house="s",
        title="市中医院南院 数据仓库视图",
        adapter="tabular",
        mapping="hospital-b-views",
        institution="hospital-b",
        institution_title=f"{CITY}中医医院",
        charset="gb18030",
        namespace="hospital-b-south",
    )
    channel = Views(VIEWS, "gb18030")
    custom = Custom(share=0.28, yearly=0.9, stays=0.25)

    def history(self, person: Person) -> Iterator[Sent]:
        """The patient, and every visit with what was found and given."""
        chart: Chart | None = None
        for visit in houses.visits(person, self.house, self.custom):
            if chart is None:
                chart = self.registered(person, visit.start)
                yield self._patient(person, chart, visit.start)
            yield from self._visit(person, chart, visit)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A visit."""
        chart = self.registered(person, end)
        visit = houses.quick(person, self.house, end, count)
        yield self._patient(person, chart, visit.start)
        yield from self._visit(person, chart, visit)

    def _row(
        self, view: str, at: Moment, cells: Mapping[str, object], person: Person,
        planted: str = "", detail: str = "",
    ) -> Sent:  # fmt: skip
        whole = {"yljgdm": "Y20S", **cells, "gxrq": source_time(at)}
        whole.setdefault("isdelete", "0")
        key = "|".join(str(whole[name]) for name in VIEWS[view].key)
        return self.row(view, at, whole, key, person, planted, detail if planted else "")

    def _patient(self, person: Person, chart: Chart, at: Moment) -> Sent:
        resident = chart.resident
        cells = {
            "patid": chart.number,
            "hzxm": spaced(chart.name),
            "sfzhm": chart.written_id or person.dice.pick(("000000", "-", "")),
            "sfzjlb": "01" if chart.written_id else "99",
            "jkkh": chart.card,
            "xbdm": "1" if resident.sex == "M" else "2",
            "xbmc": "男" if resident.sex == "M" else "女",
            "csrq": chart.birth,
            "hyzkdm": resident.married,
            "mz": resident.group,
            "mzmc": GROUP_NAMES[resident.group],
            "dzsf": PROVINCE,
            "dzsq": CITY,
            "dzx": resident.town,
            "dzmphm": resident.line,
            "hzdhhm": chart.phone,
        }
        return self._row("V_PATIENT", at, cells, person, chart.planted)

    def _visit(self, person: Person, chart: Chart, visit: Visit) -> Iterator[Sent]:
        stay = visit.kind == "I"
        number = f"{'Z' if stay else 'M'}{chart.number[1:]}{visit.count:05d}"
        person.tally[f"visits.{self.house}"] += 1
        opened = {
            "jzlsh": number,
            "patid": chart.number,
            "jzlb": "3" if stay else "1",
            "mjzh": "" if stay else f"MZ{number[1:]}",
            "zyh": f"ZY{number[1:]}" if stay else "",
            "jzrqsj": "" if stay else source_time(visit.start),
            "ryrqsj": newer_time(visit.start) if stay else "",
            "ksdm": visit.department.code_b,
            "ksmc": visit.department.name,
            "bqdm": visit.department.ward if stay else "",
            "bch": visit.bed,
            "zrysgh": visit.doctor.code,
            "zrysxm": spaced(visit.doctor.name),
            "zs": visit.complaint,
        }
        lost = ""
        if not person.named and person.dice.chance(BY_HAND.wrong_charset):
            opened["zs"], lost = _LOST, "wrong-charset"
        yield self._row("V_VISIT", visit.start + MINUTE, opened, person, lost, "VIS-zs")
        if stay:
            closed = opened | {"cyrqsj": newer_time(visit.end), "lyfsdm": "1"}
            yield self._row("V_VISIT", visit.end, closed, person)
        for n, found in enumerate(visit.diagnoses, 1):
            person.tally[f"diagnoses.{self.house}"] += 1
            cells = {
                "zdlsh": f"D{number}{n:02d}",
                "jzlsh": number,
                "patid": chart.number,
                "jbdm": found.code,
                "jbmc": found.name,
                "zdlxbm": "4" if stay else "5",
                "zyzdbz": "1" if n == 1 else "0",
                "yszdbz": "0",
                "zdrq": moments.digits8(visit.start),
            }
            yield self._row("V_DIAGNOSIS", visit.end, cells, person)
        yield from self._medicines(person, chart, visit, number)
        for report in visit.reports:
            yield from self._report(person, chart, visit, report, number)

    def _medicines(
        self, person: Person, chart: Chart, visit: Visit, number: str
    ) -> Iterator[Sent]:
        if not visit.prescriptions:
            return
        at = visit.prescriptions[0].written
        head = {
            "cfxh": f"CF{number}",
            "jzlsh": number,
            "patid": chart.number,
            "cfklrq": moments.digits8(at),
            "kfys": spaced(visit.doctor.name),
            "cfzt": "0",
        }
        yield self._row("V_PRESCRIPTION", at, head, person)
        for n, line in enumerate(visit.prescriptions, 1):
            drug = line.drug
            person.tally[f"prescriptions.{self.house}"] += 1
            cells = {
                "cfxh": f"CF{number}",
                "mxxh": str(n),
                "ywdm": drug.code_b,
                "ywmc": drug.name,
                "ywgg": drug.spec,
                "ywsycjl": drug.dose,
                "ywsyjldw": drug.unit,
                "ywsypcdm": drug.frequency,
                "ywsytj": _ROUTES.get(drug.route, "1"),
                "cfyxts": str(line.days),
                "ywsyzjl": drug.quantity,
            }
            yield self._row("V_PRESCRIPTION_LINE", at, cells, person)

    def _report(
        self, person: Person, chart: Chart, visit: Visit, report: Report, number: str
    ) -> Iterator[Sent]:
        """A report as a row with rows of results."""
        person.tally[f"reports.{self.house}"] += 1
        person.tally[f"results.{self.house}"] += len(report.results)
        turn = (report.ordered - visit.start) // DAY
        own = f"{number}{turn:02d}{report.panel.code_b}"
        dice = person.dice
        told = [ReportForm(report, report.results, at=report.reported, arrives=report.reported)]
        if not person.named:
            told = list(forms(report, dice, BY_HAND))
            if not told[0].planted and dice.chance(BY_HAND.wrong_patient):
                yield from self._mistaken(person, report, f"W{own}")
        for form in told:
            yield from self._rows(person, chart.number, number, own, form)
            if not form.planted and not person.named and dice.chance(BY_HAND.resend_same):
                again = ReportForm(report, report.results, at=form.at + DAY)
                touched = list(self._rows(person, chart.number, number, own, again))
                yield self._row(
                    "V_LAB_REPORT", again.at, _cells(touched[0]), person, "resend-renumbered"
                )

    def _mistaken(self, person: Person, report: Report, number: str) -> Iterator[Sent]:
        """The report under another of the family, marked as deleted some hours later."""
        for other in person.family.members:
            if other.person == person.resident.person:
                continue
            patient = local_number(self.house, other.ordinal)
            whose = f"belongs to {person.resident.person}"
            for at, gone in ((report.reported, "0"), (report.reported + 5 * HOUR, "1")):
                form = ReportForm(
                    report, report.results, at=at, planted="wrong-patient", detail=whose
                )
                yield from self._rows(person, patient, "", number, form, gone)
            person.tally[f"withdrawn.{self.house}"] += 1
            return

    def _rows(
        self, person: Person, patient: str, visit: str, number: str, form: ReportForm,
        gone: str = "0",
    ) -> Iterator[Sent]:  # fmt: skip
        report, panel = form.report, form.report.panel
        at = form.at
        collected = _BAD_TIME if form.collected else newer_time(report.collected)
        head = {
            "jybgdbh": number,
            "jzlsh": visit,
            "patid": patient,
            "dzsqdbh": f"SQ{number[1:]}",
            "txdm": f"TM{number[1:]}",
            "bblbdm": panel.specimen_code,
            "bblbmc": panel.specimen,
            "jylbdm": panel.code_b,
            "jylbmc": panel.name,
            "cjsj": collected,
            "ybjssj": newer_time(report.collected + 10 * MINUTE),
            "jybgrq": moments.digits8(form.at),
            "shysqmsj": newer_time(form.at),
            "shys": spaced(report.reviewer.name),
            "isdelete": gone,
        }
        planted = form.planted
        where = {"bad-time": "LAB-cjsj", "unknown-code": "RES-jyxmdm"}.get(planted, form.detail)
        yield self._row("V_LAB_REPORT", at, head, person, planted, where)
        for n, result in enumerate(form.results):
            cells = self._result(person.resident.sex, result.item, result.value, result.mark)
            if form.unknown_item == n:
                cells["jyxmdm"] = f"ZX{result.item.code_b[-3:]}"
            cells |= {"jybgdbh": number, "isdelete": gone}
            yield self._row("V_LAB_RESULT", at, cells, person)

    @staticmethod
    def _result(sex: str, item: Item, value: str, mark: str) -> dict[str, object]:
        """jydljg is 0 where the result is a text; loincbm is nearly always empty."""
        number = item.digits >= 0
        low, high = item.range(sex)
        return {
            "jyxmdm": item.code_b,
            "jyxmmc": item.name,
            "jyxmywmc": item.short,
            "jyjg": value,
            "jydljg": float(value.lstrip("<")) if number else 0,
            "jydljgjldw": item.unit,
            "ckfw": f"{low}-{high}" if number else item.expected,
            "ts": {"H": "↑", "HH": "↑", "L": "↓", "LL": "↓"}.get(mark, ""),
            "wjzbz": "1" if mark in ("HH", "LL") else "0",
        }


def _cells(sent: Sent) -> dict[str, object]:
    return orjson.loads(sent.raw)
