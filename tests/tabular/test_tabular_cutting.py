"""Cutting: the header is found, the table known, rows of one key stay together, slips are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from healthhub.convert.sheets import Cut, Refused, merged
from tests.tabular.books import cut, mappings, workbook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return mappings(tmp_path / "mappings")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("levels", "headings"),
    [
        ([["a", "b"]], ["a", "b"]),
        ([["名 称", "名称", ""]], ["名 称", "名称", ""]),
        ([["x", "x", "x"]], ["x", "x#2", "x#3"]),
        (
            [["姓名", "血压", "", "备注"], ["", "收缩压", "舒张压", ""]],
            ["姓名", "血压/收缩压", "血压/舒张压", "备注"],
        ),
    ],
)
def test_a_heading_stands_before_those_that_it_spans(
    levels: list[list[str]], headings: list[str]
) -> None:
    assert merged(levels) == headings


def test_titles_above_and_totals_below_are_no_rows(tmp_path: Path, folder: Path) -> None:
    path = workbook(
        tmp_path / "患者.xlsx",
        (
            "Sheet1",
            [
                ["患者登记表"],
                [],
                ["制表单位：桥头镇"],
                [" 编 号 ", "姓名", "备注", "修改时间"],
                [1, "周莲", None, 45352],
                [" 编 号 ", "姓名", "备注", "修改时间"],
                [2, "吴大有", "x", "2024年3月2日"],
                ["合计", 2],
            ],
        ),
        ("说明", [["一行一人"]]),
    )
    first, second = cut(folder, path)
    assert isinstance(first, Cut)
    assert isinstance(second, Cut)
    assert first.rows[0].cells == {"编 号": "1", "姓名": "周莲", "修改时间": "45352"}
    assert first.place == "患者.xlsx sheet Sheet1 row 5"
    assert (first.head.key, first.head.patient) == (("1",), "1")
    assert first.head.at == "2024-03-01T00:00:00+08:00"
    assert second.head.at == "2024-03-02T00:00:00+08:00"


def test_rows_of_one_key_are_one_message_wherever_they_stand(
    tmp_path: Path, folder: Path
) -> None:
    body = "报告号,患者编号,项目,结果\nR1,1,GLU,7.8\nR2,2,K,4\nR1,1,K,4.1\n"
    found = cut(folder, write(tmp_path / "检验2024.csv", body))
    assert [
        [row.cells["项目"] for row in each.rows] for each in found if isinstance(each, Cut)
    ] == [
        ["GLU", "K"],
        ["K"],
    ]


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        ("编号,姓名\n1,周莲\n,无号\n", "患者.csv row 3 column id", "is empty"),
        ("编号,姓名\n1,周莲,多\n2,吴\n", "患者.csv row 2", "3 cells, the header 2"),
        ("name,phone\nx,1\n", "患者.csv", "header of a known table"),
    ],
)
def test_a_slip_is_named_by_file_row_and_column_and_the_rest_is_taken(
    tmp_path: Path, folder: Path, body: str, place: str, reason: str
) -> None:
    found = cut(folder, write(tmp_path / "患者.csv", body))
    (refused,) = [each for each in found if isinstance(each, Refused)]
    assert refused.place == place
    assert reason in refused.reason
    assert len(found) == body.count("\n") - 1 or refused.whole


def test_the_same_row_is_the_same_whatever_file_and_order_of_columns(
    tmp_path: Path, folder: Path
) -> None:
    a = cut(folder, write(tmp_path / "患者1.csv", "编号,姓名\n1,周莲\n"))
    b = cut(folder, write(tmp_path / "患者2.csv", "姓名;编号\n周莲;1\n"))
    assert isinstance(a[0], Cut)
    assert isinstance(b[0], Cut)
    assert a[0].digest == b[0].digest
