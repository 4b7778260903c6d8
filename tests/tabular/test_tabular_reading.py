"""The readers: any charset and delimiter, any kind of cell, nothing that harms."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from functools import partial
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.tabular import delimited
from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.record import Place
from healthhub.adapter_api.tables import Head, RowLine, parse_head, parse_rows, write
from tests.tabular.books import Feed, reader, rows_of, workbook

PEOPLE = [
    ["编号", "姓名", "地址"],
    ["1", "周莲", "桥头镇, 上街村"],
    ["2", "欧阳静", '"六"组\n西头'],
]
CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12
).filter(lambda text: not text.startswith("\ufeff"))


def refusal(ask: Callable[[], object]) -> BadMessage | None:
    """Why it was refused; None if it was not. Nothing else may be raised."""
    try:
        ask()
    except BadMessage as error:
        return error
    return None


def text_of(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_a_table_is_the_same_in_every_charset_and_with_every_delimiter(
    tmp_path: Path, charset: str, delimiter: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(text_of(PEOPLE, delimiter).encode(charset))
    assert rows_of(path) == PEOPLE


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=5), min_size=1, max_size=6),
    charset=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_whatever_a_spreadsheet_writes_is_read_back(
    tmp_path: Path, rows: list[list[str]], charset: str
) -> None:
    path = tmp_path / "any.csv"
    # a mark of order would hide that the first cells look like another charset
    path.write_bytes(
        text_of([["编号编号编号", "姓名姓名姓名"] * 3, *rows], ",").encode(charset)
    )
    assert rows_of(path)[1:] == [row for row in rows if any(row)]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_finding_with_a_place(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(body)
    refused = refusal(lambda: rows_of(path))
    assert refused is None or refused.place


def test_the_byte_that_is_of_no_charset_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes("编号,姓名\n".encode("gb18030") + b"1,\xff\xff\n")
    with pytest.raises(BadMessage, match="gb18030") as caught:
        rows_of(path)
    assert caught.value.place == "byte 13"


def test_a_quote_left_open_is_named_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "open.csv"
    path.write_text('a,b\n1,2\n3,"4\n5,6\n', encoding="utf-8")
    with pytest.raises(BadMessage) as caught:
        rows_of(path)
    assert caught.value.place == "row 3"


def test_a_cell_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "CELL_CHARACTERS", 1000)
    path = tmp_path / "long.csv"
    path.write_text("a,b\n1," + "x" * 5000 + "\n", encoding="utf-8")
    with pytest.raises(BadMessage, match="longer"):
        rows_of(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("１２３", "１２３"),
        (12, "12"),
        (12.0, "12"),
        (0.1 + 0.2, "0.3"),
        (True, "1"),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime(2024, 3, 1, 8, 5), "2024-03-01T08:05:00"),  # noqa: DTZ001
        (time(8, 5), "08:05:00"),
        # an ID number typed as a number: its last digits are lost, it must not pass for one
        (360421195206012260, "3.60421195206012e+17"),
        (360421195206012260.0, "3.60421195206012e+17"),
        ("=1/0", ""),
    ],
)
def test_a_cell_is_the_text_that_is_meant(tmp_path: Path, value: object, text: str) -> None:
    path = workbook(tmp_path / "b.xlsx", ("s", [["a", "b"], ["x", value, "y"]]))
    assert rows_of(path)[1] == ["x", text, "y"]


def test_hidden_sheets_are_passed_over(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", ("shown", [["a"]]), ("hidden", [["b"]]))
    book = openpyxl.load_workbook(path)
    book["hidden"].sheet_state = "hidden"
    book.save(path)
    assert [sheet.name for sheet in reader().sheets(path, Feed())] == ["shown"]


def bomb(path: Path, part: str, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(part, b"a" * size)
    return path


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, part: str) -> None:
    path = bomb(tmp_path / "bomb.xlsx", part, 20 * 2**20)
    with pytest.raises(BadMessage, match="unpacks") as caught:
        rows_of(path)
    assert caught.value.place == "workbook"


def test_entities_of_a_workbook_are_not_followed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", ("s", [["a", "b"]]))
    entity = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">'
        '<!ENTITY c SYSTEM "file:///etc/passwd">]><worksheet xmlns="http://schemas.openxmlformats'
        '.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&c;'
        "</t></is></c></row></sheetData></worksheet>"
    )
    twisted = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(twisted, "w") as new:
        for item in old.infolist():
            body = old.read(item)
            new.writestr(item, entity if "sheet1" in item.filename else body)
    found: list[list[str]] = []
    refused = refusal(lambda: found.extend(rows_of(twisted)))
    assert refused is None or refused.place
    assert "root:" not in str(found)


@pytest.mark.parametrize(
    "body", [b"PK\x03\x04 and no more", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_what_is_no_workbook_of_today_is_refused_with_advice(
    tmp_path: Path, body: bytes
) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(body)
    with pytest.raises(BadMessage, match="save it"):
        rows_of(path)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    head=st.builds(
        Head,
        st.just("PAT"),
        st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        TEXT,
        numbers=st.lists(TEXT, max_size=3).map(tuple),
        revision=st.integers(1, 9),
        gone=st.booleans(),
    ),
    rows=st.lists(
        st.builds(
            RowLine,
            st.sampled_from(["PAT", "RES"]),
            st.dictionaries(TEXT, TEXT.filter(bool) | st.none(), max_size=4),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_message_says_what_was_written_and_where_each_cell_stands(
    head: Head, rows: list[RowLine]
) -> None:
    raw = write(head, rows)
    assert parse_head(raw) == head
    assert parse_rows(raw) == rows
    adapter = reader()
    for index, row in enumerate(rows):
        for field, text in enumerate(row.cells.values(), 1):
            start, end = adapter.locate(raw, Feed(), Place(index, field))
            shown = raw[start:end].decode()
            if text is None:
                assert shown == "null"
            elif not set(text) & set('"\\') and text.isprintable():
                assert shown == text
            else:
                assert raw[start - 1 : start] == raw[end : end + 1] == b'"'


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_of_rows_or_none(raw: bytes) -> None:
    adapter = reader()
    for ask in (adapter.envelope, adapter.read):
        refused = refusal(partial(ask, raw, Feed()))
        assert refused is None or refused.place


@pytest.mark.parametrize(
    ("cell", "told"), [("周莲", False), ("周\ufffd", True), ("锟斤拷", True), ("", False)]
)
def test_characters_lost_on_the_way_are_remarked_upon(cell: str, told: bool) -> None:
    raw = write(Head("PAT", ("1",), "1"), [RowLine("PAT", {"编号": "1", "姓名": cell})])
    record = reader().read(raw, Feed())
    assert [code for code, _ in record.mended] == ["wrong-charset"] * told
