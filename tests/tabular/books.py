"""Small files of tables for tests, and a source that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import openpyxl

from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert.sheets import Cut, Cutter, Refused
from healthhub.mapping.library import Library

MAPPING = """
mapping: clinic
version: "1"
extends: national/tabular
tables:
  PAT:
    from: [V_PAT, 患者*]
    columns: {id: [编号, 患者编号], name: 姓名, born: 出生日期, sex: 性别, changed: 修改时间, deleted: 删除}
    key: [id]
    patient: id
    at: changed
    numbers: [id]
    deleted: {column: deleted, values: ["1"]}
  LAB:
    from: [V_LAB]
    columns: {report: 报告号, pat: 患者编号, changed: 修改时间}
    key: [report]
    patient: pat
    at: changed
    numbers: [report]
  RES:
    from: [V_RES]
    of: LAB
    on: [report]
    columns: {report: 报告号, item: 项目, value: 结果, changed: 修改时间}
    key: [report, item]
    changed: changed
  ITM:
    from: [检验*]
    columns: {report: 报告号, pat: 患者编号, item: 项目, value: 结果}
    key: [report]
    row: [item]
    patient: pat
names:
  patient_number: PAT-id else LAB-pat else ITM-pat
resources:
  patient:
    type: Patient
    key: [patient_number]
    authority: 1 if PAT else 0
    rules:
      - identifier[] <- patient_number | number("MR", "Medical record number")
      - active <- false if PAT-_state = "gone"
      - name[] <- PAT-name | name_of
      - gender <- PAT-sex | code(gender)
      - birthDate <- PAT-born | sheet_date | date
  report:
    type: DiagnosticReport
    on: [LAB]
    key: [LAB-report]
    rules:
      - status <- "final"
      - code.text <- "检验报告"
      - subject <- ref(patient)
      - result[] <- refs(observation)
  observation:
    type: Observation
    on: [LAB]
    each: RES
    key: [LAB-report, RES-item]
    rules:
      - status <- "entered-in-error" if RES-_state = "gone"
      - status <- "final"
      - code.text <- RES-item
      - subject <- ref(patient)
      - valueString <- RES-value
"""


@dataclass(frozen=True)
class Feed:
    """What an adapter must know of a source."""

    charset: str = "gb18030"
    zone: str = "Asia/Shanghai"


def mappings(folder: Path) -> Path:
    """A folder of mappings with the national base and ``clinic``."""
    shipped = Path(__file__).parents[2] / "mappings"
    (folder / "clinic").mkdir(parents=True)
    (folder / "national").symlink_to(shipped / "national")
    (folder / "clinic" / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    return folder


def reader() -> SheetReader:
    """The adapter of tables."""
    return cast(SheetReader, registry.find("tabular"))


def workbook(path: Path, *sheets: tuple[str, Sequence[Sequence[Any]]]) -> Path:
    """A workbook of these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def rows_of(path: Path, charset: str = "gb18030") -> list[list[str]]:
    """All rows of all sheets of a file."""
    return [cells for s in reader().sheets(path, Feed(charset)) for _, cells in s.rows]


def cut(folder: Path, path: Path) -> list[Cut | Refused]:
    """A file as the mapping ``clinic`` cuts it."""
    tables = Library(folder).definition("clinic").tables
    cutter = Cutter(tables, "Asia/Shanghai")
    return list(cutter.sheets(reader().sheets(path, Feed()), path.name))
