"""Initials of Chinese words in pinyin, as vendors name columns by them (患者姓名: hzxm).

GB 2312-1980 orders its first-level characters (3,755, from 啊 to 座) by pinyin, so that the
code tells the initial. A character of several readings has the one by which the standard
orders it; rarer characters have none.
"""

from __future__ import annotations

from bisect import bisect_right

_FIRST = "啊芭擦搭蛾发噶哈击喀垃妈拿哦啪期然撒塌挖昔压匝"
_INITIALS = "abcdefghjklmnopqrstwxyz"
_STARTS = [int.from_bytes(char.encode("gb2312"), "big") for char in _FIRST]
_LAST = int.from_bytes("座".encode("gb2312"), "big")
OTHERWISE = {
    "长": "c",
    "重": "z",
    "调": "d",
    "单": "d",
    "曾": "z",
    "期": "q",
    "参": "c",
    "区": "q",
}
"""Readings that headings have where the order of the standard has another."""


def initials(text: str) -> str:
    """The initials of a text; letters and digits stay, what has no initial is left out."""
    return "".join(_initial(char) for char in text)


def _initial(char: str) -> str:
    if char.isascii():
        return char.lower() if char.isalnum() else ""
    if char in OTHERWISE:
        return OTHERWISE[char]
    try:
        code = int.from_bytes(char.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return ""
    if not _STARTS[0] <= code <= _LAST:
        return ""
    return _INITIALS[bisect_right(_STARTS, code) - 1]
