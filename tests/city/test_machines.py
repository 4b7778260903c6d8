"""What PACS, electrocardiographs, huts, home monitors and the province send: read back as it was made."""

from __future__ import annotations

import io
from collections import defaultdict
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pydicom
import pytest
from PIL import Image

from healthhub import city
from healthhub.city import ecg_aecg, ecg_dicom, ecg_scp, heart, moments, pictures
from healthhub.city.channels import FILE, Http, Objects, Place, Stow
from healthhub.city.charts import Chart
from healthhub.city.dice import Dice
from healthhub.city.ecg_order import Cart, Ordered
from healthhub.city.image_archive import ImageArchive
from healthhub.city.people import families
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.mapping.library import Library
from healthhub.model import validate
from healthhub.model.finding import Finding
from healthhub.model.r4 import invariants
from healthhub.receive import multipart
from healthhub.serve.record.ecgs import NAMES
from healthhub.settings import Settings

LIBRARY = Library(Path(__file__).parents[2] / "mappings")
FORMS = {"dicom", "ecg", "device", "fhir"}
MACHINES = [system for system in SYSTEMS if system.about.adapter in FORMS]
EXPECTED = {
    "unknown-code": {"unknown-code"},
    "bad-time": {"bad-time", "bad-date", "clock-off"},
    "wrong-charset": {"wrong-charset"},
    "profile-missed": {"profile"},
}
"""What the hub remarks upon where an error was planted."""
HABITS = {"hospital-b-pacs": {"wrong-charset"}}
"""What it remarks upon whatever is sent: that no object says which charset its texts are in."""
Body = dict[str, Any]


@pytest.fixture(scope="module")
def story() -> city.Story:
    return city.Story(160, 13, 2, systems=MACHINES)


@pytest.fixture(scope="module")
def sent(story: city.Story) -> list[Sent]:
    machines = {system.source for system in MACHINES}
    return [each for each in story.messages() if each.source in machines]


class Read:
    """Resources by source and type, and findings beside what was planted."""

    def __init__(self, sent: list[Sent]) -> None:
        settings = Settings(**city.settings()).sources
        converters = {
            s.source: Converter(s.source, settings[s.source], LIBRARY) for s in MACHINES
        }
        self.bodies: dict[tuple[str, str], dict[UUID, Body]] = defaultdict(dict)
        self.findings: list[tuple[Sent, Finding]] = []
        for each in sent:
            if not each.accepted:
                continue
            done = converters[each.source].convert(1, each.raw, moments.aware(each.at))
            for draft in done.drafts:
                self.bodies[each.source, draft.type][draft.id] = draft.body
            self.findings += [(each, f) for f in done.findings if f.severity != "info"]


@pytest.fixture(scope="module")
def read(sent: list[Sent]) -> Read:
    return Read(sent)


def test_what_was_planted_and_nothing_else_is_remarked_upon(
    read: Read, sent: list[Sent]
) -> None:
    strange = [
        (each.source, each.planted, f.code, f.where)
        for each, f in read.findings
        if f.code not in EXPECTED.get(each.planted, set()) | HABITS.get(each.source, set())
    ]
    assert strange == []
    planted = {(s.source, s.control) for s in sent if s.planted in EXPECTED and s.accepted}
    assert planted - {(each.source, each.control) for each, _ in read.findings} == set()


def test_what_they_say_is_sound_r4(read: Read) -> None:
    checked: dict[str, int] = defaultdict(int)
    for (source, type_), bodies in read.bodies.items():
        for body in list(bodies.values())[:6]:
            validate.check(body)
            assert [i for i in invariants.check(body) if i.severity == "error"] == [], source
            checked[type_] += 1
    assert {"ImagingStudy", "Media", "Observation", "DiagnosticReport", "Encounter"} <= set(
        checked
    )


def test_studies_are_as_many_as_were_made_and_stand_under_their_orders(
    read: Read, story: city.Story
) -> None:
    # the named couple's follow-up at A was ordered by nobody
    for house, source, alone in (("a", "hospital-a-pacs", 2), ("b", "hospital-b-pacs", 0)):
        studies = read.bodies[source, "ImagingStudy"]
        assert len(studies) == story.tally[f"scans.{house}"] > 20
        ordered = [
            body for body in studies.values() if "basedOn" in body and "encounter" in body
        ]
        assert len(ordered) == len(studies) - alone
        assert len(read.bodies[source, "Media"]) >= len(studies)


def test_electrocardiograms_are_as_many_as_were_taken(read: Read, story: city.Story) -> None:
    for source in ("hospital-a-ecg", "hospital-b-ecg", "remote-ecg"):
        found = [
            body
            for body in read.bodies[source, "Observation"].values()
            if sum("valueSampledData" in part for part in body["component"]) == 12
        ]
        assert len(found) == story.tally[f"ecgs.{source}"] > 5


def test_readings_are_of_residents_by_their_numbers(read: Read, sent: list[Sent]) -> None:
    for source in ("health-hut", "home-monitors", "provincial-platform", "remote-ecg"):
        people = read.bodies[source, "Patient"].values()
        numbered = [
            body
            for body in people
            if any(i["system"] == "urn:oid:2.16.156.10011.1.3" for i in body["identifier"])
        ]
        strangers = sum(s.planted == "stranger" and s.source == source for s in sent)
        assert len(people) - len(numbered) == strangers
        assert len(numbered) > 5
    pressures = [
        body
        for body in read.bodies["health-hut", "Observation"].values()
        if body["code"]["coding"][0]["code"] == "85354-9"
    ]
    assert len(pressures) > 100


