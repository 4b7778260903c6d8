"""Hospital B's systems: 榆桥 HIS (HL7 v2.3), 青砚 LIS and 松雪 RIS (v2.5), GBK without MSH-18.

Its own habits: numbers for identifier kinds, blanks inside names of two characters, sex 1/2 from
the LIS, visits as patient and count, units in component 2, marks as digits or letters, empty OBX-11.
"""

from __future__ import annotations

from collections.abc import Iterator

from healthhub.city.charts import Chart
from healthhub.city.desk import Frames, ReportForm, moved
from healthhub.city.moments import DAY, MINUTE, Moment, digits14
from healthhub.city.places import Department
from healthhub.city.sent import Sent
from healthhub.city.taken_back import TakesBack
from healthhub.city.visits import Allergy, Prescription, Result, Study, Visit

HIS, LIS, RIS = "hospital-b-his", "hospital-b-lis", "hospital-b-ris"
FACILITY = "20"
_HIS = f"MSH|^~\\&|YUQIAO|{FACILITY}|ESB|{FACILITY}|%s||%s|%s|P|2.3"
_LIS = f"MSH|^~\\&|QINGYAN|{FACILITY}|ESB|{FACILITY}|%s||%s|%s|P|2.5"
_RIS = f"MSH|^~\\&|SONGXUE|{FACILITY}|ESB|{FACILITY}|%s||%s|%s|P|2.5"
_DIGIT_MARKS = {"": "0", "H": "1", "L": "2", "HH": "5", "LL": "6"}
_BY_LETTER = {"XCG", "NX0", "YG0", "NCG"}
"""Benches whose analysers mark with letters; the others mark with digits."""
_UNITS = {"μmol/L": "umol/L", "10^9/L": "10^9/L", "mIU/L": "uIU/mL"}


def spaced(name: str) -> str:
    """A name of two characters is padded to the width of three."""
    return f"{name[0]} {name[1]}" if len(name) == 2 else name


