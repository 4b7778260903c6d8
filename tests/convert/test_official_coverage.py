"""What the national base covers of the official v2-to-FHIR tables does not fall unnoticed."""

from __future__ import annotations

import pytest

from healthhub.convert import coverage
from healthhub.mapping.library import Library
from healthhub.settings import PACKAGE_ROOT

TABLES = PACKAGE_ROOT.parent / "shared" / "corpora" / "v2-to-fhir"
PAGE = (PACKAGE_ROOT / "docs" / "mapping-language.md").read_text(encoding="utf-8")
CLINICAL = (
    "AL1[AllergyIntolerance]", "DG1[Condition]", "IAM[AllergyIntolerance]", "OBR[DiagnosticReport]",
    "OBR[ServiceRequest]", "OBR[Specimen]", "PR1[Procedure]", "RXO[MedicationRequest]",
    "RXR[MedicationRequest]", "SCH[Appointment]", "SPM[Specimen]", "TXA[DocumentReference]",
)  # fmt: skip
"""Maps of which a hospital would miss each field."""

pytestmark = pytest.mark.skipif(
    not TABLES.is_dir(), reason="the official tables are not beside the checkout"
)


@pytest.fixture(scope="module")
def figures() -> dict[str, list[coverage.Row]]:
    """Segment and message maps of the national base."""
    definition = Library(PACKAGE_ROOT / "mappings").definition("national/hl7v2")
    return {
        "segment maps": coverage.segments(definition, TABLES),
        "message maps": coverage.messages(definition, TABLES),
    }


@pytest.mark.parametrize(
    ("kind", "noun"), [("segment maps", "fields"), ("message maps", "pairs")]
)
def test_the_page_tells_the_figures(
    kind: str, noun: str, figures: dict[str, list[coverage.Row]]
) -> None:
    rows = figures[kind]
    covered, total = sum(row.covered for row in rows), sum(row.fields for row in rows)
    elsewhere = sum(len(row.elsewhere) for row in rows)
    missing = sum(len(row.missing) for row in rows)
    line = f"| {len(rows)} {kind} | {covered} of {total} {noun} | {elsewhere} | {missing} |"
    assert line in PAGE, "read more rules, or correct the page and say why it fell"


@pytest.mark.parametrize("name", CLINICAL)
def test_a_clinical_segment_is_covered_whole(
    name: str, figures: dict[str, list[coverage.Row]]
) -> None:
    (row,) = [row for row in figures["segment maps"] if row.map == name]
    assert (row.elsewhere, row.missing) == ((), ())
