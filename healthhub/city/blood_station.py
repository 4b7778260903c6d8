"""The blood station: views of its stock, of what it hands to hospitals, of what they report back about each
transfusion, and of recalls. Pinyin columns, GBK, dates as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from healthhub.city import moments
from healthhub.city.channels import View, Views
from healthhub.city.charts import local_number
from healthhub.city.dice import Dice, Weighted
from healthhub.city.hospital_b_views import source_time
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, digits8
from healthhub.city.parties import INSTITUTIONS, impersonal
from healthhub.city.places import CITY, STAFF
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Visit

_COLUMNS = {
    "V_XD": "xdtm cpm cpmc abo rhd gg dw cxrq zbrq sxrq ywd kmbz zt bfyy gxsj scbz",
    "V_FX": "fxdh xdtm cpm cpmc yljgdm yljgmc fxsj qssj qsr thbz thyy gxsj scbz",
    "V_SXFK": "sxdh xdtm cpm cpmc yljgdm yljgmc hzbh zyh hzxm xbdm csrq sfzhm abo rhd zdmc sxl dw kssj jssj zxhs "
    "blfybz blfylx fysj fyms gxsj scbz",
    "V_ZH": "zhdh xdtm cpm zhyy zhsj cxbz gxsj",
}
_KEYS = {
    "V_XD": "xdtm cpm",
    "V_FX": "fxdh xdtm cpm",
    "V_SXFK": "sxdh xdtm cpm",
    "V_ZH": "zhdh xdtm cpm",
}
VIEWS = {
    name: View(tuple(columns.split()), tuple(_KEYS[name].split()), "gxsj")
    for name, columns in _COLUMNS.items()
}
_RED = ("20120", "去白细胞悬浮红细胞 2U", "2", "U", 35, "2-6℃")
_PLASMA = ("30120", "新鲜冰冻血浆 200ml", "200", "ml", 365, "-18℃以下")
_GROUPS: Weighted[str] = Weighted([("A", 31), ("B", 28), ("O", 31), ("AB", 10)])
_NEGATIVE = 0.004
_NEEDY = ("anaemia", "ckd4", "ckd5", "cancer")
"""What keys of diagnoses that may need blood in a stay hold."""
_SURGERY, _ILLNESS = 0.6, 0.3
_REACTION = 0.06
_WITHDRAWN = 0.02


def group_of(seed: int, person: int) -> tuple[str, str]:
    """A resident's ABO and RhD group: the same whoever asks."""
    dice = Dice(seed, "blood", person)
    return dice.weighed(_GROUPS), "-" if dice.chance(_NEGATIVE) else "+"


