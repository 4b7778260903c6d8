"""What the systems that are no hospital's send: read by their dialects, as the truth counts it."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from healthhub import city
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.city import moments
from healthhub.city.blood_station import group_of
from healthhub.city.channels import Folder, Views
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.city.tables import FolderWriter
from healthhub.convert.converter import Converter
from healthhub.convert.families import families
from healthhub.convert.sheets import Cut, Cutter
from healthhub.mapping.library import Library
from healthhub.model.finding import Finding
from healthhub.settings import Settings
from healthhub.store import elements

LIBRARY = Library(Path(__file__).parents[2] / "mappings")
OTHERS = (
    "cdc-immunisation",
    "exam-vehicle",
    "blood-station",
    "emergency-120",
    "insurance-settlement",
    "drug-distribution",
)
Body = dict[str, Any]


class Read:
    """What all messages of a source say together, as the store merges it."""

    def __init__(self, source: str) -> None:
        self.settings = Settings(**city.settings()).sources[source]
        self._converter = Converter(source, self.settings, LIBRARY)
        self._merged: dict[tuple[str, UUID], elements.Elements] = defaultdict(dict)
        self.findings: list[tuple[str, Finding]] = []

    def take(self, raw: bytes, at: int, planted: str = "") -> None:
        done = self._converter.convert(1, raw, moments.aware(at))
        for draft in done.drafts:
            elements.merge(self._merged[draft.type, draft.id], elements.of_draft(draft))
        self.findings += [(planted, f) for f in done.findings if f.severity != "info"]

    def all(self, kind: str) -> list[Body]:
        """The bodies of a type."""
        return [
            elements.body_of(type_, str(id_), state)
            for (type_, id_), state in self._merged.items()
            if type_ == kind
        ]

    def states(self, kind: str) -> Counter[str]:
        """How many have which status."""
        return Counter(body.get("status", "") for body in self.all(kind))


@pytest.fixture(scope="module")
def story() -> city.Story:
    own = [system for system in SYSTEMS if system.source in OTHERS]
    return city.Story(90, 13, 2, systems=own)


@pytest.fixture(scope="module")
def sent(story: city.Story) -> list[Sent]:
    return list(story.messages())


@pytest.fixture(scope="module")
def read(sent: list[Sent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """Each source's messages through its own form and dialect."""
    found: dict[str, Read] = {}
    for system in SYSTEMS:
        if system.source not in OTHERS:
            continue
        own = [s for s in sent if s.source == system.source]
        reader = found[system.source] = Read(system.source)
        if isinstance(system.channel, Views):
            _views(reader, own)
        elif isinstance(system.channel, Folder):
            _files(reader, own, system.channel, tmp_path_factory.mktemp(system.source))
        else:
            for each in own:
                reader.take(each.raw, each.at, each.planted)
    return found


def _views(reader: Read, own: list[Sent]) -> None:
    """The rows as the views hold them at the end, joined as a poll joins them."""
    cutter = Cutter(LIBRARY.definition(reader.settings.mapping).tables, "Asia/Shanghai")
    by_view = {c.table.sources[0]: c for c in cutter.columns.values()}
    latest: dict[str, Sent] = {each.control: each for each in own}
    cuts = [
        cutter.row(by_view[each.kind], orjson.loads(each.raw), each.kind)
        for each in latest.values()
    ]
    for cut in families(cutter.columns, cuts):
        assert isinstance(cut, Cut), cut
        reader.take(cutter.revised(cut, 1, None, back=False), own[-1].at)


def _files(reader: Read, own: list[Sent], channel: Folder, folder: Path) -> None:
    writer = FolderWriter(channel, folder)
    for each in own:
        writer.put(each)
    writer.flush()
    adapter = registry.find("tabular")
    assert isinstance(adapter, SheetReader)
    cutter = Cutter(LIBRARY.definition(reader.settings.mapping).tables, "Asia/Shanghai")
    for path in sorted(folder.iterdir()):
        for cut in cutter.sheets(adapter.sheets(path, reader.settings), path.name):
            assert isinstance(cut, Cut), cut
            reader.take(cutter.revised(cut, 1, None, back=False), own[-1].at)


def test_only_what_was_planted_is_remarked_upon(
    read: dict[str, Read], sent: list[Sent]
) -> None:
    for source, reader in read.items():
        planted = Counter(
            s.planted for s in sent if s.source == source and s.planted in ("unknown-code", "bad-time")
        )  # fmt: skip
        found = Counter(f.code for _, f in reader.findings)
        # a code may stand in two elements of what one row makes
        assert set(found) <= {"unknown-code", "bad-date"}, (source, found)
        assert bool(found["unknown-code"]) == bool(planted["unknown-code"]), source
        assert found["bad-date"] == planted["bad-time"], source
        places = {s.detail for s in sent if s.source == source and s.planted == "unknown-code"}
        told = {
            f.where.replace("[1]", "") for _, f in reader.findings if f.code == "unknown-code"
        }
        assert told <= {place.replace("[1]", "") for place in places}, source


