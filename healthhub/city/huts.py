"""What residents measure themselves: in the health huts of their town (a session as flat JSON in
Chinese, GB18030), and at home with devices that a gateway sends for (a batch of readings as JSON)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import orjson

from healthhub.city import moments
from healthhub.city.body import YEAR
from healthhub.city.catalogue import PANELS
from healthhub.city.channels import Http
from healthhub.city.mishaps import mishap
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, digits8
from healthhub.city.parties import spelt
from healthhub.city.places import CITY, TOWNS
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System

_OLD = 60 * YEAR
_HUTS: dict[str, int] = {town: number for number, town in enumerate(TOWNS, 1)}
"""The hut of each town."""
_BELIEVED = 330 * DAY
"""So long ago the devices were joined to the hub: a clock that is a year behind the receipt it takes
for wrong, so a longer past cannot be told by them."""
_NO_CHARSET = b"\xff\xff"
"""Bytes that stand in neither UTF-8 nor GB 18030."""
_LONG_AGO = moments.of(date(2000, 1, 1)) + 8 * HOUR
"""What a clock says whose battery was changed."""


class OwnMeasurements(System):
    """What huts and home devices have in common. ``share``: of those who should, who measure;
    ``every``: days between two messages, of the named resident and of others."""

    share: ClassVar[float]
    every: ClassVar[tuple[int, int]]
    shares: ClassVar[Mapping[str, float]]

    def history(self, person: Person) -> Iterator[Sent]:
        """Again and again, in the last months of the story."""
        dice = person.dice
        comes = self._should(person) and dice.chance(self.share)
        if not (comes or person.named):
            return
        pause = self.every[not person.named]
        at = max(person.begin, person.until - _BELIEVED) + dice.whole(0, 40) * DAY
        for count in range(1, 1000):
            at += -(at % DAY) + dice.whole(7, 19) * HOUR + dice.whole(0, 3599)
            if at > person.until - DAY:
                return
            if not person.busy(at - HOUR, at + HOUR):
                yield from self._told(person, at, count, spared=person.named)
            at += dice.whole(pause * 2 // 3, pause * 4 // 3) * DAY

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """A measurement just now."""
        yield from self._told(person, end - 2 * MINUTE, count, spared=True)

    def _should(self, person: Person) -> bool:
        ill = any(key in person.body.since for key in ("hypertension", "diabetes"))
        return ill or person.until - person.life.born > _OLD

    @abstractmethod
    def _said(self, person: Person, at: Moment, count: int, planted: str) -> dict[str, Any]:
        """A message as JSON."""

    def _told(self, person: Person, at: Moment, count: int, *, spared: bool) -> Iterator[Sent]:
        """A message on its way, errors among it."""
        planted = mishap(person.dice, self.shares, spared=spared)
        person.tally[f"sessions.{self.house}"] += 1
        said = self._said(person, at, count, planted)
        raw = orjson.dumps(said).decode().encode(self.about.charset)
        number = f"{self.house.upper()}{person.resident.ordinal:08d}{count:07d}"
        sent = Sent(at + MINUTE, self.source, raw, "DEV", number, person.resident.person)
        if planted in ("garbage", "wrong-charset"):
            half = len(raw) // 2
            broken = raw[:half] + (_NO_CHARSET + raw[half:] if planted != "garbage" else b"")
            yield replace(
                sent,
                raw=broken,
                person="",
                control=f"{number}X",
                planted=planted,
                accepted=False,
            )
            yield replace(sent, at=sent.at + MINUTE)
            return
        yield sent if planted == "resend-same" else replace(sent, planted=planted)
        if planted == "resend-same":
            yield replace(sent, at=sent.at + 3 * MINUTE, planted=planted)


class HealthHut(OwnMeasurements):
    """The huts of all towns, of one maker."""

    about = About(
        source="health-hut",
        house="w",
        title="安澜健康小屋",
        adapter="device",
        mapping="health-hut",
        institution="health-huts",
        institution_title=f"{CITY}社区健康小屋",
        kind="public",
        charset="gb18030",
    )
    channel = Http("device", "application/json", ".json")
    share, every = 0.35, (14, 40)
    shares: ClassVar[Mapping[str, float]] = {
        "unknown-code": 0.02,
        "bad-time": 0.015,
        "wrong-charset": 0.01,
        "garbage": 0.01,
        "resend-same": 0.02,
    }

    def _said(self, person: Person, at: Moment, count: int, planted: str) -> dict[str, Any]:
        dice, resident = person.dice, person.resident
        hut = _HUTS[resident.town]
        high, low, pulse = pressure(person, at)
        tall = (168 if resident.sex == "M" else 157) + resident.ordinal % 9 - 4
        weight = dice.near(tall - 103, 1.2)
        return {
            "流水号": f"AL{digits8(at)}-{resident.ordinal:06d}{count:04d}",
            "设备编号": f"AL-{hut:02d}",
            "设备型号": "HS-6",
            "站点名称": f"{resident.town}健康小屋",
            "姓名": resident.name,
            "性别": "男" if resident.sex == "M" else "女",
            "出生日期": resident.birth.isoformat(),
            "身份证号": resident.number,
            "电话": resident.phone,
            "测量时间": spelt(_LONG_AGO if planted == "bad-time" else at),
            "收缩压": high,
            "舒张压": low,
            "脉搏": pulse,
            "血糖": sugar(person, at),
            "用餐状态": "下午茶后" if planted == "unknown-code" else dice.pick(("空腹", "餐前", "餐后2小时")),
            "身高": tall,
            "体重": round(weight, 1),
            "体温": round(dice.near(36.4, 0.2), 1),
            "血氧": dice.whole(95, 99),
            "体质指数": round(weight / (tall / 100) ** 2, 1),
            "腰围": round(dice.near(86 if resident.sex == "M" else 80, 3)),
        }  # fmt: skip


class HomeMonitors(OwnMeasurements):
    """Pressure and sugar at home: a month's readings at a time, from a gateway."""

    about = About(
        source="home-monitors",
        house="j",
        title="居家监测网关",
        adapter="device",
        mapping="national/device",
        institution="home-monitors",
        institution_title=f"{CITY}居家监测服务平台",
        kind="public",
    )
    channel = Http("device", "application/json", ".json")
    share, every = 0.25, (30, 60)
    shares: ClassVar[Mapping[str, float]] = {
        "unknown-code": 0.03,
        "bad-time": 0.03,
        "garbage": 0.03,
        "resend-same": 0.03,
    }

    def _should(self, person: Person) -> bool:
        return any(key in person.body.since for key in ("hypertension", "diabetes"))

    def _said(self, person: Person, at: Moment, count: int, planted: str) -> dict[str, Any]:
        resident = person.resident
        days = [at - back * DAY for back in (8, 6, 4, 2, 0)]
        readings = [self._pressure(person, day) for day in days]
        if "diabetes" in person.body.since:
            readings += [self._sugar(person, day + 20 * MINUTE) for day in days[::2]]
        if planted == "unknown-code":
            readings[0] = {**readings[0], "type": "0x2BF1", "value": "62", "unit": "%"}
        if planted == "bad-time":
            readings[0]["time"] = moments.aware(_LONG_AGO).isoformat()
        return {
            "person": {
                "idCard": resident.number,
                "name": resident.name,
                "sex": resident.sex,
                "birthDate": resident.birth.isoformat(),
            },
            "site": {"name": "家中"},
            "readings": readings,
        }

    def _pressure(self, person: Person, at: Moment) -> dict[str, Any]:
        high, low, pulse = pressure(person, at)
        return self._reading(person, at, "0x2A35", 0) | {
            "systolic": high, "diastolic": low, "pulse": pulse, "unit": "mmHg",
        }  # fmt: skip

    def _sugar(self, person: Person, at: Moment) -> dict[str, Any]:
        return self._reading(person, at, "0x2A18", 1) | {
            "value": sugar(person, at), "unit": "mmol/L", "meal": "fasting",
        }  # fmt: skip

    def _reading(self, person: Person, at: Moment, kind: str, device: int) -> dict[str, Any]:
        ordinal = person.resident.ordinal
        maker, model = (("星迦", "HM-3"), ("衡石", "GM-2"))[device]
        return {
            "id": f"{ordinal}-{device}-{at}",
            "type": kind,
            "time": moments.aware(at).isoformat(),
            "device": {"id": f"{model}-{ordinal:07d}", "manufacturer": maker, "model": model},
        }


def pressure(person: Person, at: Moment) -> tuple[int, int, int]:
    """A pressure in mmHg and a pulse, as somebody measures who sits quietly."""
    dice, ill = person.dice, person.body.lasting("hypertension", at) >= 0
    high, low = dice.near(139 if ill else 121, 9), dice.near(85 if ill else 75, 6)
    return round(high), round(low), round(dice.near(73, 7))


def sugar(person: Person, at: Moment) -> float:
    """Sugar in mmol/L, as the laboratory would find it."""
    panel = person.body.panel(PANELS["glucose"], person.body.shifts(at))
    return round(float(next(r.value for r in panel if r.item.key == "glu")), 1)
