"""Hospital C's messages as they stand on the wire: SOAP envelopes, national V3, XML of its own."""

from __future__ import annotations

from dataclasses import replace
from xml.sax.saxutils import escape

from healthhub.city.catalogue import Diagnosis
from healthhub.city.cda import N, element
from healthhub.city.charts import Chart
from healthhub.city.desk import ReportForm
from healthhub.city.moments import Moment, digits14
from healthhub.city.places import CITY, PROVINCE
from healthhub.city.sent import Sent
from healthhub.city.system import Person
from healthhub.city.visits import Prescription, Visit

SOAP = "http://www.w3.org/2003/05/soap-envelope"
_XSI = 'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_KINDS = {"I": ("3", "住院"), "E": ("2", "急诊")}
_ROUTES = {"口服": "1", "皮下注射": "401", "静脉滴注": "405", "吸入": "5"}
_OWN_CODES = {"glu": "FPG"}
_BAD_TIME = "20250230101500"


class Envelopes:
    """Numbers and wraps the messages about one resident."""

    def __init__(self, person: Person, source: str) -> None:
        self._person, self._source, self._count = person, source, 0

    def national(
        self, action: str, interaction: str, subject: str, at: Moment, planted: str = ""
    ) -> Sent:
        """A national V3 message: ``subject`` is what stands in controlActProcess/subject."""
        control = self._next()
        device = '<{0} typeCode="{1}"><device classCode="DEV" determinerCode="INSTANCE"><id><item root="{2}2.5.1.3" extension="{3}"/></id></device></{0}>'
        head = (
            element("id", root=f"{N}2.5.1.1", extension=control)
            + element("creationTime", value=digits14(at))
            + element("interactionId", root=f"{N}2.5.1.2", extension=interaction)
            + '<processingCode code="P"/><processingModeCode/><acceptAckCode code="AL"/>'
            + device.format("receiver", "RCV", N, "HUB")
            + device.format("sender", "SND", N, "HIS-C")
        )
        inner = f'<controlActProcess classCode="CACT" moodCode="EVN"><subject typeCode="SUBJ">{subject}</subject></controlActProcess>'
        message = f'<{interaction} ITSVersion="XML_1.0" {_XSI}>{head}{inner}</{interaction}>'
        return self._sent(action, message, at, f"HV3^{interaction}", control, planted)

    def own(
        self,
        action: str,
        system: str,
        data: str,
        at: Moment,
        planted: str = "",
        detail: str = "",
    ) -> Sent:
        """A message of the platform's own."""
        control = self._next()
        message = (
            f"<req><orginSysId>{system}</orginSysId><msgTime>{digits14(at)}</msgTime>"
            f"<data>{data}</data></req>"
        )
        sent = self._sent(action, message, at, f"XML^{action}", control, planted)
        return replace(sent, detail=detail)

    def _next(self) -> str:
        self._count += 1
        return f"C{self._person.resident.ordinal:08d}{self._count:05d}"

    def _sent(
        self, action: str, message: str, at: Moment, kind: str, control: str, planted: str
    ) -> Sent:
        raw = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>'
            f'<HIPMessageServer xmlns="urn:hl7-org:v3"><action>{action}</action>'
            f"<message>{escape(message)}</message></HIPMessageServer></soap:Body></soap:Envelope>"
        ).encode()
        name = self._person.resident.person
        return Sent(at, self._source, raw, kind, control, name, planted)


def ident(root: str, extension: str) -> str:
    """An id below the nation's root."""
    return f'<id><item root="{N}{root}" extension="{extension}"/></id>'


def _named(chart: Chart, kind: str) -> str:
    return f'<name xsi:type="{kind}"><item><part value="{chart.name}"/></item></name>'


def patient(chart: Chart, at: Moment) -> str:
    """The whole person; the address as text and as parts."""
    resident = chart.resident
    male = resident.sex == "M"
    phone = (
        f'<telecom xsi:type="LIST_TEL"><item use="MC" value="{chart.phone}"/></telecom>'
        if chart.phone
        else ""
    )
    parts = "".join(
        f'<part type="{kind}" value="{value}"/>'
        for kind, value in (
            ("SAL", chart.address),
            ("STA", PROVINCE),
            ("CTY", CITY),
            ("STB", resident.town),
            ("STR", resident.line),
            ("ZIP", "433000"),
        )
        if value
    )
    return (
        f'<patient classCode="PAT">{ident("2.5.1.4", chart.number)}<statusCode code="active"/>'
        f'<effectiveTime value="{digits14(at)}"/><patientPerson classCode="PSN" determinerCode="INSTANCE">'
        f"{ident('1.3', chart.written_id) if chart.written_id else ''}{_named(chart, 'LIST_EN')}{phone}"
        f'<administrativeGenderCode code="{1 if male else 2}" codeSystem="{N}2.3.3.4">'
        f'<displayName value="{"男性" if male else "女性"}"/></administrativeGenderCode>'
        f'<birthTime value="{chart.birth}"/><addr xsi:type="BAG_AD"><item use="H">{parts}</item></addr>'
        f'<maritalStatusCode code="{resident.married}" codeSystem="{N}2.3.3.5"/>'
        f'<ethnicGroupCode><item code="{resident.group}" codeSystem="{N}2.3.3.3"/></ethnicGroupCode>'
        "</patientPerson></patient>"
    )


