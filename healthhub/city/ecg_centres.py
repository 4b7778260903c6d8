"""Where electrocardiograms are taken: hospital A's network (DICOM waveforms), hospital B's carts (HL7
annotated ECG), and the carts of health centres and villages, whose recordings the remote centre
reads (SCP-ECG). Hospitals know people by their own numbers, the remote centre by the resident's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from healthhub.city import ecg_aecg, ecg_dicom, ecg_scp, heart
from healthhub.city.body import YEAR
from healthhub.city.channels import Http
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.dicom_objects import labelled
from healthhub.city.ecg_order import Cart, Ordered
from healthhub.city.hospital_a import HospitalA
from healthhub.city.hospital_b import HospitalB
from healthhub.city.mishaps import mishap
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.places import CITY, STAFF
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Visit

_GROWN = 14 * YEAR
_OF_VISITS = {"I": 0.7, "E": 0.4, "T": 0.25, "O": 0.0}
"""Share of the visits of each kind in which a grown-up has an electrocardiogram taken."""
_OF_THE_HEART = 0.06
"""The same of visits to the heart's own department."""


class EcgCentre(System):
    """What all have in common. ``shares``: how many recordings have which error."""

    cart: ClassVar[Cart]
    shares: ClassVar[Mapping[str, float]]

    @abstractmethod
    def _write(self, ordered: Ordered, tracing: heart.Tracing) -> bytes:
        """The recording as the system's machines write it."""

    def _taken(
        self, person: Person, ordered: Ordered, count: int, *, spared: bool
    ) -> Iterator[Sent]:
        """A recording on its way, errors among it."""
        person.tally[f"ecgs.{self.source}"] += 1
        tracing = heart.tracing(_heart(person, ordered.at), person.dice)
        planted = mishap(person.dice, self.shares, spared=spared)
        number = f"{self.house.upper()[:1]}{person.resident.ordinal:08d}{count:05d}"
        sent = Sent(
            ordered.at + 4 * MINUTE, self.source, self._write(ordered, tracing), "ECG", number,
            person.resident.person,
        )  # fmt: skip
        if planted == "stranger":
            yield self._of_a_stranger(ordered, tracing, sent)
        elif planted == "wrong-charset":
            raw = labelled(sent.raw, "ISO_IR 100")
            yield replace(sent, raw=raw, planted=planted, detail="(0008,0005)")
        else:
            yield sent
        if planted == "garbage":
            half = sent.raw[: len(sent.raw) // 2]
            yield replace(sent, raw=half, person="", control=f"{number}X", planted=planted, accepted=False)  # fmt: skip
        elif planted == "resend-same":
            yield replace(sent, at=sent.at + 25 * MINUTE, planted=planted)

    def _of_a_stranger(self, ordered: Ordered, tracing: heart.Tracing, sent: Sent) -> Sent:
        """Taken in a hurry of somebody who is in nobody's books: a number of the machine's own
        stands for a person without a name."""
        chart = replace(ordered.chart, number=f"ZZ{sent.control}", name="", birth="")
        raw = self._write(replace(ordered, chart=chart), tracing)
        return replace(sent, raw=raw, planted="stranger", detail="patient/id")


class HospitalEcg(EcgCentre):
    """A hospital's: taken in visits."""

    def history(self, person: Person) -> Iterator[Sent]:
        """Those of the visits to the house; of the named resident, of the last one too."""
        visits = [v for v in person.elsewhere if v.house == self.house]
        last = visits[-1].count if person.named and visits else 0
        for visit in visits:
            if self._wanted(person, visit) or visit.count == last:
                ordered = self._of_visit(person, visit)
                yield from self._taken(person, ordered, visit.count, spared=person.named)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """One just now, of somebody whom the house knows."""
        known = [c for (house, _), c in person.truth.charts.items() if house == self.house]
        if known:
            ordered = self._ordered(person, known[-1], end - 5 * MINUTE, "", "")
            yield from self._taken(person, ordered, count, spared=True)

    def _wanted(self, person: Person, visit: Visit) -> bool:
        share = _OF_VISITS[visit.kind]
        if visit.kind == "O" and visit.department.key == "cardiology":
            share = _OF_THE_HEART
        throw = person.dice.random()
        return throw < share and visit.start - person.life.born > _GROWN

    @abstractmethod
    def _of_visit(self, person: Person, visit: Visit) -> Ordered:
        """The numbers that the hospital gives it."""

    def _ordered(
        self, person: Person, chart: Chart, at: Moment, visit: str, order: str
    ) -> Ordered:
        number = f"{self.source}|{person.resident.ordinal}|{at}"
        technician = STAFF[self.house]["cardiology"][5].name
        title = self.about.institution_title
        return Ordered(number, chart, at, title, technician, self.cart, visit, order)


class HospitalAEcg(HospitalEcg):
    """Hospital A's network of carts."""

    about = About(
        source="hospital-a-ecg",
        house="a",
        title="市一医院 星迦心电网络",
        adapter="ecg",
        mapping="national/ecg",
        institution="hospital-a",
        institution_title=f"{CITY}第一人民医院",
        charset="gb18030",
    )
    channel = Http("ecg", "application/dicom", ".dcm")
    cart = Cart("星迦", "XJ-12", "SN0042")
    shares: ClassVar[Mapping[str, float]] = {
        "wrong-charset": 0.04,
        "stranger": 0.04,
        "garbage": 0.02,
        "resend-same": 0.04,
    }

    def _of_visit(self, person: Person, visit: Visit) -> Ordered:
        chart = person.truth.charts["a", visit.count]
        serial = HospitalA.serial(chart, visit)
        at = visit.start + 15 * MINUTE
        return self._ordered(person, chart, at, serial, f"XD{serial[1:]}")

    def _write(self, ordered: Ordered, tracing: heart.Tracing) -> bytes:
        return ecg_dicom.write(ordered, tracing)


class HospitalBEcg(HospitalEcg):
    """Hospital B's carts."""

    about = About(
        source="hospital-b-ecg",
        house="b",
        title="市中医院 云桥心电工作站",
        adapter="ecg",
        mapping="national/ecg",
        institution="hospital-b",
        institution_title=f"{CITY}中医医院",
    )
    channel = Http("ecg", "application/xml")
    cart = Cart("云桥", "YQ-6012", "YQ118")
    shares: ClassVar[Mapping[str, float]] = {
        "stranger": 0.04,
        "garbage": 0.03,
        "resend-same": 0.04,
    }

    def _of_visit(self, person: Person, visit: Visit) -> Ordered:
        chart = person.truth.charts["b", visit.count]
        order = HospitalB.order(chart, visit, "X", 1)
        return self._ordered(person, chart, visit.start + 15 * MINUTE, str(visit.count), order)

    def _write(self, ordered: Ordered, tracing: heart.Tracing) -> bytes:
        return ecg_aecg.write(ordered, tracing)


class RemoteEcg(EcgCentre):
    """The centre that reads what health centres and villages record: once a year of those whose
    pressure they care for."""

    about = About(
        source="remote-ecg",
        house="g",
        title="市远程心电诊断中心",
        adapter="ecg",
        mapping="national/ecg",
        institution="remote-ecg",
        institution_title=f"{CITY}远程心电诊断中心",
        kind="public",
        charset="gb18030",
    )
    channel = Http("ecg", "application/octet-stream", ".scp")
    cart = Cart("澄湖", "CH-3", "CH2207")
    shares: ClassVar[Mapping[str, float]] = {
        "stranger": 0.05,
        "garbage": 0.04,
        "resend-same": 0.04,
    }
    _share = 0.3

    def history(self, person: Person) -> Iterator[Sent]:
        """Once a year, on the day of a follow-up."""
        dice = person.dice
        comes = person.named or dice.chance(self._share)
        since = person.body.since.get("hypertension")
        if since is None or not comes:
            return
        at = max(since, person.begin) + dice.whole(10, 200) * DAY
        for count in range(1, 100):
            at += -(at % DAY) + dice.whole(8, 16) * HOUR + dice.whole(0, 59) * MINUTE
            if at > person.until - DAY:
                return
            if not person.busy(at, at + HOUR):
                ordered = self._ordered(person, at)
                yield from self._taken(person, ordered, count, spared=person.named)
            at += round(YEAR) + dice.whole(-40, 40) * DAY

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """One just now."""
        ordered = self._ordered(person, end - 5 * MINUTE)
        yield from self._taken(person, ordered, count, spared=True)

    def _ordered(self, person: Person, at: Moment) -> Ordered:
        """The machine reads the identity card."""
        resident = person.resident
        dice = Dice(person.seed, self.source, "chart", resident.ordinal)
        chart = righted(first_chart(dice, resident, person.family, self.house, at))
        place = f"{resident.town}卫生服务站"
        return Ordered(
            f"{self.source}|{resident.ordinal}|{at}",
            replace(chart, number=resident.number),
            at,
            place,
            STAFF["p"]["general"][0].name,
            self.cart,
        )

    def _write(self, ordered: Ordered, tracing: heart.Tracing) -> bytes:
        return ecg_scp.write(ordered, tracing)


def _heart(person: Person, at: Moment) -> str:
    """How the resident's heart beats: a large one after years of high pressure, now and then out
    of step in the old."""
    steady = Dice(person.seed, "heart", person.resident.ordinal)
    if at - person.life.born > 72 * YEAR and steady.chance(0.25):
        return "fibrillating"
    if person.body.lasting("hypertension", at) > 5 and steady.chance(0.6):
        return "enlarged"
    return "slow" if steady.chance(0.08) else "normal"
