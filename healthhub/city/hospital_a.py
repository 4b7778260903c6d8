"""Hospital A's systems: 澜川 HIS (HL7 v2.4, labels in CX.5, Z segments), 晓镜 LIS (OUL^R24,
v2.5.1) and 望野 RIS (ORU^R01), all UTF-8; after dialects A1 and A2 of the feeds seen."""

from __future__ import annotations

from collections.abc import Iterator

from healthhub.city.charts import Chart
from healthhub.city.desk import Frames, ReportForm, moved
from healthhub.city.moments import DAY, MINUTE, Moment, digits14
from healthhub.city.names import GROUP_NAMES
from healthhub.city.places import Department
from healthhub.city.sent import Sent
from healthhub.city.taken_back import TakesBack
from healthhub.city.visits import Allergy, Dose, Prescription, Result, Study, Visit

HIS, LIS, RIS = "hospital-a-his", "hospital-a-lis", "hospital-a-ris"
FACILITY = "ZA01"
_HIS = f"MSH|^~\\&|LANCHUAN|{FACILITY}|HUB|ZA|%s||%s|%s|P|2.4|||AL|AL|CHN|UNICODE"
_LIS = f"MSH|^~\\&|XIAOJING|{FACILITY}|HUB|ZA|%s||%s|%s|P|2.5.1|||AL|AL|CHN|UNICODE UTF-8"
_RIS = f"MSH|^~\\&|WANGYE|{FACILITY}|HUB|ZA|%s||%s|%s|P|2.5.1||||CHN|UNICODE UTF-8"
_MARRIED = {"10": "S^未婚", "20": "M^已婚", "30": "W^丧偶", "40": "D^离婚"}
_ROUTES = {"口服": "1", "皮下注射": "401", "静脉滴注": "405", "吸入": "5"}
_MARKS = {"H": "H", "L": "L", "HH": "HH", "LL": "LL", "P": "P"}
_PRICE = "%d.%02d"


