"""Hospital C: an integration platform with one SOAP operation, HIPMessageServer(action, message).

It sends national V3 messages of persons, visits and orders, documents (base64 in a register
message), and XML of its own for diagnoses and laboratory reports; misspelt names are its contract.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace

from healthhub.city import cda, houses
from healthhub.city.cda import N
from healthhub.city.channels import Http
from healthhub.city.charts import Chart, local_number
from healthhub.city.desk import ReportForm, forms
from healthhub.city.hospital_c_messages import (
    Envelopes,
    diagnosed,
    ordered,
    patient,
    results,
    visited,
    whom,
)
from healthhub.city.houses import Custom
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.rates import PLATFORM
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Report, Visit


class HospitalC(System):
    """The third hospital."""

    about = About(
        source="hospital-c",
        house="h",
        title="市三医院 集成平台",
        adapter="hl7v3",
        mapping="hospital-c",
        institution="hospital-c",
        institution_title=cda.OWN_NAME,
    )
    channel = Http("soap", "application/soap+xml; charset=utf-8")
    custom = Custom(share=0.3, yearly=0.8, stays=0.25)

    def history(self, person: Person) -> Iterator[Sent]:
        """The person's registration, and all messages and documents of each visit."""
        chart: Chart | None = None
        envelopes = Envelopes(person, self.source)
        sent: list[Sent] = []
        for visit in houses.visits(person, self.house, self.custom):
            if chart is None:
                chart = self.registered(person, visit.start)
                sent.append(self._register(chart, visit.start - 3 * MINUTE, envelopes))
            sent += self._visit(person, chart, visit, envelopes)
        yield from _disturbed(sent, person)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A visit; its messages' numbers follow from its own."""
        chart = self.registered(person, end)
        visit = houses.quick(person, self.house, end, count)
        envelopes = Envelopes(person, self.source)
        envelopes._count = count % 100_000
        yield self._register(chart, visit.start - MINUTE, envelopes)
        yield from self._visit(person, chart, visit, envelopes)

    def _register(self, chart: Chart, at: Moment, envelopes: Envelopes) -> Sent:
        subject = (
            '<registrationRequest classCode="REG" moodCode="RQO"><statusCode code="active"/>'
            f'<subject1 typeCode="SBJ">{patient(chart, at)}</subject1></registrationRequest>'
        )
        return envelopes.national(
            "PatientRegistryAdd", "PRPA_IN201311UV02", subject, at, chart.planted
        )

    def _visit(
        self, person: Person, chart: Chart, visit: Visit, envelopes: Envelopes
    ) -> Iterator[Sent]:
        stay = visit.kind == "I"
        number = f"{'ZY' if stay else 'MZ'}{chart.number[1:]}{visit.count:05d}"
        person.tally[f"visits.{self.house}"] += 1
        person.tally[f"diagnoses.{self.house}"] += len(visit.diagnoses)
        person.tally[f"studies.{self.house}"] += len(visit.studies)
        person.tally[f"prescriptions.{self.house}"] += len(visit.prescriptions)
        opened = visited(chart, visit, number, ended=False, stay=stay)
        yield envelopes.national("EncounterAdd", "PRPA_IN400001UV", opened, visit.start)
        yield from self._orders(chart, visit, number, envelopes, stay=stay)
        for report in visit.reports:
            yield from self._report(person, chart, visit, report, number, envelopes, stay=stay)
        closed = visited(chart, visit, number, ended=True, stay=stay)
        yield envelopes.national("EncounterDischarge", "PRPA_IN400003UV", closed, visit.end)
        for document in cda.written(chart, visit, number, stay):
            person.tally[f"documents.{self.house}"] += 1
            yield _register_document(document, envelopes)
        yield from self._mistaken(person, visit, envelopes)

    def _orders(
        self, chart: Chart, visit: Visit, number: str, envelopes: Envelopes, *, stay: bool
    ) -> Iterator[Sent]:
        """POOR_IN200901 of each medicine."""
        for n, line in enumerate(visit.prescriptions, 1):
            subject = ordered(chart, line, f"YZ{number}{n:02d}", number, stay=stay)
            yield envelopes.national("OrderAdd", "POOR_IN200901UV", subject, line.written + n)

    def _report(
        self, person: Person, chart: Chart, visit: Visit, report: Report, number: str,
        envelopes: Envelopes, *, stay: bool,
    ) -> Iterator[Sent]:  # fmt: skip
        """Its own LabReport; a correction is the report sent again under its number."""
        person.tally[f"reports.{self.house}"] += 1
        person.tally[f"results.{self.house}"] += len(report.results)
        turn = (report.ordered - visit.start) // DAY
        own = f"R{number}{turn:02d}{report.panel.code_b[3:]}"
        told = [ReportForm(report, report.results, at=report.reported, arrives=report.reported)]
        if not person.named:
            told = list(forms(report, person.dice, PLATFORM))
        for form in told:
            head = f"{whom(chart, number, stay=stay)}<reportId>{own}</reportId>"
            data = head + results(form, person.resident.sex)
            where = {"unknown-code": "row/itemId", "bad-time": "sampleTime"}
            detail = where.get(form.planted, form.detail)
            sent = envelopes.own("LabReport", "LIS", data, form.at, form.planted, detail)
            yield replace(sent, at=form.arrives)

    def _mistaken(self, person: Person, visit: Visit, envelopes: Envelopes) -> Iterator[Sent]:
        """A diagnosis sent under another of the family, then cancelled."""
        others = [m for m in person.family.members if m.person != person.resident.person]
        if person.named or not others or not person.dice.chance(PLATFORM.wrong_patient):
            return
        patient = local_number(self.house, others[0].ordinal)
        whose, found = f"belongs to {person.resident.person}", visit.diagnoses[0]
        for at, cancelled in ((visit.end, "0"), (visit.end + 2 * HOUR, "1")):
            data = diagnosed(patient, f"X{patient[1:]}{visit.count:03d}", found, at, cancelled)
            yield envelopes.own("Diagnosis", "EMR", data, at, "wrong-patient", whose)
        person.tally[f"withdrawn.{self.house}"] += 1