def mentioned(chart: Chart) -> str:
    identity = ident("1.3", chart.written_id) if chart.written_id else ""
    sex = 1 if chart.resident.sex == "M" else 2
    birth = f'<birthTime value="{chart.birth}"/>' if chart.birth else ""
    return (
        f'<patient classCode="PAT">{ident("2.5.1.4", chart.number)}<patientPerson>{identity}'
        f'{_named(chart, "DSET_EN")}<administrativeGenderCode code="{sex}"/>{birth}'
        "</patientPerson></patient>"
    )


def visited(chart: Chart, visit: Visit, number: str, *, ended: bool, stay: bool) -> str:
    code, name = _KINDS.get(visit.kind, ("1", "门诊"))
    high = f'<high value="{digits14(visit.end)}"/>' if ended else ""
    doctor, department = visit.doctor, visit.department
    return (
        f'<encounterEvent classCode="ENC" moodCode="EVN"><id><item root="{N}2.5.1.9" extension="V{number}"/>'
        f'<item root="{N}{"1.12" if stay else "1.11"}" extension="{number}"/></id>'
        f'<code code="{code}" codeSystem="{N}2.3.1.271"><displayName value="{name}"/></code>'
        '<statusCode code="active"/><effectiveTime xsi:type="IVL_TS">'
        f'<low value="{digits14(visit.start)}"/>{high}</effectiveTime><subject typeCode="SBJ">{mentioned(chart)}</subject>'
        f'<attender typeCode="ATND"><assignedPerson>{ident("1.4", doctor.code)}<assignedPerson><name xsi:type="LIST_EN">'
        f'<item><part value="{doctor.name}"/></item></name></assignedPerson></assignedPerson></attender>'
        '<location typeCode="LOC"><serviceDeliveryLocation classCode="SDLOC">'
        f'<code code="{department.code_a}" codeSystem="{N}1.26"><displayName value="{department.name}"/></code>'
        "</serviceDeliveryLocation></location></encounterEvent>"
    )


def whom(chart: Chart, number: str, *, stay: bool) -> str:
    """Patient and visit, as its own XML names them."""
    name = "inpatNo" if stay else "outpatNo"
    admitted = f"<admNo>{number}</admNo>" + (f"<{name}>{number}</{name}>" if stay else "")
    return f"<patId>{chart.number}</patId>{admitted}"


def results(form: ReportForm, sex: str) -> str:
    report = form.report
    sampled = _BAD_TIME if form.collected else digits14(report.collected)
    rows = ""
    for n, result in enumerate(form.results):
        item = result.item
        low, high = item.range(sex)
        reference = f"{low}-{high}" if item.digits >= 0 else item.expected
        own = _OWN_CODES.get(item.key, item.key.upper())
        code = f"NEW{own}" if form.unknown_item == n else own
        rows += (
            f"<row><itemId>{code}</itemId><itemNam>{escape(item.name)}</itemNam>"
            f"<itemResult>{escape(result.value)}</itemResult><value>{escape(reference)}</value>"
            f"<unit>{escape(item.unit)}</unit><flag>{0 if result.mark else 1}</flag></row>"
        )
    return (
        f"<reportNam>{report.panel.name}</reportNam><sampleTime>{sampled}</sampleTime>"
        f"<reportTime>{digits14(form.at)}</reportTime><auditDocNam>{report.reviewer.name}</auditDocNam>"
        f"<records>{rows}</records>"
    )


def diagnosed(patient: str, number: str, found: Diagnosis, at: Moment, cancelled: str) -> str:
    return (
        f"<patId>{patient}</patId><diagId>{number}</diagId><diagCd>{found.code}</diagCd>"
        f"<diagNam>{escape(found.name)}</diagNam><diagTime>{digits14(at)}</diagTime>"
        f"<isCancel>{cancelled}</isCancel>"
    )


def ordered(chart: Chart, line: Prescription, order: str, number: str, *, stay: bool) -> str:
    """A medicine ordered in a visit."""
    drug = line.drug
    taken = (
        '<substanceAdministrationRequest classCode="SBADM" moodCode="RQO">'
        f'{ident("1.28", order)}<statusCode code="active"/>'
        f'<routeCode code="{_ROUTES[drug.route]}" codeSystem="{N}2.3.1.158"><displayName value="{drug.route}"/></routeCode>'
        f'<doseQuantity value="{drug.dose}" unit="{drug.unit}"/><consumable><manufacturedProduct><manufacturedMaterial>'
        f'<code code="{drug.code_a}" codeSystem="{N}2.3.9.9"><displayName value="{drug.name}"/></code>'
        f'<name><item><part value="{drug.name}"/></item></name></manufacturedMaterial></manufacturedProduct></consumable>'
        "</substanceAdministrationRequest>"
    )
    return (
        f'<placerGroup><subject typeCode="SBJ">{mentioned(chart)}</subject><author typeCode="AUT">'
        f'<time value="{digits14(line.written)}"/><assignedEntity>{ident("1.4", line.doctor.code)}'
        f'<assignedPerson><name><item><part value="{line.doctor.name}"/></item></name></assignedPerson>'
        f"</assignedEntity></author><component2>{taken}</component2><componentOf1>"
        f'<encounter classCode="ENC" moodCode="EVN">{ident("1.12" if stay else "1.11", number)}</encounter>'
        "</componentOf1></placerGroup>"
    )
