"""A resident's story: every visit of a stretch of years, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from healthhub.city import chronic, moments
from healthhub.city.body import YEAR, Body
from healthhub.city.catalogue import VACCINES
from healthhub.city.dice import Dice, Weighted
from healthhub.city.illnesses import AGES, ILLNESSES, Illness
from healthhub.city.moments import DAY, HOUR, MINUTE
from healthhub.city.occasions import Occasion, any_hour, consulting_hour, day_number, held
from healthhub.city.people import Family, Resident
from healthhub.city.places import STAFF
from healthhub.city.visits import Allergy, Dose, Visit

_HABITS: Weighted[tuple[float, float]] = Weighted(
    [((0.96, 0.99), 38), ((0.02, 0.96), 28), ((0.5, 0.95), 26), ((0.1, 0.3), 8)]
)
"""Chances of going to house A, and to A or B; what is left goes to C."""

ALLERGIES = (
    Allergy("P01", "青霉素", "DA", "皮疹"),
    Allergy("P02", "头孢菌素类", "DA", "皮疹、瘙痒"),
    Allergy("P03", "磺胺类", "DA", "剥脱性皮炎"),
    Allergy("F01", "海鲜", "FA", "荨麻疹"),
    Allergy("F02", "鸡蛋", "FA", "腹泻"),
    Allergy("E01", "花粉", "EA", "鼻炎"),
    Allergy("D01", "碘对比剂", "DA", "呼吸困难"),
)
_MAKERS = ("泽生生物制品有限公司", "华康疫苗有限公司", "安普生物股份有限公司")


class Life:
    """Visits of one resident between two days. The named patient's illnesses are given."""

    def __init__(self, seed: int, family: Family, resident: Resident, begin: date, until: date):
        self.dice = dice = Dice(seed, "life", resident.ordinal)
        self.resident, self.family = resident, family
        self.until = moments.of(until)
        self.born = moments.of(resident.birth)
        self.begin = max(moments.of(begin), self.born)
        self.age = resident.age(until)
        self.body = Body(dice, resident)
        self.habit = dice.weighed(_HABITS)
        self.pause = dice.near(115, 30)
        if family.index == 0:
            self._given()
        else:
            chronic.strike(dice, resident, self.body, self.until, self.age)
        self.allergy = dice.pick(ALLERGIES) if dice.chance(0.07) else None
        if family.index == 0 and resident.role == "head":
            self.allergy = ALLERGIES[0]

    def _given(self) -> None:
        """The couple of family 0: three lasting illnesses each, cared for at A and B alike."""
        self.habit, self.pause = (0.5, 1.0), 70.0
        for key, years in (
            ("hypertension", 9.0),
            ("diabetes", 2.4),
            ("lipids", 2.2),
            ("kidney", 1.2),
        )[: 4 if self.resident.role == "head" else 3]:
            chronic.begin(self.body, key, self.until - int(years * YEAR))
        self.body.severity = 0.62

    def visits(self) -> list[Visit]:
        """All visits, in order; none begins while the resident lies in bed elsewhere, and all are
        over a day before the story ends."""
        occasions = sorted(self._occasions(), key=lambda occasion: occasion.start)
        counts = {"a": 0, "b": 0, "c": 0}
        visits: list[Visit] = []
        busy, last = 0, self.until - DAY
        for turn, occasion in enumerate(occasions):
            if occasion.start < busy + HOUR or occasion.start < self.begin:
                continue
            house = self._house(occasion, turn)
            counts[house] += 1
            visit = held(occasion, house, counts[house], self.resident, self.body, self.dice)
            if max([visit.end, *(report.reported for report in visit.reports)]) > last:
                counts[house] -= 1
                continue
            busy = visit.end
            visits.append(visit)
        return visits

    def _house(self, occasion: Occasion, turn: int) -> str:
        if occasion.house:
            return occasion.house
        if self.family.index == 0:
            return "ab"[turn % 2]
        throw = self.dice.random()
        house = "a" if throw < self.habit[0] else "b" if throw < self.habit[1] else "c"
        return "a" if house == "c" and occasion.kind in "IE" else house

    def _occasions(self) -> Iterator[Occasion]:
        dice, begin, until = self.dice, self.begin, self.until
        if self.resident.birth >= moments.day_of(begin) and self.resident.role == "child":
            yield from self._birth()
        if self.age <= 6 or self.born > begin:
            yield from self._doses()
        yield from chronic.check_ups(dice, self.body, begin, until, self.pause)
        yield from chronic.stays(dice, self.body, begin, until)
        yield from chronic.cancer_care(dice, self.body, begin, until)
        yield from self._acute()
        for child in self.family.members:
            if child.mother == self.resident.person and not child.twin:
                yield from self._pregnancy(child)

    def _acute(self) -> Iterator[Occasion]:
        dice, span = self.dice, (self.until - self.begin) / YEAR
        band = next(n for n, end in enumerate(AGES) if self.age < end)
        for illness in ILLNESSES:
            rate = illness.rates[band] * span
            if illness.sex and illness.sex != self.resident.sex:
                continue
            while rate > 0:
                if dice.random() < rate:
                    day = day_number(
                        self.begin + int(dice.random() * (self.until - self.begin))
                    )
                    yield self._occasion(illness, day)
                rate -= 1

    def _occasion(self, illness: Illness, day: int) -> Occasion:
        dice = self.dice
        child = day * DAY - self.born < 14 * YEAR
        stay = illness.stay and max(3, illness.stay + dice.whole(-2, 3))
        kind = "I" if stay else "E" if illness.emergency else "O"
        department = illness.department
        if child and department in ("general", "respiratory", "gastro"):
            department = "paediatrics"
        return Occasion(
            any_hour(dice, day) if kind != "O" else consulting_hour(dice, day),
            "T" if illness.key == "checkup" else kind,
            department,
            illness.complaint,
            (illness.key,),
            illness.panels,
            illness.child_drugs if child and illness.child_drugs else illness.drugs,
            illness.days,
            illness.study,
            stay,
            illness.operation,
            illness.shifts,
        )

    def _birth(self) -> Iterator[Occasion]:
        """The newborn's own stay, in the house where the mother lies."""
        dice = self.dice
        twins = any(m.twin == self.resident.person for m in self.family.members)
        found = "newborn_twin" if twins or self.resident.twin else "newborn"
        ill = dice.chance(0.3)
        yield Occasion(
            self.born + 10 * HOUR + dice.whole(0, 90) * MINUTE,
            "I",
            "neonatal",
            "出生后观察",
            (found, "jaundice") if ill else (found,),
            ("cbc", "liver") if ill else ("cbc",),
            stay=dice.whole(3, 6),
            shifts={"wbc": 7.0, "hgb": 35.0, "tbil": 150.0 if ill else 40.0},
            house="a",
        )

    def _pregnancy(self, child: Resident) -> Iterator[Occasion]:
        """Antenatal visits and the delivery of a child born within the story."""
        dice, birth = self.dice, moments.of(child.birth)
        if not self.begin <= birth < self.until:
            return
        chronic.begin(self.body, "pregnancy", birth - 250 * DAY)
        plan = ((-220, ("cbc", "urine", "hbv", "hcg")), (-160, ("cbc", "liver")),
                (-110, ("glucose", "cbc")), (-60, ("cbc", "urine")), (-20, ("cbc", "coagulation")))  # fmt: skip
        for days, panels in plan:
            at = birth + (days + dice.whole(-6, 6)) * DAY
            if at >= self.begin:
                yield Occasion(
                    consulting_hour(dice, day_number(at)),
                    "O",
                    "obstetrics",
                    "孕期产前检查",
                    ("pregnancy",),
                    panels,
                    ("folic",) if days < -150 else ("iron",),
                    30,
                    "obstetric_us",
                    house="c" if days > -200 and self.habit[1] < 0.97 else "a",
                )
        surgical = dice.chance(0.42)
        yield Occasion(
            birth + dice.whole(0, 5) * HOUR,
            "I",
            "obstetrics",
            "停经39周，下腹胀痛2小时",
            ("caesarean" if surgical else "birth",),
            ("cbc", "coagulation", "hbv"),
            ("cefuroxime",) if surgical else (),
            3,
            stay=5 if surgical else 3,
            operation="caesarean" if surgical else "",
            house="a",
        )

    def _doses(self) -> Iterator[Occasion]:
        """Vaccines due within the story, at the hospital's clinic or the maternity centre."""
        dice = self.dice
        clinic = "a" if dice.chance(0.5) else "c"
        due: dict[int, list[tuple[str, int]]] = {}
        for vaccine in VACCINES.values():
            for number, days in enumerate(vaccine.days, 1):
                due.setdefault(days, []).append((vaccine.key, number))
        late = dice.whole(0, 12)
        for days, doses in sorted(due.items()):
            at = self.born + (days + (late if days > 2 else 0)) * DAY
            if days <= 2 or not self.begin <= at < self.until:
                continue
            start = consulting_hour(dice, day_number(at))
            nurse = dice.pick(STAFF[clinic]["prevention"])
            yield Occasion(
                start, "O", "prevention", "预防接种", (), house=clinic,
                doses=tuple(
                    Dose(VACCINES[key], number, start + 9 * MINUTE,
                         f"{moments.digits8(start)[2:6]}{dice.whole(10, 99)}", dice.pick(_MAKERS), nurse)
                    for key, number in doses
                ),
            )  # fmt: skip


def span(until: date, years: int) -> date:
    """The first day of a story of so many years."""
    return until - timedelta(days=round(years * 365.25))
