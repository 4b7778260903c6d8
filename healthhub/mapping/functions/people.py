"""Functions on people: names, identity numbers, telephone numbers."""

from __future__ import annotations

import re

from healthhub.mapping.functions.registry import function
from healthhub.terms import forms
from healthhub.terms.forms import half

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_DOUBLE = frozenset(
    "欧阳 司马 上官 诸葛 夏侯 东方 皇甫 尉迟 公孙 慕容 令狐 长孙 宇文 司徒 轩辕 南宫 端木 独孤 "
    "百里 呼延 申屠 太史 钟离 澹台 闻人 赫连 单于 东郭 西门 万俟 公冶 濮阳 淳于 第五 拓跋".split()
)


@function("| resident_id")
def resident_id(value: str) -> str | None:
    """A resident identity number in its 18 characters if date and check character are right
    (15 digits are completed, x and full-width forms corrected); else nothing."""
    return forms.resident_id(value)


@function("| person_name")
def person_name(value: str) -> str | None:
    """A person's whole name; a Chinese one without the blanks that systems put inside."""
    value = half(value).strip()
    if _CHINESE.search(value):
        value = "".join(value.split())
    return value or None


@function("| family_name")
def family_name(value: str) -> str | None:
    """The family name of a whole Chinese name (double family names are known); else nothing."""
    name = person_name(value) or ""
    if not re.fullmatch(r"[\u3400-\u9fff]{2,4}", name):
        return None
    return name[:2] if name[:2] in _DOUBLE and len(name) > 2 else name[:1]


@function("| given_name")
def given_name(value: str) -> str | None:
    """The given name of a whole Chinese name; else nothing."""
    family = family_name(value)
    return (person_name(value) or "")[len(family) :] if family else None


@function("| phone")
def phone(value: str) -> str | None:
    """A telephone number in half-width characters, without blanks; fillers give nothing."""
    number = "".join(half(value).split())
    return number if re.search(r"\d{3}", number) and number.strip("0-") else None