def _register_document(document: cda.Written, envelopes: Envelopes) -> Sent:
    content = base64.encodebytes(document.raw).decode("ascii")
    subject = (
        '<clinicalDocument classCode="DOCCLIN" moodCode="EVN">'
        f'<id root="{N}2.5.1.24" extension="{document.number}"/><storageCode code="BASE64">'
        f"<originalText>{content}</originalText></storageCode></clinicalDocument>"
    )
    return envelopes.national(
        "DocumentRegistryAdd", "RCMR_IN000002UV02", subject, document.at + MINUTE
    )


def _disturbed(sent: Sequence[Sent], person: Person) -> Iterator[Sent]:
    """The wire's own errors: sent twice, in GBK though it says UTF-8, or no XML at all."""
    for each in sent:
        throw = 1.0 if person.named or each.planted else person.dice.random()
        if throw < PLATFORM.resend_same:
            yield each
            yield replace(each, at=each.at + 20 * MINUTE, planted="resend-same")
        elif throw < PLATFORM.resend_same + PLATFORM.wrong_charset:
            other = each.raw.decode("utf-8").encode("gbk")
            planted = "" if other == each.raw else "wrong-charset"  # all of it may be ASCII
            yield replace(each, raw=other, planted=planted, detail=planted and "encoding")
        elif throw < PLATFORM.resend_same + PLATFORM.wrong_charset + PLATFORM.garbage:
            half = each.raw[: len(each.raw) // 2]
            yield Sent(
                each.at + 1, each.source, half, "", each.control, "", "garbage", accepted=False
            )
            yield each
        else:
            yield each