class HospitalB(TakesBack):
    """Writes what happens at house ``b`` to one resident."""

    house = "b"

    def __init__(self, ordinal: int) -> None:
        self.frames = Frames("B", ordinal, "gbk")

    @staticmethod
    def _ids(chart: Chart) -> str:
        """PID-3: 21 the house's number, 1 the identity number, 25 the card."""
        return f"{chart.number}^^^^21~{chart.written_id}^^^^1~{chart.card}^^^^25"

    def _pid(self, chart: Chart) -> str:
        home = f"{chart.address}^^^^433000^^H" if chart.address else "无^^^^^^H"
        return (
            f"PID|1|{chart.number}|{self._ids(chart)}||{spaced(chart.name)}||{chart.birth}"
            f"|{chart.resident.sex}|||{home}||^^^^^^^^{chart.phone}|||{chart.resident.married}"
            f"||||||{chart.resident.group}"
        )

    def _lis_pid(self, chart: Chart) -> str:
        sex = "1" if chart.resident.sex == "M" else "2"
        ids = self._ids(chart)
        return (
            f"PID|1|{chart.number}|{ids}||{spaced(chart.name)}||{chart.birth}|{sex}|||^^^^^^H"
        )

    def _pv1(
        self, chart: Chart, visit: Visit, *, where: Department | None = None, ended: Moment = 0
    ) -> str:
        department = where or visit.department
        doctor = f"{visit.doctor.code}^{visit.doctor.name}"
        place = f"{department.code_b}^^{visit.bed}^{FACILITY}"
        end = digits14(ended) if ended else ""
        return (
            f"PV1|1|{visit.kind}|{place}|R|||{doctor}||||||||||||{chart.number}^{visit.count}"
            f"{'|' * 25}{digits14(visit.start)}|{end}"
        )

    @staticmethod
    def order(chart: Chart, visit: Visit, kind: str, number: int) -> str:
        """An order number: kind, patient, visit and line."""
        return f"{kind}{chart.number}{visit.count:03d}{number:02d}"

    def _adt(self, event: str, chart: Chart, at: Moment, *rest: str, planted: str = "") -> Sent:
        body = (f"EVN|{event}|{digits14(at)}", self._pid(chart), *rest)
        return self.frames.sent(
            _HIS, body, at, HIS, f"ADT^{event}", chart, planted or chart.planted
        )

    def visit(self, chart: Chart, visit: Visit, allergy: Allergy | None) -> Iterator[Sent]:
        """All that the HIS and the RIS send about a visit; reports go through ``report``."""
        told = [f"AL1|1|{allergy.kind}|^{allergy.name}||{allergy.reaction}"] if allergy else []
        opened = (self._pv1(chart, visit), f"PV2|||^{visit.complaint}", *told)
        yield self._adt("A01" if visit.kind == "I" else "A04", chart, visit.start, *opened)
        if visit.kind != "I":
            at = visit.start + 20 * MINUTE
            found = self._diagnoses(visit, at, "2")
            yield self._adt("A08", chart, at, self._pv1(chart, visit, ended=at), *found)
        if visit.prescriptions:
            yield self._medicines(chart, visit, visit.prescriptions)
        for study in visit.studies:
            yield self._requested(chart, visit, study)
            yield self.study(chart, visit, study)
        if visit.transfer:
            at, department = visit.transfer
            yield self._adt("A02", chart, at, self._pv1(chart, visit, where=department))
        if visit.kind == "I":
            yield self._adt("A03", chart, visit.end, *self._closing(chart, visit, visit.end))

    def _closing(self, chart: Chart, visit: Visit, at: Moment) -> list[str]:
        where = visit.transfer[1] if visit.transfer else None
        lines = [
            self._pv1(chart, visit, where=where, ended=at),
            *self._diagnoses(visit, at, "1"),
        ]
        operation = visit.operation
        if operation:
            minutes = (operation.ended - operation.begun) // MINUTE
            lines.append(
                f"PR1|1||{operation.code}^{operation.name}||{digits14(operation.begun)}||{minutes}"
                f"||||{operation.surgeon.code}^{operation.surgeon.name}"
            )
        return lines

    @staticmethod
    def _diagnoses(visit: Visit, at: Moment, kind: str) -> list[str]:
        return [
            f"DG1|{n}|ICD10|{d.code}^{d.name}|{d.name}|{digits14(at)}|{kind}|||||||||{n}"
            for n, d in enumerate(visit.diagnoses, 1)
        ]

    def _medicines(self, chart: Chart, visit: Visit, lines: tuple[Prescription, ...]) -> Sent:
        """RDE^O01: ORC, RXE, RXR for each medicine; the frequency stands in RXE-1.2."""
        body = [self._pid(chart), self._pv1(chart, visit)]
        for n, line in enumerate(lines, 1):
            drug, doctor = line.drug, f"{line.doctor.code}^{line.doctor.name}"
            until = digits14(line.written + line.days * DAY)
            number = self.order(chart, visit, "Y", n)
            group = self.order(chart, visit, "CF", 0)
            timing = f"^{drug.frequency}^D{line.days}^{digits14(line.written)}^{until}"
            body += [
                f"ORC|NW|{number}^HIS||{group}|||||{digits14(line.written)}|||{doctor}",
                f"RXE|{timing}|{drug.code_b}^{drug.name}|{drug.dose}||{drug.unit}|{drug.form}||||"
                f"{drug.quantity}|{drug.pack}",
                f"RXR|^{drug.route}",
            ]
        return self.frames.sent(_HIS, body, lines[0].written, HIS, "RDE^O01", chart)

    def _requested(self, chart: Chart, visit: Visit, study: Study) -> Sent:
        """ORM^O01: an examination is asked for."""
        at = max(visit.start + 5 * MINUTE, study.done - 25 * MINUTE)
        number = self.order(chart, visit, "J", 1)
        doctor = f"{visit.doctor.code}^{visit.doctor.name}"
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"ORC|NW|{number}^HIS|||||||{digits14(at)}|||{doctor}",
            f"OBR|1|{number}^HIS||{study.code}^{study.name}||||||||||||{doctor}",
        ]
        return self.frames.sent(_HIS, body, at, HIS, "ORM^O01", chart)

    def study(self, chart: Chart, visit: Visit, study: Study) -> Sent:
        """ORU^R01 of the RIS."""
        number, own = self.order(chart, visit, "J", 1), self.order(chart, visit, "BG", 1)
        body = [
            self._lis_pid(chart).replace("|||^^^^^^H", ""),
            f"PV1|1|{visit.kind}|||||||||||||||||^{visit.count}",
            f"OBR|1|{number}^HIS|{own}^SONGXUE|{study.code}^{study.name}|||{digits14(study.done)}"
            f"||||||||||||||||{digits14(study.reported)}|||F||||||||{study.reader.name}",
            f"OBX|1|TX|1037^检查所见||{study.findings}||||||F",
            f"OBX|2|TX|1038^检查印象||{study.impression}||||||F",
        ]
        return self.frames.sent(_RIS, body, study.reported, RIS, "ORU^R01", chart)

    def report(self, chart: Chart, visit: Visit, form: ReportForm) -> Sent:
        """ORU^R01 of the LIS: request and barcode packed into OBR-2."""
        report, panel = form.report, form.report.panel
        stay_day = (report.ordered - visit.start) // DAY
        request = self.order(chart, visit, "S", stay_day)
        barcode = f"{request[1:]}{panel.code_b[-3:]}"
        collected = form.collected or digits14(report.collected)
        state = "" if form.status == "F" else "C" if form.status == "C" else "X"
        body = [
            self._lis_pid(chart),
            f"PV1|1|{visit.kind}|{visit.department.code_b}^^^{FACILITY}||||{report.doctor.code}"
            f"^{report.doctor.name}||||||||||||^{visit.count}{'|' * 25}000000",
            f"OBR|1|{request}^LIS^{barcode}^LIS||{panel.code_b}^{panel.name}|||{collected}|||||||"
            f"{collected}|{panel.specimen_code}&{panel.specimen}|{report.doctor.code}^"
            f"{report.doctor.name}||||||{digits14(form.at)}|||{state}"
            f"|||||||{report.tester.code}&{report.tester.name}"
            f"|{report.reviewer.code}&{report.reviewer.name}",
        ]
        sex = chart.resident.sex
        body += [self._obx(n, result, form, sex) for n, result in enumerate(form.results)]
        sent = self.frames.sent(
            _LIS, body, form.at, LIS, "ORU^R01", chart, form.planted, form.detail
        )
        return sent if form.arrives == form.at else moved(sent, form.arrives)

    @staticmethod
    def _obx(n: int, result: Result, form: ReportForm, sex: str) -> str:
        """OBX numbered from 0, always ST."""
        item = result.item
        code = f"JYX{item.code_b[-2:]}" if form.unknown_item == n else item.code_b
        if item.digits < 0:
            mark, reference, unit = "P" if result.mark else "N", item.expected, ""
        else:
            low, high = item.range(sex)
            reference = f"{float(low):.2f}-{float(high):.2f}"
            unit = f"^{_UNITS.get(item.unit, item.unit)}" if item.unit else ""
            mark = (
                (result.mark or "M")
                if item.code_b[:3] in _BY_LETTER
                else _DIGIT_MARKS[result.mark]
            )
        status = "" if form.status == "F" else form.status
        return (
            f"OBX|{n}|ST|{code}^*{item.name}^^^^{item.short}||{result.value}|{unit}|{reference}"
            f"|{mark}|||{status}|||"
        )

    def update(self, chart: Chart, at: Moment) -> Sent:
        """A08: the person's data have changed."""
        return self._adt("A08", chart, at)

    def merge(self, kept: Chart, replaced: Chart, at: Moment) -> Sent:
        """A40: the replaced number's record belongs to the kept one."""
        mrg = f"MRG|{replaced.number}^^^^21"
        return self._adt("A40", kept, at, mrg, planted=replaced.planted)
