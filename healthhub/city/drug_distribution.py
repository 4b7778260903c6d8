"""Drug distribution: two distributors hand in what institutions ordered and what was delivered, with batch,
expiry and who took it in, as CSV in GBK. Some deliveries are refused, one line in a hundred is made void."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from healthhub.city import moments
from healthhub.city.by_hand import full_width
from healthhub.city.catalogue import DRUGS, Drug
from healthhub.city.channels import Folder
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, digits8
from healthhub.city.parties import INSTITUTIONS, impersonal, spelt
from healthhub.city.places import CITY, STAFF
from healthhub.city.prices import item_code, priced
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.sheets import Style, text
from healthhub.city.system import About, Person, System

_STYLES = {
    "ORD": Style("采购订单", title=f"{CITY}药品集中采购订单", maker="药品配送监管平台"),
    "DLV": Style("配送明细", title=f"{CITY}药品配送明细", maker="药品配送监管平台"),
}
_DISTRIBUTORS = (
    ("91429004MA00000P2B", f"{CITY}九康医药有限公司"),
    ("91429004MA00000Q3C", f"{CITY}仁和堂医药连锁有限公司"),
)
_MAKERS = ("泽生制药有限公司", "华康制药股份有限公司", "安普生物股份有限公司")
_COLD = ("注射液",)


def booked(kind: str, rows: Sequence[Mapping[str, Any]], stamp: str) -> tuple[str, bytes]:
    """The file of one table's rows."""
    style = _STYLES[kind]
    return f"{style.name}{stamp}.csv", text(rows, style)


class DrugDistribution(System):
    """The supervision platform that both distributors report to."""

    about = About(
        source="drug-distribution",
        house="d",
        title="药品配送监管 企业上报",
        adapter="tabular",
        mapping="drug-distribution",
        institution="drug-supervision",
        institution_title=f"{CITY}药品配送监管平台",
        kind="supply",
        charset="gb18030",
    )
    channel = Folder(booked)

    def history(self, person: Person) -> Iterator[Sent]:
        """Nothing about residents."""
        return iter(())

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A delivery has just been taken in."""
        dice = person.dice
        drug = dice.pick(tuple(DRUGS.values()))
        order = {"订单编号": "", "订单明细号": ""}
        number = f"PS{moments.digits14(end)}"
        yield self._delivered(dice, number, 1, order, drug, 20, "a", end - 36 * MINUTE)

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """An order of each institution every two or three weeks, and its delivery days later."""
        for house in INSTITUTIONS:
            dice = Dice(seed, self.source, house)
            at, number = moments.of(begin) + dice.whole(0, 9) * DAY + 10 * HOUR, 0
            while at < moments.of(until) - 7 * DAY:
                number += 1
                yield from self._ordered(dice, house, at, number)
                at += dice.whole(14, 24) * DAY

    def _ordered(self, dice: Dice, house: str, at: Moment, number: int) -> Iterator[Sent]:
        order = f"ZC{digits8(at)}{house.upper()}{number:04d}"
        code, title = INSTITUTIONS[house]
        sender, name = dice.pick(_DISTRIBUTORS)
        sent = at + dice.whole(1, 3) * DAY
        for line in range(1, dice.whole(2, 5) + 1):
            drug = dice.pick(tuple(DRUGS.values()))
            quantity = dice.whole(2, 40) * 10
            cells: dict[str, object] = {
                "订单编号": order,
                "行号": str(line),
                "医保药品代码": item_code(drug),
                "通用名": drug.name,
                "规格": drug.spec,
                "剂型": drug.form,
                "生产企业": dice.pick(_MAKERS),
                "采购数量": full_width(str(quantity)) if dice.chance(0.05) else str(quantity),
                "单位": drug.pack,
                "采购单价": str(priced(drug.key, 8, 60)),
                "医疗机构代码": code,
                "医疗机构名称": title,
                "配送企业代码": sender,
                "配送企业": name,
                "下单时间": spelt(at),
                "要求到货日期": f"{moments.day_of(at + 4 * DAY):%Y/%m/%d}",
                "急救药品": "是" if dice.chance(0.05) else "否",
                "订单状态": "3",
                "更新时间": spelt(sent + 8 * HOUR),
            }
            planted, detail = "", ""
            if dice.chance(BY_HAND.unknown_code):
                cells["订单状态"], planted, detail = "7", "unknown-code", "ORD-state"
            yield impersonal(
                self.source, "ORD", sent + 8 * HOUR, cells, f"{order}-{line}", planted, detail
            )
            named = {"订单编号": order, "订单明细号": str(line)}
            yield self._delivered(
                dice, f"PS{order[2:]}", line, named, drug, quantity, house, sent
            )

    def _delivered(
        self, dice: Dice, number: str, line: int, order: Mapping[str, str], drug: Drug,
        quantity: int, house: str, sent: Moment,
    ) -> Sent:  # fmt: skip
        code, title = INSTITUTIONS[house]
        sender, name = dice.pick(_DISTRIBUTORS)
        arrived = sent + (20 * MINUTE if line == 1 and not order["订单编号"] else 5 * HOUR)
        throw = dice.random()
        cold = drug.form in _COLD
        refused, void = throw < 0.04, 0.04 <= throw < 0.05
        broken = 0.05 <= throw < 0.1
        batch = f"{drug.code_b[2:]}{digits8(sent - dice.whole(30, 200) * DAY)[2:]}"
        taken = 0 if refused else quantity - 2 if broken else quantity
        cells = {
            "配送单号": number,
            "行号": str(line),
            **order,
            "医保药品代码": item_code(drug),
            "通用名": drug.name,
            "规格": drug.spec,
            "剂型": drug.form,
            "生产企业": dice.pick(_MAKERS),
            "生产批号": batch,
            "有效期至": f"{moments.day_of(sent + dice.whole(300, 900) * DAY):%Y-%m-%d}",
            "实发数量": str(quantity),
            "单位": drug.pack,
            "验收数量": "" if void else str(taken),
            "配送企业代码": sender,
            "配送企业": name,
            "医疗机构代码": code,
            "医疗机构名称": title,
            "出库时间": spelt(sent),
            "到货时间": spelt(arrived),
            "验收时间": "" if refused or void else spelt(arrived + 10 * MINUTE),
            "验收人": STAFF[house]["prevention"][0].name,
            "到货温度(℃)": f"{dice.near(11 if refused and cold else 5, 1):.1f}" if cold else "",
            "配送状态": "3" if refused else "9" if void else "2",
            "拒收原因": "冷链温度超标" if refused and cold else "外包装破损" if refused else "破损2盒" if broken else "",
            "更新时间": spelt(arrived + 15 * MINUTE),
        }  # fmt: skip
        return impersonal(self.source, "DLV", arrived + 15 * MINUTE, cells, f"{number}-{line}")