class BloodStation(System):
    """The city's station."""

    about = About(
        source="blood-station",
        house="x",
        title="中心血站 血液管理系统视图",
        adapter="tabular",
        mapping="blood-station",
        institution="blood-station",
        institution_title=f"{CITY}中心血站",
        kind="public",
        charset="gb18030",
    )
    channel = Views(VIEWS, "gb18030")

    def history(self, person: Person) -> Iterator[Sent]:
        """Units transfused in some stays, each from its collection on."""
        dice = person.dice
        for visit in person.elsewhere:
            if visit.kind != "I" or visit.end - visit.start < 2 * DAY or visit.house == "c":
                continue
            ill = any(stem in d.key for d in visit.diagnoses for stem in _NEEDY)
            share = _SURGERY if visit.operation else _ILLNESS if ill else 0.0
            if (person.named and share) or dice.chance(share):
                for number in range(dice.whole(1, 2)):
                    yield from self._transfused(person, visit, number)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A unit comes into stock."""
        code = f"429004{count:010d}"
        dice = person.dice
        abo = (dice.weighed(_GROUPS), "+")
        yield self._bag(code, _RED, abo, end - 6 * HOUR, end, "1")

    def of_the_house(self, seed: int, begin: date, until: date) -> Iterator[Sent]:
        """Units that no resident's story tells of: kept, issued and sent back, discarded, recalled."""
        dice = Dice(seed, self.source, "stock")
        at, number = moments.of(begin) + 9 * HOUR, 0
        while at < moments.of(until) - 8 * DAY:
            number += 1
            code = f"{digits8(at)[2:]}9{number:07d}"
            product = dice.pick((_RED, _PLASMA))
            abo = (dice.weighed(_GROUPS), "+")
            fate = dice.random()
            state = "4" if fate < 0.2 else "2" if fate < 0.6 else "1"
            yield self._bag(
                code, product, abo, at, at + DAY, state, "到期" if state == "4" else ""
            )
            if state == "2":
                returned = dice.chance(0.1)
                house = dice.pick("abc")
                yield self._issue(code, product, house, at + 2 * DAY, returned=returned)
            if dice.chance(0.04):
                yield self._recall(code, product, at + 4 * DAY, taken_back=dice.chance(0.3))
            at += dice.whole(3, 9) * DAY

    def _transfused(self, person: Person, visit: Visit, number: int) -> Iterator[Sent]:
        """Collected, issued, transfused, reported back."""
        dice = person.dice
        product = _RED if number == 0 else _PLASMA
        abo = group_of(person.seed, person.resident.ordinal)
        begun = visit.start + DAY + dice.whole(1, 8) * HOUR + number * 4 * HOUR
        collected = begun - dice.whole(4, 20) * DAY
        code = f"{digits8(collected)[2:]}0{person.resident.ordinal % 10**5:05d}{visit.count % 10}{number}"
        stocked = collected + DAY
        yield self._bag(code, product, abo, collected, stocked, "1")
        yield self._issue(code, product, visit.house, begun - 90 * MINUTE)
        used = begun + 3 * HOUR
        yield self._bag(code, product, abo, collected, used, "3")
        person.tally[f"transfusions.{self.house}"] += 1
        cells = self._reported(person, visit, code, product, abo, begun)
        throw = 1.0 if person.named else dice.random()
        key = str(cells["sxdh"])
        if throw < _WITHDRAWN:
            person.tally[f"withdrawn.{self.house}"] += 1
            wrong = cells | {"sxdh": f"W{key[1:]}", "sxl": "20"}
            yield self._row("V_SXFK", used, wrong, f"W{key[1:]}", person)
            yield self._row("V_SXFK", used + HOUR, wrong | {"scbz": "1"}, f"W{key[1:]}", person)
        planted, detail = "", ""
        if _WITHDRAWN < throw < _WITHDRAWN + BY_HAND.unknown_code:
            cells |= {"blfybz": "1", "blfylx": "8"}
            planted, detail = "unknown-code", "TRF-blfylx"
        person.tally[f"reactions.{self.house}"] += cells["blfybz"] == "1"
        yield self._row("V_SXFK", used, cells, key, person, planted, detail)

    def _reported(
        self, person: Person, visit: Visit, code: str, product: tuple[str, str, str, str, int, str],
        abo: tuple[str, str], begun: Moment,
    ) -> dict[str, object]:  # fmt: skip
        dice, resident = person.dice, person.resident
        institution, title = INSTITUTIONS[visit.house]
        number = local_number(visit.house, resident.ordinal)
        reacts = dice.chance(_REACTION) and not person.named
        amount = "400" if product is _RED else product[2]
        nurse = dice.pick(STAFF[visit.house][visit.department.key])
        return {
            "sxdh": f"S{code}",
            "xdtm": code,
            "cpm": product[0],
            "cpmc": product[1],
            "yljgdm": institution,
            "yljgmc": title,
            "hzbh": number,
            "zyh": f"ZY{number[-8:]}{visit.count:03d}",
            "hzxm": resident.name,
            "xbdm": "1" if resident.sex == "M" else "2",
            "csrq": f"{resident.birth:%Y%m%d}",
            "sfzhm": resident.number,
            "abo": abo[0],
            "rhd": abo[1],
            "zdmc": visit.diagnoses[0].name,
            "sxl": amount,
            "dw": "ml",
            "kssj": source_time(begun),
            "jssj": source_time(begun + 2 * HOUR),
            "zxhs": nurse.name,
            "blfybz": "1" if reacts else "0",
            "blfylx": "2" if reacts else "",
            "fysj": source_time(begun + HOUR) if reacts else "",
            "fyms": "皮肤荨麻疹，予抗组胺药后缓解" if reacts else "",
        }

    def _row(
        self, view: str, at: Moment, cells: Mapping[str, object], key: str, person: Person,
        planted: str = "", detail: str = "",
    ) -> Sent:  # fmt: skip
        whole = {"scbz": "0"} | dict(cells) | {"gxsj": source_time(at)}
        return self.row(view, at, whole, key, person, planted, detail)

    def _house(self, view: str, at: Moment, cells: Mapping[str, object], key: str) -> Sent:
        whole = {"scbz": "0"} | dict(cells) | {"gxsj": source_time(at)}
        return impersonal(self.source, view, at, whole, key)

    def _bag(
        self, code: str, product: tuple[str, str, str, str, int, str], abo: tuple[str, str],
        collected: Moment, at: Moment, state: str, why: str = "",
    ) -> Sent:  # fmt: skip
        number, name, amount, unit, days, kept = product
        cells = {
            "xdtm": code,
            "cpm": number,
            "cpmc": name,
            "abo": abo[0],
            "rhd": abo[1],
            "gg": amount,
            "dw": unit,
            "cxrq": source_time(collected),
            "zbrq": source_time(collected + 5 * HOUR),
            "sxrq": digits8(collected + days * DAY),
            "ywd": kept,
            "kmbz": "阴性",
            "zt": state,
            "bfyy": why,
        }
        return self._house("V_XD", at, cells, f"{code}|{number}")

    def _issue(
        self, code: str, product: tuple[str, str, str, str, int, str], house: str, at: Moment,
        *, returned: bool = False,
    ) -> Sent:  # fmt: skip
        institution, title = INSTITUTIONS[house]
        cells = {
            "fxdh": f"FX{code}",
            "xdtm": code,
            "cpm": product[0],
            "cpmc": product[1],
            "yljgdm": institution,
            "yljgmc": title,
            "fxsj": source_time(at),
            "qssj": source_time(at + 40 * MINUTE),
            "qsr": STAFF[house]["laboratory"][0].name,
            "thbz": "1" if returned else "0",
            "thyy": "临床取消用血" if returned else "",
        }
        return self._house("V_FX", at + 40 * MINUTE, cells, f"FX{code}|{code}|{product[0]}")

    def _recall(
        self, code: str, product: tuple[str, str, str, str, int, str], at: Moment, *, taken_back: bool
    ) -> Sent:  # fmt: skip
        cells = {
            "zhdh": f"ZH{code}",
            "xdtm": code,
            "cpm": product[0],
            "zhyy": "献血者事后告知",
            "zhsj": source_time(at),
            "cxbz": "1" if taken_back else "0",
        }
        whole = cells | {"gxsj": source_time(at + HOUR)}
        return impersonal(
            self.source, "V_ZH", at + HOUR, whole, f"ZH{code}|{code}|{product[0]}"
        )
