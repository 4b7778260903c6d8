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
class Style:
    """How a file looks: its name, charset and delimiter, the title above and who made it;
    ``levels`` 2: what stands before a heading's stroke is a heading of its own above it."""

    name: str
    charset: str = "gb18030"
    delimiter: str = ","
    title: str = ""
    maker: str = "卫生院公卫科"
    levels: int = 1


_STYLES = {
    "PER": Style("个人档案", title="居民个人基本信息登记表"),
    "VST": Style("门诊就诊", "utf-8", ";"),
    "DIA": Style("门诊诊断", "utf-8-sig", "\t"),
    "DRG": Style("门诊处方"),
    "ITM": Style("检验结果", title="检验结果一览"),
    "HTN": Style("高血压随访"),
}


def booked(kind: str, rows: Sequence[Mapping[str, Any]], stamp: str) -> tuple[str, bytes]:
    """The file of one table's rows: its name and bytes."""
    style = _STYLES[kind]
    if kind == "HTN":
        return f"{style.name}{stamp}.xlsx", _workbook(rows, style.name)
    return f"{style.name}{stamp}.csv", text(rows, style)


def text(rows: Sequence[Mapping[str, Any]], style: Style) -> bytes:
    """A text file of rows: titles above, totals below."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=style.delimiter, lineterminator="\r\n")
    headings = list(rows[0])
    if style.title:
        blank = [""] * (len(headings) - 1)
        writer.writerow([style.title, *blank])
        writer.writerow([f"编制单位：{style.maker}", *blank])
    writer.writerows(_levels(headings) if style.levels == 2 else [headings])
    writer.writerows([row.get(heading, "") for heading in headings] for row in rows)
    if style.title:
        writer.writerow(["合计", str(len(rows)), *[""] * (len(headings) - 2)])
    return out.getvalue().encode(style.charset)


def _levels(headings: Sequence[str]) -> list[list[str]]:
    """Two rows of headings, as a merged cell is written to a text file: once, then blanks."""
    above, below = [], []
    last = ""
    for heading in headings:
        parts = heading.split("/", 1)
        grouped = len(parts) == 2 and "(" not in parts[0].removesuffix("(mmHg)")
        above.append("" if grouped and parts[0] == last else parts[0] if grouped else heading)
        below.append(parts[1] if grouped else "")
        last = parts[0] if grouped else ""
    return [above, below]


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
