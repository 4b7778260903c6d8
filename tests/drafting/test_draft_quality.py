"""How much of what people wrote a draft proposes, measured on the dialects that there are; and
how headings and values are read."""

from __future__ import annotations

import dataclasses

import pytest

from healthhub.adapter_api.tables import Sheet
from healthhub.drafting import columns, folder, sheets, tables
from healthhub.drafting.columns import SURE, guesses
from healthhub.drafting.compare import Compared, compare
from healthhub.drafting.initials import initials
from healthhub.drafting.shapes import look
from healthhub.mapping.library import Library
from healthhub.settings import PACKAGE_ROOT

LIBRARY = Library(PACKAGE_ROOT / "mappings")
QUALITY = [  # mapping, at least found, at least right; the same without vendors' column names
    ("township-p", 0.85, 0.95, 0.25),
    ("hospital-b-views", 0.75, 0.9, 0.25),
    ("exam-vehicle", 0.05, 0.7, 0.05),
]


def measured(name: str) -> Compared:
    return compare(
        tables.draft(folder.read(LIBRARY, name)), LIBRARY.definition(name), sure=True
    )


@pytest.mark.parametrize(("name", "found", "right", "bare"), QUALITY)
def test_a_draft_finds_most_of_what_people_wrote_for_clinics_and_says_little_else(
    name: str, found: float, right: float, bare: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = measured(name)
    assert told.found >= found
    assert told.right >= right
    without = tuple(dataclasses.replace(each, words=()) for each in columns.concepts())
    monkeypatch.setattr(columns, "concepts", lambda: without)
    plainly = measured(name)
    print(f"{name}: {told.found:.0%} found, {told.right:.0%} right; without vendors' names "
          f"{plainly.found:.0%} found, {plainly.right:.0%} right")  # fmt: skip
    assert plainly.found >= bare
    assert plainly.right >= 0.6


@pytest.mark.parametrize("name", ["drug-distribution", "insurance-settlement"])
def test_what_no_kind_fits_is_not_guessed(name: str) -> None:
    drafted = tables.draft(folder.read(LIBRARY, name))
    assert drafted
    assert not [each for each in drafted if each.kind]


INITIALS = [
    ("患者姓名", "hzxm"),
    ("身份证号码", "sfzhm"),
    ("就诊流水号", "jzlsh"),
    ("出生日期", "csrq"),
    ("住院号", "zyh"),
    ("参考范围", "ckfw"),
    ("ICD10编码", "icd10bm"),
    ("（ABO）血型", "aboxx"),
]


@pytest.mark.parametrize(("word", "short"), INITIALS)
def test_initials_of_headings(word: str, short: str) -> None:
    assert initials(word) == short


SHAPES = [
    (["42010619800307002X", "420106198003070020"], "resident", False),
    (["42010619800307002X", "42010619800307002X"], "resident", True),
    (["2026-03-01", "2026年3月1日", "20260301", "2026/3/1 8:05"], "date", True),
    (["13900000071", "０２７-88888888"], "phone", True),
    (["I10.x00", "E11.900"], "icd", True),
    (["3.9-6.1", "<0.5", "阴性"], "range", True),
    (["mmol/L", "10^9/L", "%"], "unit", True),
    (["", "-"], "date", True),
]


@pytest.mark.parametrize(("values", "shape", "has"), SHAPES)
def test_shapes_of_values(values: list[str], shape: str, has: bool) -> None:
    assert look(values).has(shape) is has


def test_of_two_columns_that_fit_alike_neither_is_taken_silently() -> None:
    rows = [{"brid": "A1", "hzid": "B1"}, {"brid": "A2", "hzid": "B2"}]
    (first, *_) = guesses(["brid", "hzid"], rows)
    assert first.concept == "patient-number"
    assert first.sure < SURE
    assert "could be it as well" in first.why
    (shared, *_) = guesses(["brid", "hzid"], rows, {"hzid": 3, "brid": 1})
    assert (shared.heading, shared.sure >= SURE) == ("hzid", True)


def test_a_heading_whose_values_speak_against_it_is_not_believed() -> None:
    assert guesses(["出生日期"], [{"出生日期": "男"}, {"出生日期": "女"}]) == []
    (only,) = guesses(["第七列"], [{"第七列": "42010619800307002X"}])
    assert only.concept == "resident-id"


def test_a_header_is_found_below_titles_and_over_two_rows() -> None:
    rows = [
        (1, ["高血压随访登记表", "", "", ""]),
        (2, ["编号", "姓名", "血压", ""]),
        (3, ["", "", "收缩压", "舒张压"]),
        (4, ["1", "柳月", "150", "95"]),
    ]
    found = sheets.find(Sheet("随访", iter(rows)), "随访")
    assert found is not None
    assert found.headings == ("编号", "姓名", "血压/收缩压", "血压/舒张压")
    assert (found.depth, len(found.rows)) == (2, 1)
    assert sheets.find(Sheet("x", iter([(1, ["1", "2", "3"])])), "x") is None
