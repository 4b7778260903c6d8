"""A partner's own codes reach the queue of codes without a map, and what is mapped there counts."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from partner import LIBRARY, RECEIVED, Body, bundle, convert, converter, observation, patient
from test_partner_feed import FEED, partner

from healthhub import keep
from healthhub.gaps.desk import Desk
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Overlay, Sighting, Solved, Target

__all__ = ["partner"]
OWN = {"system": "https://lis.partner.example/items", "code": "UA9", "display": "尿酸"}
LOINC = {"system": "http://loinc.org", "code": "14933-6", "display": "尿酸"}
URATE = Target("14933-6", "尿酸")
MAPPED = Overlay(7, (Solved(7, "national/fhir", "tests", "UA9", URATE),))


def result(*codings: Body, **said: Any) -> bytes:
    value = {"value": 377, "unit": "μmol/L"}
    return bundle(observation(code={"coding": [*codings]}, valueQuantity=value, **said))


def test_a_code_that_only_its_sender_knows_is_told_kept_and_waits_for_a_map() -> None:
    found = convert(result(OWN))
    (finding,) = [f for f in found.findings if f.code == "unknown-code"]
    assert (finding.severity, finding.where) == ("warning", "Bundle.entry[0].resource.code")
    assert found.drafts[0].body["code"] == {"coding": [OWN]}
    assert found.sightings == (Sighting("tests", "UA9", 0, "尿酸", "μmol/L"),)


def test_what_people_have_mapped_stands_before_the_partners_own_code() -> None:
    found = converter().overlaid(MAPPED).convert(1, result(OWN), RECEIVED)
    assert "unknown-code" not in [f.code for f in found.findings]
    assert found.drafts[0].body["code"] == {"coding": [LOINC, OWN]}
    assert found.sightings == (Sighting("tests", "UA9", 7, "尿酸"),)


@pytest.mark.parametrize(
    ("codings", "sighted"),
    [
        ([LOINC], []),
        ([OWN, LOINC], []),
        ([{"system": "http://snomed.info/sct", "code": "250446003"}], []),
        ([{"system": "http://loinc.org", "code": "UA9"}], ["UA9"]),
        ([{"code": "UA9"}], ["UA9"]),
        ([{"system": "https://lis.partner.example/items"}], []),
    ],
)
def test_a_code_of_a_shared_system_is_no_stranger(
    codings: list[Body], sighted: list[str]
) -> None:
    assert [each.code for each in convert(result(*codings)).sightings] == sighted


def test_components_are_told_by_their_place_and_a_text_alone_by_itself() -> None:
    parts = [{"code": {"coding": [coding]}} for coding in (LOINC, OWN)]
    raw = bundle(observation(component=parts), observation("o2", code={"text": "尿比重"}))
    found = convert(raw)
    assert {f.where for f in found.findings if f.code == "unknown-code"} == {
        "Bundle.entry[0].resource.component[1].code",
        "Bundle.entry[1].resource.code",
    }
    assert {each.code for each in found.sightings} == {"UA9", "尿比重"}


def test_a_gap_of_a_partner_is_shown_with_what_its_messages_say(
    database: str, partner: Any
) -> None:
    assert FEED.post(partner, bundle(patient(), observation(code={"coding": [OWN]}))).is_success
    FEED.worked(database)
    with psycopg.connect(database, autocommit=True) as conn:
        (gap,) = keep.gaps.of_sources(conn, ["partner"], "tests")
        assert (gap.code, gap.display, gap.open) == ("UA9", "尿酸", 1)
        desk = Desk(LIBRARY.folder, FEED.settings.sources)
        sheet = desk.sheet(conn, gap.id)
        assert [met.display for _, met in sheet.samples] == ["尿酸"]
        shown = desk.preview(conn, sheet.place, URATE)
        assert (shown.resources, shown.parked, shown.strays) == (1, 0, 0)


def test_a_table_that_is_not_there_is_refused_in_the_mapping(tmp_path: Any) -> None:
    (tmp_path / "m").mkdir()
    take = "{Observation: {owner: subject, codes: {code: testz}}}"
    text = (
        'mapping: m\nversion: "1"\nadapter: fhir\ncodes: {tests: {system: "http://loinc.org"}}\n'
        f"take: {take}\n"
    )
    (tmp_path / "m" / "mapping.yaml").write_text(text)
    with pytest.raises(Exception, match="no such table"):
        Library(tmp_path).mapping("m")
