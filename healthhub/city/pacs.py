"""The PACS of hospitals A and B: the X-rays and CTs that were ordered there, as DICOM objects.

A's sends by STOW-RS, texts in GB18030, with the numbers of order and visit; B's puts files into a
folder, texts in GBK of which no element says so, body parts in Chinese. Ultrasound stays with them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pydicom.dataset import Dataset

from healthhub.city import scans
from healthhub.city.channels import FILE, Objects, Stow
from healthhub.city.charts import Chart
from healthhub.city.dicom_objects import GB18030, labelled, uid, written
from healthhub.city.hospital_a import HospitalA
from healthhub.city.hospital_b import HospitalB
from healthhub.city.illnesses import STUDIES
from healthhub.city.mishaps import mishap
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment
from healthhub.city.places import CITY, STAFF
from healthhub.city.scans import Scan, Scanner
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Study, Visit

_PICTURES = {code: key for key, (code, *_) in STUDIES.items()}
_PARTS = {
    "chest_xray": ("CHEST", "胸部"),
    "chest_ct": ("CHEST", "胸部"),
    "chest_clear": ("CHEST", "胸部"),
    "chest_mass": ("CHEST", "胸部"),
    "head_ct": ("HEAD", "头颅"),
    "spine_xray": ("LSPINE", "腰椎"),
    "knee_xray": ("KNEE", "膝关节"),
    "wrist_xray": ("WRIST", "腕关节"),
    "hip_xray": ("HIP", "髋关节"),
}
"""Part of the body, as each house's machines write it."""
_WHERE = {
    "unknown-code": "(0018,0015)",
    "bad-time": "(0008,0020)",
    "wrong-charset": "(0008,0005)",
}
_FOLLOWED_UP = 165 * DAY
"""Before the end of the story the named resident has slices of the chest taken at A."""


