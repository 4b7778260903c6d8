"""What a hospital's PACS says of patients, orders and visits are the very resources of its HIS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from healthhub.convert.converter import Converter
from healthhub.convert.samples import Sample, SampleSource
from healthhub.mapping.library import Library
from healthhub.model.resource import Body
from tests.dicom import invented_objects as made

LIBRARY = Library(made.MAPPINGS)


def bodies(mapping: str, sample: str) -> list[Body]:
    path = made.MAPPINGS / mapping / "samples" / sample
    source = SampleSource(mapping, Sample(path).charset)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    told = Converter("sample", source, LIBRARY).convert(1, path.read_bytes(), at)
    return [draft.body for draft in told.drafts]


@pytest.mark.parametrize(
    ("pacs", "image", "his", "order"),
    [
        ("hospital-a-pacs", "ct.dcm", "hospital-a", "omg-o19-examination.hl7"),
        (
            "hospital-b-pacs",
            "dx.gb18030.dcm",
            "hospital-b",
            "orm-o01-examination.gb18030.hl7",
        ),
    ],
)
def test_a_study_refers_to_the_patient_the_order_and_the_visit_of_the_his(
    pacs: str, image: str, his: str, order: str
) -> None:
    theirs = {f"{body['resourceType']}/{body['id']}" for body in bodies(his, order)}
    (study,) = [b for b in bodies(pacs, image) if b["resourceType"] == "ImagingStudy"]
    assert study["subject"]["reference"] in theirs
    assert study["basedOn"][0]["reference"] in theirs
    assert study["encounter"]["reference"] in theirs


def test_hospital_b_is_read_although_it_declares_nothing() -> None:
    found = {body["resourceType"]: body for body in bodies("hospital-b-pacs", "dx.gb18030.dcm")}
    patient, study = found["Patient"], found["ImagingStudy"]
    assert patient["name"][0]["text"] == "段语桐"
    assert (patient["gender"], patient["birthDate"]) == ("female", "2001-07-28")
    assert patient["identifier"][1]["value"] == "429004200107289480"
    assert study["description"] == "胸部正位片"
    assert study["series"][0]["bodySite"]["code"] == "816094009"
