"""Slips of the pen at a registration window: names, numbers, dates and phones as they go wrong."""

from __future__ import annotations

from pypinyin import Style, lazy_pinyin

from healthhub.city import names
from healthhub.city.dice import Dice

DEFAULTS = ("1900-01-01", "1800-01-01", "1970-01-01", "1899-12-30")
PHONES = ("13800000000", "11111111111", "00000000000", "12345678901", "13800138000", "0")
"""What is typed so that the box is filled."""
_SIMPLE = "陈刘张黄吴赵杨孙马罗郑谢韩邓冯萧潘蒋苏叶吕钟谭陆贾韦邹邱龙贺顾龚钱严汤国兰华军丽凤云伟晓杰刚涛辉飞静艳红娟敏霞玲娜琼诗语欣轩铭泽航"
_TRADITIONAL = "陳劉張黃吳趙楊孫馬羅鄭謝韓鄧馮蕭潘蔣蘇葉呂鍾譚陸賈韋鄒邱龍賀顧龔錢嚴湯國蘭華軍麗鳳雲偉曉傑剛濤輝飛靜艷紅娟敏霞玲娜瓊詩語欣軒銘澤航"
_OLDER = str.maketrans(_SIMPLE, _TRADITIONAL)
_SOUNDS = (
    "国帼 建健 志智 文闻 明铭 德得 伟玮 勇永 涛滔 斌彬 鹏朋 磊雷 超朝 刚钢 辉晖 波博 峰锋 俊骏 杰洁 "
    "丽莉 娟捐 敏闵 静婧 艳燕 霞侠 玲铃 红虹 芳方 娜纳 婷庭 慧惠 琴勤 云芸 宇雨 浩昊 轩萱 子梓 睿瑞 "
    "泽择 晨辰 熙西 逸艺 航杭 安鞍 涵函 欣心 怡宜 诗思 妍研 依伊 若偌 彤桐 语雨 琪棋 瑶遥 雅哑 可克 "
    "秀绣 桂贵 玉钰 兰蓝 英瑛 珍真 素愫 凤奉 春椿 梅玫 香乡 莲连 华桦 淑叔 晓小 海还 福富 清青 泉全 生升"
).split()
_ALIKE = {one: other for pair in _SOUNDS for one, other in (pair, pair[::-1])}


def sound(dice: Dice, name: str) -> str:
    """One character of the given name for another that an input method offers beside it."""
    places = [n for n in range(1, len(name)) if name[n] in _ALIKE]
    if not places:
        return names.mistaken(name)
    at = dice.pick(places)
    return name[:at] + _ALIKE[name[at]] + name[at + 1 :]


def traditional(name: str) -> str:
    """The name in the characters of Hong Kong and of old papers."""
    return name.translate(_OLDER)


def spaced(dice: Dice, name: str) -> str:
    """A blank between the characters of a short name, or after it."""
    blank = dice.pick((" ", "　", "  "))
    return blank.join(name) if len(name) == 2 else name + blank


def pinyin(dice: Dice, name: str) -> str:
    """The name in letters, as machines write it that know no characters."""
    if "·" in name:
        return name
    family, *given = lazy_pinyin(name, style=Style.NORMAL)
    rest = "".join(given)
    return dice.pick(
        (f"{family} {rest}".upper(), f"{family}{rest}", f"{rest.title()} {family.title()}")
    )


def dot(dice: Dice, name: str) -> str:
    """A name of two parts with another dot, none, or without the father's name."""
    if "·" not in name:
        return name
    return name.replace("·", dice.pick(("•", "．", ".", "", " "))) if dice.chance(0.8) else name.partition("·")[0]  # fmt: skip


def digit(dice: Dice, number: str) -> str:
    """One digit wrong, or two changed over: the check character then does not fit."""
    if len(number) < 15:
        return number
    at = dice.whole(6, len(number) - 3)
    if dice.chance(0.5) and number[at] != number[at + 1]:
        return number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    wrong = str((ord(number[at]) - 48 + dice.whole(1, 9)) % 10)
    return number[:at] + wrong + number[at + 1 :]


def swapped(birth: str) -> str:
    """Month and day changed over, where that makes a date."""
    if len(birth) != 10 or int(birth[8:]) > 12:
        return birth
    return f"{birth[:5]}{birth[8:]}-{birth[5:7]}"


def day_or_year(dice: Dice, birth: str) -> str:
    """Another last digit of the day or of the year."""
    if len(birth) != 10:
        return birth
    at = dice.pick((3, 9))
    other = birth[:at] + str(dice.whole(1, 8)) + birth[at + 1 :]
    return other if birth[5:7] != "02" or (at == 3 and birth[8:] < "29") else birth


def january(birth: str) -> str:
    """The first of January of the year: only the age was known."""
    return birth[:4] + "-01-01" if birth else birth


def phone(dice: Dice) -> str:
    """Another number; 12x is assigned to nobody."""
    return f"12{dice.whole(0, 999_999_999):09d}"