class Pacs(System):
    """What both have in common."""

    shares: ClassVar[Mapping[str, float]]
    """How many studies have which error in their first image."""

    def history(self, person: Person) -> Iterator[Sent]:
        """The studies of all visits to the house."""
        found = [
            self._of_visit(person, visit, study)
            for visit in person.elsewhere
            if visit.house == self.house
            for study in visit.studies
            if study.modality in ("DX", "CT")
        ]
        if person.named and self.house == "a":
            found += self._followed_up(person)
        for scan in found:
            yield from self._told(person, scan, spared=person.named)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A chest X-ray just now of somebody whom the house knows."""
        known = [c for (house, _), c in person.truth.charts.items() if house == self.house]
        if known:
            scan = self._alone(person, known[-1], "chest_xray", end - 5 * MINUTE)
            yield from self._told(person, scan, spared=True)

    @abstractmethod
    def _of_visit(self, person: Person, visit: Visit, study: Study) -> Scan:
        """A study that was ordered in a visit."""

    @abstractmethod
    def _file(self, ds: Dataset, scan: Scan, planted: str) -> bytes:
        """An object's bytes as the house's machines write them."""

    @abstractmethod
    def _sent(self, person: Person, number: str, at: Moment, raw: bytes, planted: str) -> Sent:
        """An object on its way."""

    def _followed_up(self, person: Person) -> list[Scan]:
        """Slices in the last year of the story, which nobody ordered by HL7."""
        charts = [c for (house, _), c in person.truth.charts.items() if house == self.house]
        at = person.until - _FOLLOWED_UP
        at -= at % DAY - 10 * HOUR
        return [self._alone(person, charts[-1], "chest_clear", at)] if charts else []

    def _alone(self, person: Person, chart: Chart, picture: str, at: Moment) -> Scan:
        """A study of no visit."""
        key = "chest_ct" if picture == "chest_clear" else picture
        _, name, modality, *_ = STUDIES[key]
        number = f"{self.house}{person.resident.ordinal}-{at}"
        accession = f"{self.house.upper()}{at % 10**9:09d}"
        doctor = STAFF[self.house]["checkup"][0].name
        return Scan(
            number, picture, name, _PARTS[picture][self.house == "b"], modality, chart, at, doctor,
            self._scanner(modality), accession,
        )  # fmt: skip

    def _scanner(self, modality: str) -> Scanner:
        place = f"{CITY}第一人民医院" if self.house == "a" else f"{CITY}中医医院"
        return Scanner("瑞观", "RG-64" if modality == "CT" else "RG-DR3", place)

    def _told(self, person: Person, scan: Scan, *, spared: bool) -> Iterator[Sent]:
        """The study's objects, one after the other; errors among the images."""
        person.tally[f"scans.{self.house}"] += 1
        objects = list(scans.images(scan))
        if scan.modality == "CT":
            objects.append(scans.marked(scan))
        planted = mishap(person.dice, self.shares, spared=spared)
        for n, ds in enumerate(objects, 1):
            error = planted if n == 1 else ""
            number = (
                f"{self.house.upper()}{person.resident.ordinal:08d}{uid(scan.number)[-9:]}{n}"
            )
            at = scan.at + 30 + 2 * n
            if error == "garbage":
                half = self._file(ds, scan, "")
                yield self._sent(person, f"{number}X", at, half[: len(half) // 2], error)
                error = ""
            whole = self._sent(person, number, at, self._file(ds, scan, error), error)
            if error == "resend-same":
                yield replace(whole, planted="")
                yield replace(whole, at=at + 20 * MINUTE)
            else:
                yield whole
            person.tally[f"objects.{self.house}"] += 1


class HospitalAPacs(Pacs):
    """The PACS of hospital A."""

    about = About(
        source="hospital-a-pacs",
        house="a",
        title="市一医院 景澈PACS",
        adapter="dicom",
        mapping="hospital-a-pacs",
        institution="hospital-a",
        institution_title=f"{CITY}第一人民医院",
        charset="gb18030",
    )
    channel = Stow()
    shares: ClassVar[Mapping[str, float]] = {
        "wrong-charset": 0.03,
        "unknown-code": 0.02,
        "bad-time": 0.02,
        "garbage": 0.02,
        "resend-same": 0.04,
    }

    def _of_visit(self, person: Person, visit: Visit, study: Study) -> Scan:
        chart = person.truth.charts["a", visit.count]
        serial, picture = HospitalA.serial(chart, visit), _PICTURES[study.code]
        return Scan(
            serial, picture, study.name, _PARTS[picture][0], study.modality, chart, study.done,
            study.doctor.name, self._scanner(study.modality), f"YX{serial}", serial, f"{serial}_J",
        )  # fmt: skip

    def _file(self, ds: Dataset, scan: Scan, planted: str) -> bytes:
        if "PixelData" in ds:
            ds.BodyPartExamined = "CHEST_NEW" if planted == "unknown-code" else scan.part
        if planted == "bad-time":
            ds.StudyDate = "20260231"
        raw = written(ds)
        return labelled(raw, "ISO_IR 100") if planted == "wrong-charset" else raw

    def _sent(self, person: Person, number: str, at: Moment, raw: bytes, planted: str) -> Sent:
        broken = planted == "garbage"
        whose = "" if broken else person.resident.person
        detail = _WHERE.get(planted, "")
        return Sent(
            at, self.source, raw, "DCM", number, whose, planted, detail, accepted=not broken
        )


class HospitalBPacs(Pacs):
    """The PACS of hospital B. What lies in its folder is whole, or cut off; nothing lies there
    twice."""

    about = About(
        source="hospital-b-pacs",
        house="b",
        title="市中医院 听松PACS",
        adapter="dicom",
        mapping="hospital-b-pacs",
        institution="hospital-b",
        institution_title=f"{CITY}中医医院",
        charset="gb18030",
    )
    channel = Objects()
    shares: ClassVar[Mapping[str, float]] = {
        "unknown-code": 0.03,
        "bad-time": 0.03,
        "garbage": 0.03,
    }

    def _of_visit(self, person: Person, visit: Visit, study: Study) -> Scan:
        chart = person.truth.charts["b", visit.count]
        order, picture = HospitalB.order(chart, visit, "J", 1), _PICTURES[study.code]
        return Scan(
            order, picture, study.name, _PARTS[picture][1], study.modality, chart, study.done,
            study.doctor.name, self._scanner(study.modality), order, str(visit.count),
        )  # fmt: skip

    def _file(self, ds: Dataset, scan: Scan, planted: str) -> bytes:
        """Sex by its digit, the part of the body in Chinese, and no word of the charset."""
        ds.PatientSex = "1" if ds.PatientSex == "M" else "2"
        part = "腹膜后" if planted == "unknown-code" else scan.part
        written_part = part.encode(GB18030)
        if "PixelData" in ds:
            ds.BodyPartExamined = "X" * len(written_part)
        if planted == "bad-time":
            ds.StudyDate = "20260231"
        raw = labelled(written(ds), "")
        return raw.replace(b"X" * len(written_part), written_part, 1)

    def _sent(self, person: Person, number: str, at: Moment, raw: bytes, planted: str) -> Sent:
        broken = planted == "garbage"
        whose, name = "" if broken else person.resident.person, f"{number}.dcm"
        detail = _WHERE.get(planted, "")
        return Sent(
            at, self.source, raw, FILE, name, whose, planted, detail, accepted=not broken
        )