class HospitalA(TakesBack):
    """Writes what happens at house ``a`` to one resident."""

    house = "a"

    def __init__(self, ordinal: int) -> None:
        self.frames = Frames("A", ordinal, "utf-8")
        self.known: set[str] = set()

    def _pid(self, chart: Chart, stay: str = "") -> str:
        resident = chart.resident
        phones = f"{chart.phone}^^PH^^^^{chart.phone}~{chart.phone}^^CP" if chart.phone else ""
        home = f"{chart.address}^^^^433000^^H" if chart.address else "无^^^^^^H"
        birth = f"{chart.birth}000000" if chart.birth else ""
        return (
            f"PID|1|{chart.card}|{chart.number}^^^^LocalID~{chart.written_id}^^^^IdentifyNO~"
            f"{chart.card}^^^^IDCard~{stay}^^^^PatientNO~^^^^OtherID~^^^^UPID||{chart.name}^^^^^^1||"
            f"{birth}|{resident.sex}|||{home}~^^^^^^RH~^^^^^^BDL||{phones}|||"
            f"{_MARRIED[resident.married]}||||||{int(resident.group)}^{GROUP_NAMES[resident.group]}"
            "||||||156^中国"
        )

    def _lis_pid(self, chart: Chart) -> str:
        sex = "1" if chart.resident.sex == "M" else "2"
        return (
            f"PID|1|{chart.number}|{chart.number}^^^^21~{chart.number}~^^^^51~{chart.written_id}"
            f"^^^^1~{chart.card}^^^^25||{chart.name}||{chart.birth}|{sex}|||^^^^^^H"
            "|||||||||||HA^汉族|429004"
        )

    @staticmethod
    def serial(chart: Chart, visit: Visit) -> str:
        """The visit serial of PV1-19: unique in the house."""
        return f"V{chart.number}{visit.count:03d}"

    def _pv1(
        self, chart: Chart, visit: Visit, *, where: Department | None = None,
        before: Department | None = None, ended: Moment = 0,
    ) -> str:  # fmt: skip
        department = where or visit.department
        doctor = f"{visit.doctor.code}^{visit.doctor.name}"
        place, prior, admitter, source = f"^^^{department.code_a}^{department.name}", "", "", ""
        if visit.kind == "I":
            bed = f"{department.ward}^{visit.bed[:1]}0{visit.bed[1:]}^{visit.bed}"
            place = f"{bed}^{department.code_a}^{department.name}"
            admitter, source = doctor, "2"
            if before:
                prior = f"{before.ward}^^^{before.code_a}^{before.name}"
        end = digits14(ended) if ended else ""
        return (
            f"PV1|1|{visit.kind}|{place}|||{prior}|{doctor}||||||{visit.count}|{source}|||{admitter}|01"
            f"|{self.serial(chart, visit)}{'|' * 17}{'1' if ended and visit.kind == 'I' else ''}"
            f"||||||||{digits14(visit.start)}|{end}||||||0"
        )

    def _adt(
        self, event: str, chart: Chart, at: Moment, *rest: str, who: str = "", planted: str = ""
    ) -> Sent:
        evn = f"EVN|{event}|{digits14(at)}|||{who}|{digits14(at)}"
        body = (evn, self._pid(chart), *rest)
        return self.frames.sent(
            _HIS, body, at, HIS, f"ADT^{event}", chart, planted or chart.planted
        )

    def created(self, chart: Chart, at: Moment) -> Sent:
        """ADT^ZP1: the HIS announces a new person to the index."""
        insured = f"ZYB|1|01^城镇职工基本医疗保险|{chart.card}|{FACILITY}"
        return self._adt("ZP1", chart, at, "NK1|1||^0", insured, who="AA")

    def visit(self, chart: Chart, visit: Visit, allergy: Allergy | None) -> Iterator[Sent]:
        """All that the HIS and the RIS send about a visit; reports go through ``report``."""
        if chart.number not in self.known:
            self.known.add(chart.number)
            yield self.created(chart, visit.start - 2 * MINUTE)
        who = f"{visit.doctor.code}^{visit.doctor.name}"
        told = (
            f"AL1|1|{allergy.kind}|{allergy.code}^{allergy.name}|SV|{allergy.reaction}"
            if allergy
            else ""
        )
        visited = f"ZJZ|1|{visit.complaint}|{'自费' if visit.kind == 'T' else '医保'}"
        opened = [line for line in (self._pv1(chart, visit), told, visited) if line]
        yield self._adt(
            "A01" if visit.kind == "I" else "A04", chart, visit.start, *opened, who=who
        )
        if visit.diagnoses and visit.kind != "I":
            found = self._diagnoses(visit, visit.end, "5")
            closed = self._pv1(chart, visit, ended=visit.end)
            yield self._adt("A08", chart, visit.end, closed, *found, visited, who=who)
        if visit.prescriptions:
            yield self._medicines(chart, visit, visit.prescriptions)
        for study in visit.studies:
            yield self._requested(chart, visit, study)
            yield self.study(chart, visit, study)
        if visit.transfer:
            at, department = visit.transfer
            place = self._pv1(chart, visit, where=department, before=visit.department)
            yield self._adt("A02", chart, at, place, who=who)
        for dose in visit.doses:
            yield self._dose(chart, visit, dose)
        if visit.kind == "I":
            yield self._adt(
                "A03", chart, visit.end, *self._closing(chart, visit, visit.end), who=who
            )

    def _closing(self, chart: Chart, visit: Visit, at: Moment) -> list[str]:
        where = visit.transfer[1] if visit.transfer else None
        lines = [self._pv1(chart, visit, where=where, ended=at)]
        lines += self._diagnoses(visit, at, "4")
        operation = visit.operation
        if operation:
            minutes = (operation.ended - operation.begun) // MINUTE
            surgeon = f"{operation.surgeon.code}^{operation.surgeon.name}"
            lines.append(
                f"PR1|1||{operation.code}^{operation.name}^ICD9CM3||{digits14(operation.begun)}|择期"
                f"|{minutes}||||{surgeon}|"
            )
        return lines

    @staticmethod
    def _diagnoses(visit: Visit, at: Moment, kind: str) -> list[str]:
        return [
            f"DG1|{n}||{d.code}^{d.name}^I10||{digits14(at)}|{kind}|||||||||{n}"
            f"|{visit.doctor.code}^{visit.doctor.name}"
            for n, d in enumerate(visit.diagnoses, 1)
        ]

    def _medicines(self, chart: Chart, visit: Visit, lines: tuple[Prescription, ...]) -> Sent:
        """OMP^O09: one order group for each medicine, ORC-7 with the frequency in 2.2."""
        serial = self.serial(chart, visit)
        body = [self._pid(chart), self._pv1(chart, visit)]
        for n, line in enumerate(lines, 1):
            drug, doctor = line.drug, f"{line.doctor.code}^{line.doctor.name}"
            until = digits14(line.written + line.days * DAY)
            body += [
                f"ORC|NW|{serial}{n:02d}_Y^HIS||CF{serial}|||1&{drug.pack}^&{drug.frequency}^D{line.days}"
                f"^{digits14(line.written)}^{until}||{digits14(line.written)}|{doctor}||{doctor}"
                f"|||||{visit.department.code_a}^{visit.department.name}||||||||||||1^西药类",
                f"RXO|{drug.code_a}^{drug.name}^d|{drug.dose}||{drug.unit}|{drug.form}||||||"
                f"{drug.quantity}|{drug.pack}",
                f"RXR|{_ROUTES.get(drug.route, '9')}^{drug.route}",
                f"NTE|1|P|{_PRICE % (7 + n * 11, n * 7 % 100)}",
            ]
        return self.frames.sent(_HIS, body, lines[0].written, HIS, "OMP^O09", chart)

    def _requested(self, chart: Chart, visit: Visit, study: Study) -> Sent:
        """OMG^O19: an examination is asked for."""
        at = max(visit.start + 5 * MINUTE, study.done - 20 * MINUTE)
        doctor = f"{visit.doctor.code}^{visit.doctor.name}"
        number = f"{self.serial(chart, visit)}_J"
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"ORC|NW|{number}^HIS|||||||{digits14(at)}|{doctor}||{doctor}{'|' * 17}2^检查类",
            f"OBR|1|{number}^HIS||{study.code}^{study.name}||||||||||||{doctor}",
        ]
        return self.frames.sent(_HIS, body, at, HIS, "OMG^O19", chart)

    def study(self, chart: Chart, visit: Visit, study: Study) -> Sent:
        """ORU^R01 of the RIS: findings and impression as local codes marked LN."""
        serial = self.serial(chart, visit)
        number = f"{serial}_J^HIS^{serial}_J^HIS"
        done, reported = digits14(study.done), digits14(study.reported)
        sex = chart.resident.sex
        body = [
            f"PID|||{chart.number}^^^^21||{chart.name}||{chart.birth}|{sex}||||||||",
            f"PV1||{visit.kind}|||||||||||||||||{serial}|||||||||||000000|||||000000|||||||||0000",
            f'ORC||{number}|YX{serial}^WANGYE||CM||||""|||{study.doctor.name}|影像科||0000',
            f"OBR||{number}|YX{serial}^WANGYE|{study.code}^{study.name}^^{study.modality}^{study.modality}"
            f"|||{done}|{reported}|||||　　{study.findings}|||||||||{reported}|||F|||||||"
            f"{study.reader.name}|{study.reader.name}|^^^影像科",
            f"OBX|1|TX|1037^检查所见^LN||　　{study.findings}||||||F|||{done}",
            f"OBX|2|ST|1038^检查印象^LN||　　{study.impression}||||||F|||{done}",
        ]
        return self.frames.sent(_RIS, body, study.reported, RIS, "ORU^R01", chart)

    def report(self, chart: Chart, visit: Visit, form: ReportForm) -> Sent:
        """OUL^R24 of the LIS: OBR, ORC, SPM, OBX; two numbers packed into OBR-2."""
        report, serial = form.report, self.serial(chart, visit)
        panel, round_ = report.panel, (report.ordered - visit.start) // DAY
        request = f"{serial}{round_:02d}"
        packed = f"TSQ_{request}^HIS^TYZ_{request}{panel.code_a[-4:]}^HIS"
        collected = form.collected or digits14(report.collected)
        doctor = f"{report.doctor.code}^{report.doctor.name}"
        state = "" if form.status == "F" else "C" if form.status == "C" else "X"
        body = [
            self._lis_pid(chart),
            f"PV1|1|{visit.kind}|{visit.department.code_a}^^^{FACILITY}|R|||{doctor}||||||||||||{serial}"
            "|||||||||||000000|||||000000|||||||||0000",
            f"OBR|1|{packed}||{panel.code_a}^{panel.name}|||{collected}|||||||{collected}"
            f"|{panel.specimen_code}&{panel.specimen}|{doctor}||||||{digits14(form.at)}|||{state}"
            f"||||||||{report.tester.code}&{report.tester.name}"
            f"|{report.reviewer.code}&{report.reviewer.name}",
            f"ORC|OK|{packed}||send|1||||{digits14(report.ordered)}|{doctor}||{doctor}|||0000"
            f"||{visit.department.code_a}^{visit.department.name}||||||||||||3^化验类",
            f"SPM||&&{request}{panel.code_a[-4:]}||{panel.specimen_code}^{panel.specimen}",
        ]
        sex, time = chart.resident.sex, digits14(report.collected)
        body += [
            self._obx(n, result, form, sex, time) for n, result in enumerate(form.results, 1)
        ]
        sent = self.frames.sent(
            _LIS, body, form.at, LIS, "OUL^R24", chart, form.planted, form.detail
        )
        return sent if form.arrives == form.at else moved(sent, form.arrives)

    @staticmethod
    def _obx(n: int, result: Result, form: ReportForm, sex: str, time: str) -> str:
        item = result.item
        code = f"0399{item.code_a[-3:]}" if form.unknown_item == n - 1 else item.code_a
        if item.digits < 0:
            mark, reference, unit = "P" if result.mark else "N", item.expected, ""
            value = result.value + (
                "（-）" if result.value == "阴性" else "（+）" if result.value == "阳性" else ""
            )
        else:
            low, high = item.range(sex)
            mark, value = _MARKS.get(result.mark, "M"), result.value
            reference = f"<{high}" if low == "0" else f"{low}-{high}"
            unit = f"^{item.unit.replace('^', chr(92) + 'S' + chr(92))}" if item.unit else ""
        return (
            f"OBX|{n}|ST|{code}^*{item.name}^^^{item.short}||{value}|{unit}|{reference}|{mark}"
            f"|||{form.status}|||{time}"
        )

    def _dose(self, chart: Chart, visit: Visit, dose: Dose) -> Sent:
        """VXU^V04 with the dose's number in RXA-2."""
        number = f"{self.serial(chart, visit)}{dose.vaccine.code}_M^HIS"
        nurse, at = f"{dose.nurse.code}^{dose.nurse.name}", digits14(dose.given)
        body = [
            self._pid(chart),
            self._pv1(chart, visit),
            f"ORC|RE|{number}||||||||||{nurse}",
            f"RXA|0|{dose.number}|{at}|{at}|{dose.vaccine.code}^{dose.vaccine.name}|0.5|ml||00^本次接种|{nurse}"
            f"|||||{dose.lot}||^{dose.maker}|||CP|A",
            f"RXR|^{dose.vaccine.way}|^{dose.vaccine.site}",
        ]
        return self.frames.sent(_HIS, body, dose.given + 5 * MINUTE, HIS, "VXU^V04", chart)

    def update(self, chart: Chart, at: Moment) -> Sent:
        """A08: the person's data have changed."""
        return self._adt("A08", chart, at, who="A1901")

    def merge(self, kept: Chart, replaced: Chart, at: Moment) -> Sent:
        """A40: the replaced number's record belongs to the kept one."""
        mrg = f"MRG|{replaced.number}^^^^LocalID"
        return self._adt("A40", kept, at, mrg, who="A1901", planted=replaced.planted)
