"""The samples of the XML mappings yield what stands beside them; other documents than WS/T 500."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import pytest
from conversion import MAPPINGS, convert, of
from documents import amount, document, observation, section

from healthhub.convert.coverage import unread
from healthhub.convert.samples import samples
from healthhub.errors import MappingError
from healthhub.mapping.library import Library

LIBRARY = Library(MAPPINGS)


def test_a_health_examination_document_is_read_by_the_same_rules() -> None:
    """WS/T 483 names its kinds by other codes; header, original and entries are the same."""
    pressure = observation("04.10.174", "收缩压", amount("138", "mmHg"))
    raw = document("C0001", [section("8716-3", "VITAL SIGNS", pressure)])
    raw = raw.replace(b'code="C0001"', b'code="HSDB01.03"').replace(
        "病历概要".encode(), "成人健康体检".encode()
    )
    converted = convert(raw)
    [reference] = of(converted, "DocumentReference")
    assert reference["type"]["coding"][0]["code"] == "HSDB01.03"
    assert reference["type"]["text"] == "成人健康体检"
    assert base64.b64decode(of(converted, "Binary")[0]["data"]) == raw
    [measured] = of(converted, "Observation")
    assert measured["component"][0]["valueQuantity"]["code"] == "mm[Hg]"


def test_coverage_names_the_places_that_no_rule_reads() -> None:
    found = {
        each.segment for each in unread(LIBRARY, "hospital-c", samples(LIBRARY, "hospital-c"))
    }
    assert "/req/orginSysId" in found
    assert "/req/data/patId" not in found
    assert not any(place.endswith(("/@classCode", "/@codeSystem")) for place in found)
    assert all(place.startswith("/") for place in itertools.islice(found, 50))


@pytest.mark.parametrize(
    ("rule", "advice"),
    [
        ("status <- entri/a/@b", "did you mean 'entry'"),
        ("status <- entry/a/", "ends in nothing"),
        ("status <- entry/a[@b=", "cannot be read"),
        ("status <- entry/@b/c", "cannot be read"),
    ],
)
def test_a_wrong_path_is_told_with_its_line(tmp_path: Path, rule: str, advice: str) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "mapping.yaml").write_text(
        'mapping: x\nversion: "1"\nadapter: cda\ngroups: {entry: {path: "**/entry"}}\n'
        "resources:\n  one:\n    type: Observation\n    each: entry\n    key: [entry/id]\n"
        f"    rules:\n      - {rule}\n",
        encoding="utf-8",
    )
    with pytest.raises(MappingError, match=advice) as wrong:
        Library(tmp_path).mapping("x")
    assert "x/mapping.yaml:" in wrong.value.message
