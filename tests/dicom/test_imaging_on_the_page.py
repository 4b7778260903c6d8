"""The record page shows studies with their pictures; they come by the door, without JavaScript."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from PIL import Image

from healthhub.access import accounts
from healthhub.access.actor import Role
from healthhub.convert.converter import Converter
from healthhub.main import build_app
from healthhub.mapping.library import Library
from healthhub.model import ids, validate
from healthhub.serve.record.imaging import studies
from healthhub.serve.record.origin import sources
from healthhub.settings import Settings
from healthhub.store import writer
from tests.dicom import invented_objects as made
from tests.serving import answering

PASSWORD = "Linchuan-2026-ok"
PATIENT = ids.derive("h", "Patient", "0061163935")
SETTINGS = Settings.model_validate(
    {
        "institutions": {"h": {"title": "江城市第一人民医院"}},
        "sources": {
            "pacs": {
                "institution": "h",
                "adapter": "dicom",
                "mapping": "national/dicom",
                "pacs": {
                    "url": "http://127.0.0.1:9/dicom-web",
                    "address": "https://hub.example/dicomweb/pacs",
                },
            }
        },
    }
)
RAWS = [
    made.ct_first(),
    *(made.written(made.image(n, 1)) for n in range(2, 5)),
    made.key_images(),
    made.dx_in_gb18030().replace("王^昀".encode("gb18030"), "沈^舒".encode("gb18030")),
]


@pytest.fixture
def page(database: str) -> Iterator[httpx.Client]:
    """A clinician who has signed in."""
    converter = Converter("pacs", SETTINGS.sources["pacs"], Library(made.MAPPINGS))
    received = datetime(2026, 3, 2, tzinfo=UTC)
    with psycopg.connect(database) as connection:
        for number, raw in enumerate(RAWS, 1):
            told = converter.convert(number, raw, received)
            writer.write(connection, list(told.drafts), validate.check)
        accounts.add(connection, "gu", PASSWORD, [Role.CLINICIAN], "顾临川")
    with answering(build_app(SETTINGS, database)) as client:
        key = re.search(r'name="form_key" value="([^"]+)"', client.get("/signin").text)
        assert key
        form = {"name": "gu", "password": PASSWORD, "form_key": key[1]}
        assert client.post("/signin", data=form).status_code == 303
        yield client


def test_studies_stand_on_the_record_page_with_counts_and_pictures(page: httpx.Client) -> None:
    answer = page.get(f"/record/{PATIENT}")
    assert answer.status_code == 200
    section = answer.text.split('id="imaging"', 1)[1].split("</section>", 1)[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert "2026-03-01 09:30 CT 胸部CT平扫 2 个序列，5 幅 · 检查号 YX260301001" in text
    assert "X 线 胸部正位" in text
    sources_ = re.findall(r'<img src="([^"]+)"', section)
    flagged = [
        f"/record/{PATIENT}/dicomweb/pacs/studies/{made.uid(1)}/series/{made.uid(1, 1)}/instances/{made.uid(1, 1, n)}/rendered?viewport=512,512"
        for n in (17, 2)
    ]
    assert sorted(sources_[:2]) == sorted(flagged), "what a doctor marked comes first"
    shown = page.get(sources_[2])
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/jpeg"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert Image.open(io.BytesIO(shown.content)).size == (64, 64)
    assert 'alt="' in section


def test_a_picture_is_not_shown_to_who_has_not_signed_in(page: httpx.Client) -> None:
    address = f"/record/{PATIENT}/picture/{ids.derive('h', 'Binary', made.uid(1, 1, 1))}"
    assert page.get(address).status_code == 200
    page.cookies.clear()
    assert page.get(address).status_code == 401


def test_a_study_can_be_traced_without_its_thousands_of_instances(page: httpx.Client) -> None:
    answer = page.get(
        f"/record/{PATIENT}/trace/ImagingStudy/{ids.derive('h', 'ImagingStudy', made.uid(1))}"
    )
    assert answer.status_code == 200
    assert "numberOfInstances" in answer.text
    assert made.uid(1, 1, 3) not in answer.text


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "https://hub.example/dicomweb/pacs/studies/1.2/series/1.3/instances/1.4/rendered",
            True,
        ),
        (
            "https://hub.example/sub/dicomweb/pacs/studies/1.2/series/1.3/instances/1.4/rendered",
            True,
        ),
        ("https://pacs.example/wado/studies/1.2/series/1.3/instances/1.4/rendered", False),
        ("javascript:alert(1)", False),
        ("Binary/../../x", False),
    ],
)
def test_only_pictures_at_the_hubs_own_address_are_shown(url: str, address: bool) -> None:
    media = {"id": "m", "partOf": [{"reference": "ImagingStudy/s"}], "content": {"url": url}}
    study = {"id": "s", "status": "available"}
    (found,) = studies([study], [media], sources(SETTINGS))
    assert bool(found.pictures) is address
    if address:
        assert found.pictures[0].address.startswith("/dicomweb/pacs/studies/")


def test_that_an_image_is_of_interest_says_no_more_than_that_it_was_marked() -> None:
    media = {
        "id": "m",
        "partOf": [{"reference": "ImagingStudy/s"}],
        "reasonCode": [{"coding": [{"code": "113000", "display": "Of Interest"}]}],
        "content": {"url": "Binary/b", "title": "Of Interest"},
    }
    (found,) = studies([{"id": "s", "status": "available"}], [media], sources(SETTINGS))
    assert (found.pictures[0].key, found.pictures[0].title) == (True, "")