def test_every_dose_is_told_once_and_withdrawn_ones_are_in_error(
    read: dict[str, Read], story: city.Story
) -> None:
    states = read["cdc-immunisation"].states("Immunization")
    assert states == {
        "completed": story.tally["doses.i"],
        "entered-in-error": story.tally["withdrawn.i"],
    }
    assert story.tally["withdrawn.i"] > 0
    hospital = story.tally["doses.a"] + story.tally["doses.c"]
    assert 0 < hospital < story.tally["doses.i"]
    assert len(read["cdc-immunisation"].all("Patient")) == story.tally["patients.i"]


def test_every_examination_is_a_visit_with_its_report(
    read: dict[str, Read], story: city.Story, sent: list[Sent]
) -> None:
    reader = read["exam-vehicle"]
    assert len(reader.all("Encounter")) == story.tally["exams.v"] > 20
    reports = reader.all("DiagnosticReport")
    assert len(reports) == story.tally["exams.v"]
    assert all(len(report["result"]) > 20 for report in reports)
    assert len(reader.all("Patient")) == len({s.person for s in sent if s.kind == "EXM"})


def test_every_trip_with_a_person_is_an_emergency_with_its_times(
    read: dict[str, Read], story: city.Story
) -> None:
    visits = read["emergency-120"].all("Encounter")
    assert len(visits) == story.tally["trips.e"] > 10
    assert {visit["class"]["code"] for visit in visits} == {"EMER"}
    for visit in visits:
        [times] = visit["extension"]
        marks = [mark["valueDateTime"] for mark in times["extension"]]
        assert marks == sorted(marks)
        assert times["extension"][0]["url"] == "call"
    calls = read["emergency-120"].states("Communication")
    assert calls["completed"] == len(visits)
    assert calls["not-done"] > 20


def test_what_was_paid_back_is_cancelled_and_the_rest_adds_up(
    read: dict[str, Read], story: city.Story
) -> None:
    reader, tally = read["insurance-settlement"], story.tally
    states = reader.states("ExplanationOfBenefit")
    back = tally["paid-back.y"]
    assert states == {"active": tally["settlements.y"] - 2 * back, "cancelled": 2 * back}
    assert back > 0
    assert reader.states("Claim") == states
    assert sum(len(c["item"]) for c in reader.all("Claim")) == tally["items.y"]
    for benefit in reader.all("ExplanationOfBenefit"):
        sums = {
            total["category"]["coding"][0]["code"]: total["amount"]["value"]
            for total in benefit["total"]
        }
        assert sums["medfee_sumamt"] == sums["fund_pay_sumamt"] + sums["psn_part_amt"]
        assert sums["psn_part_amt"] == sums["acct_pay"] + sums["psn_cash_pay"]
        assert sum(item["net"]["value"] for item in benefit["item"]) == sums["medfee_sumamt"]
    cancelled = [
        sum(b["payment"]["amount"]["value"] for b in reader.all("ExplanationOfBenefit")
            if b["status"] == "cancelled")
    ]  # fmt: skip
    assert cancelled == [0]


def test_units_follow_from_stock_to_the_person_who_got_them(
    read: dict[str, Read], story: city.Story, sent: list[Sent]
) -> None:
    reader, tally = read["blood-station"], story.tally
    assert reader.states("Procedure")["completed"] == tally["transfusions.x"] > 3
    assert reader.states("Procedure")["entered-in-error"] == tally["withdrawn.x"]
    units = {
        f"BiologicallyDerivedProduct/{u['id']}": u
        for u in reader.all("BiologicallyDerivedProduct")
    }
    for given in reader.all("Procedure"):
        [unit] = [
            e["valueReference"]["reference"]
            for e in given["extension"]
            if "valueReference" in e
        ]
        assert "productCategory" in units[unit]
        assert units[unit]["status"] == "unavailable"
    recalls = reader.states("Communication")
    marked = [u for u in units.values() if "modifierExtension" in u]
    assert len(marked) == recalls["completed"] > 0
    assert recalls["entered-in-error"] > 0
    person = next(s.person for s in sent if s.kind == "V_SXFK")
    row = next(orjson.loads(s.raw) for s in sent if s.kind == "V_SXFK")
    assert (row["abo"], row["rhd"]) == group_of(story.seed, int(person[1:]))


def test_every_delivery_has_its_batch_and_answers_an_order(read: dict[str, Read]) -> None:
    reader = read["drug-distribution"]
    orders = {f"SupplyRequest/{o['id']}" for o in reader.all("SupplyRequest")}
    deliveries = reader.all("SupplyDelivery")
    assert {d["basedOn"][0]["reference"] for d in deliveries} == orders
    batches = {f"Medication/{m['id']}" for m in reader.all("Medication")}
    assert {d["suppliedItem"]["itemReference"]["reference"] for d in deliveries} == batches
    states = reader.states("SupplyDelivery")
    assert set(states) == {"completed", "abandoned", "entered-in-error"}
    assert states["completed"] > states["abandoned"] > 0


def test_the_named_resident_is_known_to_those_who_keep_people(
    sent: list[Sent], story: city.Story
) -> None:
    named = story.named().person
    sources = {s.source for s in sent if s.person == named}
    assert {
        "cdc-immunisation",
        "exam-vehicle",
        "emergency-120",
        "insurance-settlement",
    } <= sources
