"""The CDC's planned immunisation system: every dose that a child was given, wherever that was, and the
yearly influenza vaccine of the old. It posts a frame of header and body (CDATA) within SOAP.

A dose that was written down wrongly is withdrawn two days later and told anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from xml.sax.saxutils import escape

from healthhub.city import moments
from healthhub.city.body import YEAR
from healthhub.city.catalogue import VACCINES
from healthhub.city.channels import Http
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, digits8, digits14
from healthhub.city.parties import INSTITUTIONS
from healthhub.city.places import CITY
from healthhub.city.rates import PLATFORM
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_CLINIC = ("42900401011", "城关街道社区卫生服务中心接种门诊")
_MAKERS = {"泽生生物制品有限公司": "81", "华康疫苗有限公司": "82", "安普生物股份有限公司": "83"}
_SITES = {"左上臂": "1", "右上臂": "2", "左大腿": "3", "右大腿": "4", "口服": "5"}
_WAYS = {"肌内注射": "1", "皮下注射": "2", "皮内注射": "3", "口服": "4"}
_FLU = ("2101", "流感病毒裂解疫苗", "左上臂三角肌", "肌内注射")
_FLU_SHARE = 0.3
_WITHDRAWN = 0.02
_CHILD = 7 * YEAR


@dataclass(frozen=True, slots=True)
class _Given:
    """A dose as the system has it."""

    code: str
    name: str
    site: str
    way: str
    number: int
    at: Moment
    lot: str
    maker: str
    organ: tuple[str, str]
    nurse: str
    planned: str = "1"


class CdcImmunisation(System):
    """The city's CDC."""

    about = About(
        source="cdc-immunisation",
        house="i",
        title="市疾控中心 免疫规划信息系统",
        adapter="hl7v3",
        mapping="cdc-immunisation",
        institution="cdc",
        institution_title=f"{CITY}疾病预防控制中心",
        kind="public",
    )
    channel = Http("soap", "application/soap+xml; charset=utf-8")

    def history(self, person: Person) -> Iterator[Sent]:
        """A message for each day on which doses were given."""
        days: dict[int, list[_Given]] = {}
        for given in self._doses(person):
            days.setdefault(given.at // DAY, []).append(given)
        for number, (_, doses) in enumerate(sorted(days.items()), 1):
            yield from self._told(person, doses, number)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """An influenza vaccine."""
        given = _flu(person.dice, end - 5 * MINUTE)
        yield self._message(person, [self._record(person, given, count, given.at)], end, count)

    def _doses(self, person: Person) -> Iterator[_Given]:
        """Those that hospitals gave, the others of the programme, and influenza of the old."""
        life, dice = person.life, person.dice
        seen: set[tuple[str, int]] = set()
        for visit in person.elsewhere:
            for dose in visit.doses:
                seen.add((dose.vaccine.key, dose.number))
                yield _Given(
                    dose.vaccine.code, dose.vaccine.name, dose.vaccine.site, dose.vaccine.way, dose.number,
                    dose.given, dose.lot, dose.maker, INSTITUTIONS[visit.house], dose.nurse.name,
                )  # fmt: skip
        if person.until - life.born < _CHILD:
            for vaccine in VACCINES.values():
                for number, days in enumerate(vaccine.days, 1):
                    at = life.born + (days + dice.whole(0, 9)) * DAY + dice.whole(9, 15) * HOUR
                    due = (vaccine.key, number) not in seen and life.born + HOUR < at
                    if due and at < person.until and not person.busy(at, at + HOUR):
                        newborn = days <= 2
                        yield _Given(
                            vaccine.code, vaccine.name, vaccine.site, vaccine.way, number, at,
                            f"{digits8(at)[2:6]}{dice.whole(10, 99)}", dice.pick(tuple(_MAKERS)),
                            INSTITUTIONS["a"] if newborn else _CLINIC, "吴悠",
                        )  # fmt: skip
        yield from self._seasons(person)

    def _seasons(self, person: Person) -> Iterator[_Given]:
        first, last = moments.day_of(person.begin).year, moments.day_of(person.until).year
        for year in range(first, last + 1):
            at = moments.of(date(year, 10, 12)) + person.dice.whole(0, 40 * 24) * HOUR
            at = at - at % DAY + person.dice.whole(9, 16) * HOUR
            old = at - person.life.born > 60 * YEAR
            comes = person.dice.chance(_FLU_SHARE) or person.named
            if (
                person.begin < at < person.until
                and old
                and comes
                and not person.busy(at, at + HOUR)
            ):
                yield _flu(person.dice, at)

    def _told(self, person: Person, doses: Sequence[_Given], number: int) -> Iterator[Sent]:
        """A day's message; errors among it."""
        dice, tally = person.dice, person.tally
        tally[f"doses.{self.house}"] += len(doses)
        first = doses[0]
        keys = [number * 10 + n for n in range(len(doses))]
        records = [
            self._record(person, given, key, given.at)
            for given, key in zip(doses, keys, strict=True)
        ]
        at = max(given.at for given in doses) + 12 * MINUTE
        throw = 1.0 if person.named else dice.random()
        if throw < _WITHDRAWN and at + 3 * DAY < person.until:
            tally[f"withdrawn.{self.house}"] += 1
            wrong = replace(first, number=first.number + 1)
            mistaken = self._record(person, wrong, keys[0] + 5, first.at)
            yield self._message(person, [mistaken], at, number)
            void = self._record(person, wrong, keys[0] + 5, at + 2 * DAY, status="1")
            yield self._message(person, [void, *records], at + 2 * DAY, number + 500)
            return
        if throw < _WITHDRAWN + PLATFORM.unknown_code:
            records[0] = {**records[0], "inoculationSite": "CV08.50.007_8"}
            where = "/vaccinationInfo/records/record[1]/inoculationSite"
            yield self._message(person, records, at, number, "unknown-code", where)
            return
        sent = self._message(person, records, at, number)
        yield sent
        if throw > 1 - PLATFORM.resend_same and not person.named:
            yield replace(sent, at=at + 30 * MINUTE, planted="resend-same")

    def _record(
        self, person: Person, given: _Given, key: int, filed: Moment, status: str = "0"
    ) -> dict[str, str]:
        at = digits14(given.at)
        return {
            "recordId": f"{self._chart(person).number}-{key:04d}",
            "vaccinationId": f"CV08.50.001_{given.code}",
            "vaccinationName": given.name,
            "acuscount": str(given.number),
            "dose": "0.1" if given.way == "皮内注射" else "0.5",
            "inocuState": "1",
            "vaccinationTime": at,
            "batchNumber": given.lot,
            "validDate": digits8(given.at + 400 * DAY),
            "inoculationSite": f"CV08.50.007_{_site(given.site)}",
            "inoculationWay": f"CV08.50.008_{_WAYS[given.way]}",
            "manufacturer": f"CV08.50.009_{_MAKERS[given.maker]}",
            "manufacturerName": given.maker,
            "organ": given.organ[0],
            "organName": given.organ[1],
            "doctorName": given.nurse,
            "planned": given.planned,
            "source": "1",
            "operateTime": digits14(filed),
            "status": status,
        }

    def _chart(self, person: Person) -> Chart:
        """Children's cards are typed at the clinic; adults' come from their identity cards."""
        at = person.life.born + 60 * DAY
        if person.resident.role == "child":
            return self.registered(person, at)
        dice = Dice(person.seed, self.source, "chart", person.resident.ordinal)
        chart = righted(first_chart(dice, person.resident, person.family, self.house, at))
        person.known_as(self.house, chart.number)
        return chart

    def _message(
        self, person: Person, records: Sequence[Mapping[str, str]], at: Moment, number: int,
        planted: str = "", detail: str = "",
    ) -> Sent:  # fmt: skip
        chart = self._chart(person)
        body = (
            f"<vaccinationInfo><msgTime>{digits14(at)}</msgTime><child>{_tags(_head(chart))}</child>"
            f"<records>{''.join(f'<record>{_tags(each)}</record>' for each in records)}</records>"
            "</vaccinationInfo>"
        )
        frame = (
            "<req><header><functioncode>YMJZ01</functioncode><cmd>upload</cmd></header>"
            f"<body><![CDATA[{body}]]></body></req>"
        )
        raw = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{_SOAP}"><soap:Body>'
            '<HIPMessageServer xmlns="urn:hl7-org:v3"><action>VaccinationUpload</action>'
            f"<message>{escape(frame)}</message></HIPMessageServer></soap:Body></soap:Envelope>"
        ).encode()
        control = f"I{person.resident.ordinal:08d}{number:05d}"
        kind = "XML^VaccinationUpload"
        return Sent(
            at, self.source, raw, kind, control, person.resident.person, planted, detail
        )


def _head(chart: Chart) -> dict[str, str]:
    resident = chart.resident
    return {
        "childCode": chart.number,
        "personName": chart.name,
        "sexCode": f"GB/T 2261.1_{1 if resident.sex == 'M' else 2}",
        "birthday": chart.birth,
        "idCard": chart.written_id,
        "nationCode": f"GB 3304_{resident.group}",
        "mobile": chart.phone,
        "address": chart.address,
    }


def _flu(dice: Dice, at: Moment) -> _Given:
    maker = dice.pick(tuple(_MAKERS))
    lot = f"{digits8(at)[2:4]}08{dice.whole(10, 99)}"
    return _Given(*_FLU, 1, at, lot, maker, _CLINIC, "吴悠", planned="0")


def _site(text: str) -> str:
    return next(code for words, code in _SITES.items() if text.startswith(words))


def _tags(said: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in said.items() if text)
