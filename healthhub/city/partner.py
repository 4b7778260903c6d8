"""The maternity and child centre: a modern system that speaks the plain base mapping, v2.5.1, UTF-8."""

from __future__ import annotations

from collections.abc import Iterator

from healthhub.city.charts import Chart
from healthhub.city.desk import Frames, ReportForm, moved
from healthhub.city.moments import DAY, MINUTE, Moment, digits14
from healthhub.city.names import GROUP_NAMES
from healthhub.city.places import CITY, PROVINCE
from healthhub.city.sent import Sent
from healthhub.city.taken_back import TakesBack
from healthhub.city.visits import Allergy, Dose, Result, Study, Visit

SOURCE = "partner"
OWN = "ZAFY"
_MSH = f"MSH|^~\\&|QINGHE|{OWN}|HUB|ZA|%s+0800||%s|%s|P|2.5.1|||AL|NE|CHN|UNICODE UTF-8"
_MARRIED = {"10": "S^未婚", "20": "M^已婚", "30": "W^丧偶", "40": "D^离婚"}
_ROUTES = {
    "口服": "PO",
    "皮下注射": "SC",
    "静脉滴注": "IV",
    "吸入": "IH",
    "肌内注射": "IM",
    "皮内注射": "ID",
}
_SITES = {
    "左上臂三角肌": "LD",
    "左上臂三角肌下缘": "LA",
    "左上臂外侧下缘": "LA",
    "右上臂外侧下缘": "RA",
    "右大腿前外侧": "RT",
}
_SECTIONS = {"CT": "CT", "DX": "RX", "US": "RUS"}


