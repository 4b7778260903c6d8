"""The invented city: its institutions, towns, departments and staff."""

from __future__ import annotations

from dataclasses import dataclass

from healthhub.city.dice import Dice
from healthhub.city.names import SURNAMES, given

CITY = "泽安市"
PROVINCE = "湖北省"

TOWNS = (
    "城关街道 东堤街道 云桥街道 柳溪镇 白螺湾镇 青石镇 沙岭镇 河口镇 新堰镇 芦花镇 三桥镇 双龙镇 "
    "石桥镇 渔洲镇 长塘镇 杨柳镇 南湖镇 北堤镇 桃园镇 稻香镇 竹坪镇 落雁镇"
).split()
_ROADS = "建设路 人民大道 文昌路 滨湖路 解放街 沿堤路 育才路 丰收路 和平街 朝阳路".split()
_VILLAGES = "荷花村 团结村 前进村 红旗村 双桥村 杨湾村 周家台村 李家垸村 新河村 东升村".split()


@dataclass(frozen=True, slots=True)
class Department:
    """A department: its local codes at the two hospitals, name, ward and specialty."""

    key: str
    code_a: str
    code_b: str
    name: str
    ward: str


DEPARTMENTS = {
    item.key: item
    for item in (
        Department("cardiology", "1010101", "0301", "心血管内科", "W0101"),
        Department("endocrine", "1010102", "0302", "内分泌科", "W0102"),
        Department("respiratory", "1010103", "0303", "呼吸内科", "W0103"),
        Department("nephrology", "1010104", "0304", "肾内科", "W0104"),
        Department("gastro", "1010105", "0305", "消化内科", "W0105"),
        Department("neurology", "1010106", "0306", "神经内科", "W0106"),
        Department("oncology", "1010107", "0307", "肿瘤科", "W0107"),
        Department("surgery", "1010201", "0401", "普通外科", "W0201"),
        Department("orthopaedics", "1010202", "0402", "骨科", "W0202"),
        Department("urology", "1010203", "0403", "泌尿外科", "W0203"),
        Department("obstetrics", "1010301", "0501", "妇产科", "W0301"),
        Department("paediatrics", "1010401", "0701", "儿科", "W0401"),
        Department("neonatal", "1010402", "0702", "新生儿科", "W0402"),
        Department("emergency", "1010901", "2000", "急诊科", "W0901"),
        Department("dermatology", "1010501", "1300", "皮肤科", "W0501"),
        Department("general", "1010601", "0200", "全科医学科", "W0601"),
        Department("prevention", "1010701", "0100", "预防保健科", "W0701"),
        Department("checkup", "1010801", "3200", "健康管理中心", "W0801"),
        Department("laboratory", "1011001", "3000", "检验科", "W1001"),
        Department("imaging", "1011002", "3201", "医学影像科", "W1002"),
    )
}


@dataclass(frozen=True, slots=True)
class Doctor:
    """A member of staff: number and name."""

    code: str
    name: str


def _staff(house: str) -> dict[str, tuple[Doctor, ...]]:
    dice = Dice("staff", house)
    result = {}
    for number, key in enumerate(DEPARTMENTS):
        result[key] = tuple(
            Doctor(
                f"{house.upper()}{number:02d}{n:02d}",
                dice.weighed(SURNAMES)
                + given(dice, "F" if dice.chance(0.5) else "M", dice.whole(1966, 1994)),
            )
            for n in range(1, 7)
        )
    return result


STAFF = {house: _staff(house) for house in ("a", "b", "c", "s", "h", "p", "q", "v", "e")}
"""Doctors by house and department key; the same in every city."""


def address(dice: Dice) -> tuple[str, str]:
    """A family's town and the line below it."""
    town = dice.pick(TOWNS)
    if town.endswith("街道"):
        line = (
            f"{dice.pick(_ROADS)}{dice.whole(1, 320)}号"
            f"{dice.whole(1, 20)}栋{dice.whole(1, 6)}0{dice.whole(1, 4)}室"
        )
    else:
        line = f"{dice.pick(_VILLAGES)}{dice.whole(1, 9)}组{dice.whole(1, 120)}号"
    return town, line


def full_address(town: str, line: str) -> str:
    """The address on one line, as a registration window writes it."""
    return f"{PROVINCE}{CITY}{town}{line}"
