"""What the values of a column look like: dates, numbers, identity numbers, names, codes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from healthhub.identify.identity import parse_resident_id

_DATE = re.compile(
    r"(?:19|20)\d\d(?:[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?|\d{4})"
    r"(?:[ T]?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?|\d{6})?"
)
_NUMBER = re.compile(r"[<>≤≥]?-?\d+(?:\.\d+)?")
_UNIT = re.compile(
    r"(?:%|‰|[\w^*×μµ°]{1,8}(?:/[\w^*×.]{1,12})+|mmHg|bpm|℃|kg|cm|mg|ml|g|片|粒|支|次)"
)
_RANGE = re.compile(r"\d+(?:\.\d+)?\s*(?:-|--|~|～|—)\s*\d+(?:\.\d+)?|[<>≤≥]\s*\d+(?:\.\d+)?")
_NAME = re.compile(r"[\u4e00-\u9fff·\s]{2,6}")
_ICD = re.compile(r"[A-TV-Z]\d\d(?:\.[\dxX]\w{0,6})?")

SHAPES: Mapping[str, Callable[[str], bool]] = {
    "resident": lambda text: parse_resident_id(text) is not None,
    "phone": lambda text: re.fullmatch(r"1\d{10}|0\d{2,3}-?\d{7,8}", text) is not None,
    "date": lambda text: _DATE.fullmatch(text) is not None,
    "sex": lambda text: text in ("男", "女", "M", "F", "男性", "女性", "1", "2", "0", "9"),
    "flag": lambda text: text in ("0", "1", "是", "否", "Y", "N", "有", "无"),
    "mark": lambda text: (
        text
        in (
            "↑",
            "↓",
            "↑↑",
            "↓↓",
            "H",
            "L",
            "HH",
            "LL",
            "N",
            "A",
            "正常",
            "异常",
            "阳性",
            "阴性",
        )
    ),
    "icd": lambda text: _ICD.fullmatch(text) is not None,
    "range": lambda text: _RANGE.fullmatch(text) is not None or text in ("阴性", "阳性"),
    "unit": lambda text: _UNIT.fullmatch(text) is not None,
    "number": lambda text: _NUMBER.fullmatch(text) is not None,
    "name": lambda text: _NAME.fullmatch(text) is not None,
    "code": lambda text: re.fullmatch(r"[A-Za-z0-9_.\-]{1,40}", text) is not None,
    "text": lambda text: True,
}
ENOUGH = 0.6
"""Share of a column's values that must have a shape: samples hold errors too."""


@dataclass(frozen=True, slots=True)
class Values:
    """A column's values in a sample: how many there are, how many differ, how many look how.
    No value is kept: a draft shows shapes only."""

    filled: int
    rows: int
    distinct: int
    shapes: Mapping[str, int]

    def has(self, shape: str) -> bool:
        """Whether most values have the shape; an empty column has every one."""
        return self.shapes.get(shape, 0) >= ENOUGH * self.filled

    @property
    def unique(self) -> bool:
        """Whether every row has one of its own."""
        return self.rows > 1 and self.filled == self.rows == self.distinct


def look(values: Iterable[str]) -> Values:
    """The shapes of a column's values."""
    all_of_it = [unicodedata.normalize("NFKC", value).strip() for value in values]
    filled = [value for value in all_of_it if value not in ("", "-", "无", "/")]
    counted: Counter[str] = Counter()
    for value in filled:
        counted.update(name for name, test in SHAPES.items() if test(value))
    return Values(len(filled), len(all_of_it), len(set(filled)), counted)