class Partner(TakesBack):
    """Writes what happens at house ``c`` to one resident."""

    house = "c"

    def __init__(self, ordinal: int) -> None:
        self.frames = Frames("C", ordinal, "utf-8")

    def _pid(self, chart: Chart) -> str:
        resident = chart.resident
        identity = f"~{chart.written_id}^^^MPS^NI" if chart.written_id else ""
        phone = f"^PRN^CP^^^^{chart.phone}" if chart.phone else ""
        home = f"{chart.address}^^{CITY}^{PROVINCE}^433000^CHN^H" if chart.address else ""
        return (
            f"PID|1||{chart.number}^^^{OWN}^MR{identity}||{chart.name}^^^^^^L||{chart.birth}"
            f"|{resident.sex}|||{home}||{phone}|||{_MARRIED[resident.married]}||||||"
            f"{resident.group}^{GROUP_NAMES[resident.group]}"
        )

    @staticmethod
    def serial(chart: Chart, visit: Visit) -> str:
        """The visit number, with its assigner."""
        return f"V{chart.number}{visit.count:03d}"

    def _pv1(self, chart: Chart, visit: Visit, ended: Moment = 0) -> str:
        department = visit.department
        doctor = f"{visit.doctor.code}^{visit.doctor.name}^^^^^^^{OWN}"
        kind = "O" if visit.kind == "T" else visit.kind
        end = digits14(ended) if ended else ""
        return (
            f"PV1|1|{kind}|{department.key.upper()}^^^{OWN}||||{doctor}||||||||||||"
            f"{self.serial(chart, visit)}^^^{OWN}^VN{'|' * 25}{digits14(visit.start)}|{end}"
        )

    def _closing(self, chart: Chart, visit: Visit, at: Moment) -> list[str]:
        return [self._pv1(chart, visit, at)]

    def _adt(self, event: str, chart: Chart, at: Moment, *rest: str, planted: str = "") -> Sent:
        body = (f"EVN|{event}|{digits14(at)}", self._pid(chart), *rest)
        kind = f"ADT^{event}"
        return self.frames.sent(_MSH, body, at, SOURCE, kind, chart, planted or chart.planted)

    def visit(self, chart: Chart, visit: Visit, allergy: Allergy | None) -> Iterator[Sent]:
        """All that the centre sends about a visit; reports go through ``report``."""
        told = (
            [f"AL1|1|{allergy.kind}|{allergy.code}^{allergy.name}^L|SV|{allergy.reaction}"]
            if allergy
            else []
        )
        opened = (self._pv1(chart, visit), f"PV2|||^{visit.complaint}", *told)
        yield self._adt("A01" if visit.kind == "I" else "A04", chart, visit.start, *opened)
        if visit.prescriptions:
            yield self._medicines(chart, visit)
        for study in visit.studies:
            yield self.study(chart, visit, study)
        for dose in visit.doses:
            yield self._dose(chart, visit, dose)
        closing = [
            f"DG1|{n}||{d.code}^{d.name}^I10||{digits14(visit.start)}|F|||||||||{n}"
            for n, d in enumerate(visit.diagnoses, 1)
        ]
        yield self._adt("A03", chart, visit.end, self._pv1(chart, visit, visit.end), *closing)

    def _medicines(self, chart: Chart, visit: Visit) -> Sent:
        body = [self._pid(chart), self._pv1(chart, visit)]
        for n, line in enumerate(visit.prescriptions, 1):
            drug, doctor = line.drug, f"{line.doctor.code}^{line.doctor.name}^^^^^^^{OWN}"
            number = f"{self.serial(chart, visit)}M{n:02d}"
            until = digits14(line.written + line.days * DAY)
            body += [
                f"ORC|NW|{number}^{SOURCE}||CF{self.serial(chart, visit)}^{SOURCE}|IP||||"
                f"{digits14(line.written)}|||{doctor}",
                f"TQ1|1||{drug.frequency}||||{digits14(line.written)}|{until}|R",
                f"RXE||{drug.key}^{drug.name}^99ZAFY|{drug.dose}||{drug.unit}|{drug.form}||||"
                f"{drug.quantity}|{drug.pack}",
                f"RXR|{_ROUTES[drug.route]}^{drug.route}^HL70162",
            ]
        at = visit.prescriptions[0].written
        return self.frames.sent(_MSH, body, at, SOURCE, "RDE^O11^RDE_O11", chart)

    def study(self, chart: Chart, visit: Visit, study: Study) -> Sent:
        """ORU^R01 of an examination."""
        serial = self.serial(chart, visit)
        section = _SECTIONS.get(study.modality, "RAD")
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"OBR|1|{serial}E^{SOURCE}|{serial}B^{SOURCE}|{study.code}^{study.name}^99ZAFY|||"
            f"{digits14(study.done)}|||||||||||||||{digits14(study.reported)}||{section}|F"
            f"|||||||{study.reader.code}&{study.reader.name}",
            f"OBX|1|TX|59776-5^检查所见^LN||{study.findings}||||||F",
            f"OBX|2|TX|19005-8^检查印象^LN||{study.impression}||||||F",
        ]
        return self.frames.sent(_MSH, body, study.reported, SOURCE, "ORU^R01^ORU_R01", chart)

    def report(self, chart: Chart, visit: Visit, form: ReportForm) -> Sent:
        """ORU^R01 with LOINC where the centre knows it, its own code beside."""
        report, panel = form.report, form.report.panel
        round_ = (report.ordered - visit.start) // DAY
        number = f"{self.serial(chart, visit)}{round_:02d}{panel.code_b}"
        section = "HM" if panel.key == "cbc" else "CH"
        collected = form.collected or digits14(report.collected)
        doctor = f"{report.doctor.code}^{report.doctor.name}^^^^^^^{OWN}"
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"ORC|RE|{number}^{SOURCE}|R{number}^{SOURCE}||CM||||{digits14(report.ordered)}|||{doctor}",
            f"OBR|1|{number}^{SOURCE}|R{number}^{SOURCE}|{_code(panel.loinc, panel.key, panel.name)}"
            f"|||{collected}|||||||{collected}||{doctor}||||||{digits14(form.at)}||{section}"
            f"|{'X' if form.status == 'W' else form.status}|||||||"
            f"{report.reviewer.code}&{report.reviewer.name}",
        ]
        sex = chart.resident.sex
        body += [self._obx(n, result, form, sex) for n, result in enumerate(form.results, 1)]
        kind = "ORU^R01^ORU_R01"
        sent = self.frames.sent(
            _MSH, body, form.at, SOURCE, kind, chart, form.planted, form.detail
        )
        return sent if form.arrives == form.at else moved(sent, form.arrives)

    @staticmethod
    def _obx(n: int, result: Result, form: ReportForm, sex: str) -> str:
        item = result.item
        loinc, key = (
            (item.loinc, item.key) if form.unknown_item != n - 1 else ("", f"x{item.key}")
        )
        code = _code(loinc, key, item.name)
        if item.digits < 0:
            mark = "POS" if result.mark else "NEG"
            return f"OBX|{n}|ST|{code}||{result.value}||{item.expected}|{mark}|||{form.status}"
        low, high = item.range(sex)
        kind, value, mark = "NM", result.value, result.mark or "N"
        if value.startswith("<"):
            kind, value = "SN", f"<^{value[1:]}"
        unit = f"{item.unit.replace('^', '*')}^^UCUM" if item.unit else ""
        return f"OBX|{n}|{kind}|{code}||{value}|{unit}|{low}-{high}|{mark}|||{form.status}"

    def _dose(self, chart: Chart, visit: Visit, dose: Dose) -> Sent:
        nurse, at = f"{dose.nurse.code}^{dose.nurse.name}^^^^^^^{OWN}", digits14(dose.given)
        vaccine = dose.vaccine
        place = _SITES.get(vaccine.site)
        site = f"{place}^{vaccine.site}^HL70163" if place else ""
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"ORC|RE||{self.serial(chart, visit)}{vaccine.code}^{SOURCE}|||||||||{nurse}",
            f"RXA|0|{dose.number}|{at}||{vaccine.code}^{vaccine.name}^99CHNVAC|0.5|mL^^UCUM||00^本次接种^NIP001"
            f"|{nurse}|^^^{OWN}||||{dose.lot}||^{dose.maker}|||CP|A",
            f"RXR|{_ROUTES[vaccine.way]}^{vaccine.way}^HL70162|{site}",
        ]
        at_ = dose.given + 5 * MINUTE
        return self.frames.sent(_MSH, body, at_, SOURCE, "VXU^V04^VXU_V04", chart)

    def update(self, chart: Chart, at: Moment) -> Sent:
        """A08: the person's data have changed."""
        return self._adt("A08", chart, at)

    def merge(self, kept: Chart, replaced: Chart, at: Moment) -> Sent:
        """A40: the replaced number's record belongs to the kept one."""
        mrg = f"MRG|{replaced.number}^^^{OWN}^MR"
        return self._adt("A40", kept, at, mrg, planted=replaced.planted)


def _code(loinc: str, key: str, name: str) -> str:
    own = f"{key}^{name}^99ZAFY"
    return f"{loinc}^{name}^LN^{own}" if loinc else own
