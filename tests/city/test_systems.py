"""What the systems beside the HL7 v2 houses send: read by their dialects, as the truth counts it."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from healthhub import city, clock
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.city import moments
from healthhub.city.channels import Folder, Place, Views
from healthhub.city.live import Live
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.city.tables import FolderWriter, ViewsWriter
from healthhub.convert.converter import Converter
from healthhub.convert.sheets import Cut, Cutter
from healthhub.mapping.library import Library
from healthhub.model.finding import Finding
from healthhub.settings import Settings

MAPPINGS = Path(__file__).parents[2] / "mappings"
LIBRARY = Library(MAPPINGS)
SEED = 7


@pytest.fixture(scope="module")
def story() -> city.Story:
    return city.Story(90, SEED, 2)


@pytest.fixture(scope="module")
def sent(story: city.Story) -> list[Sent]:
    return list(story.messages())


def test_what_the_hl7_houses_send_does_not_depend_on_the_other_systems(
    sent: list[Sent],
) -> None:
    beside = {system.source for system in SYSTEMS}
    alone = [s.raw for s in city.Story(90, SEED, 2, systems=()).messages()]
    assert [s.raw for s in sent if s.source not in beside] == alone


def test_a_system_tells_the_same_whichever_others_are_there(sent: list[Sent]) -> None:
    for system in SYSTEMS:
        alone = city.Story(90, SEED, 2, systems=(system,)).messages()
        assert [s for s in alone if s.source == system.source] == [
            s for s in sent if s.source == system.source
        ]


class Read:
    """Ids by type, and findings beside what was planted."""

    def __init__(self) -> None:
        self.ids: dict[str, set[UUID]] = defaultdict(set)
        self.findings: list[tuple[str, Finding]] = []

    def take(self, converter: Converter, raw: bytes, at: int, planted: str = "") -> None:
        done = converter.convert(1, raw, moments.aware(at))
        for draft in done.drafts:
            self.ids[draft.type].add(draft.id)
        self.findings += [(planted, finding) for finding in done.findings]

    def counted(self, *types: str) -> dict[str, int]:
        return {kind: len(self.ids[kind]) for kind in types}

    def remarks(self) -> Counter[tuple[str, str]]:
        return Counter((f.code, f.where) for _, f in self.findings if f.severity != "info")


def converter(source: str) -> Converter:
    settings = Settings(**city.settings())
    return Converter(source, settings.sources[source], LIBRARY)


def test_hospital_c_is_read_as_it_tells(sent: list[Sent], story: city.Story) -> None:
    read, tally = Read(), story.tally
    reader = converter("hospital-c")
    for each in sent:
        if each.source == "hospital-c" and each.accepted:
            read.take(reader, each.raw, each.at, each.planted)
    assert read.counted(
        "Encounter", "DiagnosticReport", "MedicationRequest", "DocumentReference", "Condition"
    ) == {
        "Encounter": tally["visits.h"],
        "DiagnosticReport": tally["reports.h"] + tally["studies.h"],
        "MedicationRequest": tally["prescriptions.h"],
        "DocumentReference": tally["documents.h"],
        "Condition": tally["diagnoses.h"] + tally["withdrawn.h"],
    }
    assert len(read.ids["Observation"]) >= tally["results.h"]
    allowed = {"unknown-code", "bad-date", "wrong-charset"}
    assert {f.code for _, f in read.findings if f.severity != "info"} <= allowed
    for planted, finding in read.findings:
        if finding.severity != "info":
            assert planted in ("unknown-code", "bad-time", "wrong-charset"), finding


def test_the_files_of_township_p_are_read_as_it_tells(
    sent: list[Sent], story: city.Story, tmp_path: Path
) -> None:
    system = next(s for s in SYSTEMS if s.source == "township-p")
    assert isinstance(system.channel, Folder)
    writer = FolderWriter(system.channel, tmp_path)
    for each in sent:
        if each.source == "township-p":
            writer.put(each)
    writer.flush()
    settings = Settings(**city.settings())
    source = settings.sources["township-p"]
    adapter = registry.find("tabular")
    assert isinstance(adapter, SheetReader)
    cutter = Cutter(LIBRARY.definition("township-p").tables, source.zone)
    read, reader = Read(), converter("township-p")
    kinds: Counter[str] = Counter()
    for path in sorted(tmp_path.iterdir()):
        kinds[path.suffix] += 1
        if path.stem in ("检验结果(乱码)", "节假日值班安排"):
            continue
        for cut in cutter.sheets(adapter.sheets(path, source), path.name):
            assert isinstance(cut, Cut), cut
            read.take(reader, cutter.revised(cut, 1, None, back=False), 0)
    tally = story.tally
    assert kinds[".csv"] > 10
    assert kinds[".xlsx"] > 2
    assert len(read.ids["Encounter"]) == tally["visits.p"] + tally["follow-ups.p"]
    assert len(read.ids["Condition"]) == tally["diagnoses.p"]
    assert len(read.ids["DiagnosticReport"]) == tally["reports.p"]
    withdrawn = len({s.control for s in sent if s.source == "township-p"
                     and s.planted == "wrong-patient"})  # fmt: skip
    assert len(read.ids["MedicationRequest"]) == tally["prescriptions.p"] + withdrawn
    assert {f.code for _, f in read.findings if f.severity != "info"} <= {
        "unknown-code",
        "bad-date",
    }


def test_live_visits_go_to_every_house_that_is_not_silent() -> None:
    live = Live(city.Story(90, SEED, 1))
    now = clock.now()
    seen: Counter[str] = Counter()
    for number in range(400):
        for each in live.visit(now.replace(minute=number % 60, hour=number // 60)):
            seen[each.source] += 1
    silent = {s.source for s in SYSTEMS if s.silent_since(city.UNTIL) is not None}
    assert {s.source for s in SYSTEMS} - silent <= set(seen)
    assert not silent & set(seen)
    assert {"hospital-a-his", "hospital-b-his"} <= set(seen)


def test_the_views_hold_each_row_once_and_no_older_one(
    sent: list[Sent], tmp_path: Path
) -> None:
    system = next(s for s in SYSTEMS if s.source == "hospital-b-views")
    assert isinstance(system.channel, Views)
    place = Place(tmp_path, {s.source: "x" for s in SYSTEMS} | {"partner": "y"})
    writer = ViewsWriter(system.channel, system.channel.database(system.source, place))
    rows = [s for s in sent if s.source == system.source]
    for each in (*rows, *rows):
        writer.put(each)
    writer.flush()
    newest = writer.newest()
    writer.close()
    assert set(newest) == set(system.channel.views)
    latest = {view: max(row["gxrq"] for s in rows if s.kind == view and (row := orjson.loads(s.raw)))
              for view in newest}  # fmt: skip
    assert newest == latest
    with sqlite3.connect(place.feed(system.source) / "hospital-b-views.sqlite") as base:
        for view in newest:
            keys = {s.control for s in rows if s.kind == view}
            assert base.execute(f"select count(*) from {view}").fetchone() == (len(keys),)  # noqa: S608
    settings = Settings(**city.settings(place))
    assert settings.sources[system.source].database is not None