def chart(name: str = "欧阳望舒") -> Chart:
    resident = next(iter(families(1, 2, city.UNTIL))).members[0]
    return Chart(resident, "a", "0061163935", "", name, "", "19800307", "", "")


@pytest.mark.parametrize("key", heart.HEARTS)
@pytest.mark.parametrize("write", [ecg_dicom.write, ecg_aecg.write, ecg_scp.write])
def test_each_form_of_electrocardiogram_is_read_as_the_curve_that_was_drawn(
    write: Any, key: str
) -> None:
    tracing = heart.tracing(key, Dice("a heart", key))
    at = moments.of(date(2026, 3, 2), 30_930)
    cart = Cart("星迦", "XJ-12", "SN0042")
    ordered = Ordered("n", chart(), at, "江城市第一人民医院", "顾临川", cart, "V1", "O1")
    reader = Converter("sample", SampleSource("national/ecg", charset="gb18030"), LIBRARY)
    done = reader.convert(1, write(ordered, tracing), datetime(2026, 3, 10, tzinfo=UTC))
    assert done.findings == ()
    drafts = {draft.type: draft.body for draft in done.drafts}
    components = drafts["Observation"]["component"]
    leads = {
        NAMES[int(part["code"]["coding"][0]["code"])]: part["valueSampledData"]
        for part in components
        if "valueSampledData" in part
    }
    assert {n: [int(v) for v in s["data"].split()] for n, s in leads.items()} == tracing.leads
    assert {float(s["factor"]) for s in leads.values()} == {5.0}
    assert {float(s["period"]) for s in leads.values()} == {2.0}
    measured = {
        part["code"]["coding"][0]["code"]: float(part["valueQuantity"]["value"])
        for part in components
        if "valueQuantity" in part
    }
    assert measured["8867-4"] == tracing.rate
    assert ("8625-6" in measured) == bool(tracing.pr)
    assert drafts["Observation"]["effectiveDateTime"] == "2026-03-02T08:35:30+08:00"
    assert drafts["DiagnosticReport"]["conclusion"] == "；".join(tracing.said)
    assert drafts["Patient"]["name"][0]["text"] == "欧阳望舒"


@pytest.mark.parametrize("key", heart.HEARTS)
def test_a_heart_beats_as_often_as_it_says_and_its_atria_before_it(key: str) -> None:
    tracing = heart.tracing(key, Dice("another heart", key))
    two = tracing.leads["II"]
    top = max(two)
    peaks = [
        n
        for n in range(1, len(two) - 1)
        if two[n] > top * 0.7 and two[n - 1] < two[n] >= two[n + 1]
    ]
    beats = [n for n, later in pairwise([*peaks, len(two) + 100]) if later - n > 50]
    assert abs(len(beats) - tracing.rate / 6) <= 1.5
    gaps = [b - a for a, b in pairwise(beats)]
    assert (max(gaps) - min(gaps) > 40) == (key == "fibrillating")
    waves = [max(two[n - 95 : n - 60]) - two[n - 40] for n in beats if n > 100]
    assert (min(waves) > 8) == (tracing.pr > 0)
    for a, b, three in zip(tracing.leads["I"], two, tracing.leads["III"], strict=True):
        assert three == b - a


def test_a_stow_body_holds_the_object_and_the_folder_files_of_objects(sent: list[Sent]) -> None:
    first = next(s for s in sent if s.source == "hospital-a-pacs")
    kind, given = multipart.parameters(Stow().media_type)
    [part] = multipart.parts(Stow().body(first.raw), given["boundary"])
    assert (kind, part.media_type, part.content) == (
        "multipart/related",
        "application/dicom",
        first.raw,
    )
    dataset = pydicom.dcmread(io.BytesIO(first.raw))
    assert dataset.SpecificCharacterSet == "GB18030"
    assert str(dataset.PatientName).replace("^", "").strip()
    for each in (s for s in sent if s.source == "hospital-b-pacs"):
        assert each.kind == FILE
        assert b"GB18030" not in each.raw
    assert Http("ecg", "application/xml").body(b"x") == b"x"


def test_the_archive_shows_each_image_that_was_sent_and_nothing_else(
    tmp_path: Path, sent: list[Sent]
) -> None:
    archive = ImageArchive(tmp_path)
    imaging = [s for s in sent if s.source == "hospital-a-pacs"][:12]
    for each in imaging:
        archive.keep(each)
    with archive.open() as address:
        place = Place(tmp_path, {"hospital-a-pacs": "t"}, address, "http://hub.example")
        pacs = Stow().settings("hospital-a-pacs", place)["pacs"]
        assert pacs == {
            "url": f"{address}/hospital-a-pacs",
            "address": "http://hub.example/dicomweb/hospital-a-pacs",
        }
        for each in imaging:
            if not each.accepted:
                continue
            ds = pydicom.dcmread(io.BytesIO(each.raw))
            path = (
                f"{pacs['url']}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
                f"/instances/{ds.SOPInstanceUID}/rendered?viewport=512,512"
            )
            answer = httpx.get(path, trust_env=False)
            assert (answer.status_code == 200) == ("PixelData" in ds)
            if answer.is_success:
                side = pictures.SIDE
                assert Image.open(io.BytesIO(answer.content)).size == (side, side)
        for wrong in ("", "/studies/1/series/1/instances/1/rendered", "/studies/../rendered"):
            assert httpx.get(f"{pacs['url']}{wrong}", trust_env=False).status_code == 404
    assert "pacs" not in Objects().settings("hospital-b-pacs", Place(tmp_path, {}))
