"""A small city's HL7 v2 through the real mappings: nothing fails, what comes out is what was told."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from uuid import UUID

import pytest

from healthhub import city
from healthhub.city import moments
from healthhub.city.catalogue import ITEMS, PANELS
from healthhub.convert.converter import Converter
from healthhub.convert.samples import differences, outcome, samples
from healthhub.mapping.library import Library
from healthhub.model.finding import Finding
from healthhub.settings import Settings

MAPPINGS = Path(__file__).parents[2] / "mappings"
HOUSE = {"hospital-a": "a", "hospital-b": "b", "partner": "c"}
LIBRARY = Library(MAPPINGS)


class Converted:
    """The outcome of a whole city: ids by house and type, findings by planted error."""

    def __init__(self, story: city.Story) -> None:
        loaded = Settings(**city.settings())
        converters = {n: Converter(n, s, LIBRARY) for n, s in loaded.sources.items()}
        self.ids: dict[tuple[str, str], set[UUID]] = defaultdict(set)
        self.findings: list[tuple[str, Finding]] = []
        self.merges: set[tuple[str, UUID, UUID]] = set()
        for number, sent in enumerate(story.messages(), 1):
            if not sent.accepted:
                continue
            house = HOUSE[next(name for name in HOUSE if sent.source.startswith(name))]
            done = converters[sent.source].convert(number, sent.raw, moments.aware(sent.at))
            for draft in done.drafts:
                self.ids[house, draft.type].add(draft.id)
            self.merges |= {(house, merge.kept, merge.replaced) for merge in done.merges}
            self.findings += [(sent.planted, finding) for finding in done.findings]
        self.tally = story.tally


@pytest.fixture(scope="module")
def converted() -> Converted:
    return Converted(city.Story(60, 7, 1, systems=()))


def test_no_message_yields_an_error(converted: Converted) -> None:
    assert [f for _, f in converted.findings if f.severity == "error"] == []


def test_only_planted_errors_are_warned_of(converted: Converted) -> None:
    allowed = {
        ("unknown-code", "unknown-code"),
        ("bad-time", "bad-date"),
        ("bad-time", "bad-time"),
    }
    resent = ("resend-same", "resend-renumbered")
    strange = Counter(
        (planted, finding.code, finding.where)
        for planted, finding in converted.findings
        if finding.severity == "warning"
        and (planted, finding.code) not in allowed
        and planted not in resent
    )
    assert strange == Counter()


@pytest.mark.parametrize("house", ["a", "b", "c"])
def test_resources_are_as_many_as_the_truth_says(converted: Converted, house: str) -> None:
    def told(*names: str) -> int:
        return sum(converted.tally[f"{name}.{house}"] for name in names)

    found = {kind: len(converted.ids[house, kind]) for kind in (
        "Patient", "Encounter", "Condition", "DiagnosticReport", "Observation",
        "MedicationRequest", "Immunization", "Procedure",
    )}  # fmt: skip
    assert found == {
        "Patient": told("patients"),
        "Encounter": told("visits", "withdrawn"),
        "Condition": told("diagnoses"),
        "DiagnosticReport": told("reports", "studies", "withdrawn"),
        "Observation": told("results", "studies", "studies", "withdrawn-results"),
        "MedicationRequest": told("prescriptions"),
        "Immunization": told("doses"),
        "Procedure": told("operations"),
    }
    assert sum(1 for where, *_ in converted.merges if where == house) == told("merges")


@pytest.mark.parametrize("side", ["a", "b"])
def test_the_dialect_knows_every_test_and_panel_of_its_laboratory(side: str) -> None:
    tables = LIBRARY.definition(f"hospital-{side}").codes
    assert tables["tests"] is not None
    known = (MAPPINGS / f"hospital-{side}" / "codes" / "tests.csv").read_text().splitlines()
    rows = {line.split(",")[0]: line.split(",")[1] for line in known[1:]}
    for item in ITEMS.values():
        assert rows[getattr(item, f"code_{side}")] == (item.loinc or "none")
    known = (MAPPINGS / f"hospital-{side}" / "codes" / "panels.csv").read_text().splitlines()
    rows = {line.split(",")[0]: line.split(",")[1] for line in known[1:]}
    for panel in PANELS.values():
        assert rows[getattr(panel, f"code_{side}")] == (panel.loinc or "none")


@pytest.mark.parametrize(
    ("mapping", "name"),
    [
        (mapping, sample.path.name)
        for mapping in ("hospital-a", "hospital-b")
        for sample in samples(LIBRARY, mapping)
    ],
)
def test_a_dialects_sample_yields_what_was_agreed(mapping: str, name: str) -> None:
    sample = next(s for s in samples(LIBRARY, mapping) if s.path.name == name)
    expected = sample.expected.read_bytes()
    assert list(differences(expected, outcome(LIBRARY, mapping, sample))) == []
