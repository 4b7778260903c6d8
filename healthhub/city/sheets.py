"""Files as the staff of a health centre make them: titles, merged headers, GBK, Excel."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import openpyxl

SYSTOLIC, DIASTOLIC = "血压(mmHg)/收缩压", "血压(mmHg)/舒张压"


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    charset: str = "gb18030"
    delimiter: str = ","
    title: str = ""


_STYLES = {
    "PER": _Style("个人档案", title="居民个人基本信息登记表"),
    "VST": _Style("门诊就诊", "utf-8", ";"),
    "DIA": _Style("门诊诊断", "utf-8-sig", "\t"),
    "DRG": _Style("门诊处方"),
    "ITM": _Style("检验结果", title="检验结果一览"),
    "HTN": _Style("高血压随访"),
}


def booked(kind: str, rows: Sequence[Mapping[str, Any]], stamp: str) -> tuple[str, bytes]:
    """The file of one table's rows: its name and bytes."""
    style = _STYLES[kind]
    if kind == "HTN":
        return f"{style.name}{stamp}.xlsx", _workbook(rows, style.name)
    return f"{style.name}{stamp}.csv", _text(rows, style)


def _text(rows: Sequence[Mapping[str, Any]], style: _Style) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=style.delimiter, lineterminator="\r\n")
    headings = list(rows[0])
    if style.title:
        blank = [""] * (len(headings) - 1)
        writer.writerow([style.title, *blank])
        writer.writerow(["编制单位：卫生院公卫科", *blank])
    writer.writerow(headings)
    writer.writerows([row.get(heading, "") for heading in headings] for row in rows)
    if style.title:
        writer.writerow(["合计", str(len(rows)), *[""] * (len(headings) - 2)])
    return out.getvalue().encode(style.charset)


def _workbook(rows: Sequence[Mapping[str, Any]], name: str) -> bytes:
    """A sheet whose header has two rows: what stands before a stroke is merged over its parts."""
    book = openpyxl.Workbook()
    book.properties.created = book.properties.modified = datetime(2020, 1, 1)  # noqa: DTZ001 - a property of Excel's, without zone
    sheet = book.active
    assert sheet is not None  # noqa: S101 - a new book has one
    sheet.title = name
    headings = list(rows[0])
    for place, heading in enumerate(headings, 1):
        above, _, below = heading.partition("/")
        sheet.cell(1, place, above)
        if below:
            sheet.cell(2, place, below)
        else:
            sheet.merge_cells(start_row=1, end_row=2, start_column=place, end_column=place)
    _merge_above(sheet, headings)
    for row in rows:
        sheet.append([row.get(heading, "") for heading in headings])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _merge_above(sheet: Any, headings: Sequence[str]) -> None:
    start = 0
    while start < len(headings):
        above = headings[start].partition("/")[0]
        end = start
        while end + 1 < len(headings) and headings[end + 1].startswith(f"{above}/"):
            end += 1
        if end > start:
            sheet.merge_cells(
                start_row=1, end_row=1, start_column=start + 1, end_column=end + 1
            )
        start = end + 1
