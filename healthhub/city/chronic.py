"""Illnesses that stay: who has them, how they are followed, what they lead to."""

from __future__ import annotations

from collections.abc import Iterator

from healthhub.city.body import YEAR, Body
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, Moment
from healthhub.city.occasions import Occasion, any_hour, consulting_hour, day_number
from healthhub.city.people import Resident

# Share of people who have it by the end, for ages under 45, 45 to 64, and 65 and over.
PREVALENCE = {
    "hypertension": (0.04, 0.30, 0.54),
    "diabetes": (0.015, 0.12, 0.21),
    "lipids": (0.04, 0.20, 0.26),
    "kidney": (0.004, 0.03, 0.09),
    "chd": (0.001, 0.05, 0.17),
    "copd": (0.001, 0.03, 0.10),
    "hepatitis_b": (0.03, 0.05, 0.04),
    "gout": (0.01, 0.03, 0.03),
    "anaemia": (0.03, 0.02, 0.04),
    "fatty_liver": (0.06, 0.16, 0.12),
    "cancer": (0.001, 0.006, 0.016),
}

DRUGS = {
    "hypertension": ("amlodipine", "valsartan", "metoprolol"),
    "diabetes": ("metformin", "gliclazide", "dapagliflozin", "acarbose"),
    "lipids": ("atorvastatin",),
    "kidney": ("furosemide",),
    "chd": ("aspirin", "metoprolol"),
    "copd": ("tiotropium", "salbutamol"),
    "hepatitis_b": ("entecavir",),
    "gout": ("febuxostat",),
    "anaemia": ("iron",),
}

_DEPARTMENT = {
    "hypertension": "cardiology",
    "chd": "cardiology",
    "diabetes": "endocrine",
    "lipids": "endocrine",
    "gout": "endocrine",
    "kidney": "nephrology",
    "copd": "respiratory",
    "hepatitis_b": "gastro",
    "fatty_liver": "gastro",
    "anaemia": "general",
    "cancer": "oncology",
}
_PANELS = {
    "hypertension": ("kidney", "electrolyte"),
    "diabetes": ("glucose", "a1c"),
    "lipids": ("lipid",),
    "kidney": ("kidney", "urine", "cbc"),
    "chd": ("lipid", "liver"),
    "copd": ("cbc",),
    "hepatitis_b": ("liver", "hbv"),
    "gout": ("kidney",),
    "anaemia": ("cbc",),
    "fatty_liver": ("liver",),
    "cancer": ("tumour", "cbc"),
}
# Cause of a stay in bed: illness, yearly rate, complaint, diagnosis, panels, days.
_STAYS = (
    ("chd", 0.06, "胸闷、胸痛加重1天", "angina", ("cardiac", "cbc", "lipid", "kidney"), 7),
    ("copd", 0.22, "咳喘加重3天", "copd", ("cbc", "crp", "electrolyte", "liver"), 9),
    (
        "diabetes",
        0.06,
        "口干、多饮加重1周",
        "diabetes",
        ("glucose", "a1c", "kidney", "urine"),
        8,
    ),
    ("kidney", 0.08, "双下肢水肿1周", "ckd4", ("kidney", "electrolyte", "cbc", "urine"), 10),
)


def strike(dice: Dice, resident: Resident, body: Body, until: Moment, age: int) -> None:
    """Decide which lasting illnesses the resident gets, since when, and whether treated."""
    band = 0 if age < 45 else 1 if age < 65 else 2
    if age < 20:
        return
    for key, shares in PREVALENCE.items():
        share = shares[band]
        if key == "gout" and resident.sex == "F":
            share *= 0.15
        if key == "anaemia" and resident.sex == "M":
            share *= 0.2
        if key == "kidney" and ("diabetes" in body.since or "hypertension" in body.since):
            share *= 2.2
        if dice.chance(share):
            begin(body, key, until - int((0.1 + dice.random() * (age - 19) * 0.25) * YEAR))


def begin(body: Body, key: str, since: Moment) -> None:
    """The illness is found on a day and treated a week later."""
    body.since[key] = since
    body.treated[key] = since + 7 * DAY


def diagnosis(key: str, body: Body, at: Moment) -> str:
    """The catalogue's diagnosis for a lasting illness as it stands."""
    if key == "kidney":
        years = body.lasting(key, at)
        return "ckd2" if years < 0.8 else "ckd3" if years < 4 else "ckd4"
    if key == "cancer":
        return "lung_cancer" if body.severity < 0.5 else "colon_cancer"
    return key


def medicines(body: Body, present: list[str]) -> tuple[str, ...]:
    """What the resident takes: one drug for each illness, two where it is hard."""
    chosen: list[str] = []
    for key in present:
        options = DRUGS.get(key, ())
        if options:
            first = int(body.severity * len(options)) % len(options)
            chosen.append(options[first])
            if body.severity > 0.55 and len(options) > 1:
                chosen.append(options[(first + 1) % len(options)])
    return tuple(dict.fromkeys(chosen))


def check_ups(
    dice: Dice, body: Body, begin_at: Moment, until: Moment, pause: float
) -> Iterator[Occasion]:
    """Out-patient control of all lasting illnesses together, every ``pause`` days or so."""
    if not body.since:
        return
    at = max(begin_at, min(body.since.values())) + int(dice.random() * 0.5 * pause) * DAY
    turn = 0
    while at < until:
        present = [
            key for key, since in body.since.items() if since <= at and key != "pregnancy"
        ]
        if present:
            lead = present[turn % len(present)]
            panels = _PANELS[lead]
            if turn % 4 == 3:
                panels = (*panels, *(p for p in _PANELS[present[0]] if p not in panels))
            yield Occasion(
                consulting_hour(dice, day_number(at)),
                "O",
                _DEPARTMENT[lead],
                "慢性病复诊开药",
                tuple(dict.fromkeys(diagnosis(key, body, at) for key in (lead, *present)))[:4],
                panels,
                medicines(body, present),
                28,
            )
            turn += 1
        at += int(dice.near(pause, pause / 5)) * DAY


def stays(dice: Dice, body: Body, begin_at: Moment, until: Moment) -> Iterator[Occasion]:
    """Admissions that lasting illnesses lead to."""
    for key, rate, complaint, found, panels, days in _STAYS:
        since = body.since.get(key)
        if since is None:
            continue
        first = max(begin_at, since)
        years = (until - first) / YEAR
        for _ in range(_cases(dice, rate * years)):
            day = day_number(first + int(dice.random() * (until - first)))
            present = [k for k, s in body.since.items() if s <= day * DAY]
            yield Occasion(
                any_hour(dice, day),
                "I",
                _DEPARTMENT[key],
                complaint,
                tuple(
                    dict.fromkeys((found, *(diagnosis(k, body, day * DAY) for k in present)))
                )[:5],
                panels,
                medicines(body, present),
                14,
                "heart_us" if key == "chd" else "chest_xray",
                stay=days + dice.whole(-2, 4),
                shifts={"tni": 0.3, "ntbnp": 700.0, "crp": 8.0},
            )


def cancer_care(dice: Dice, body: Body, begin_at: Moment, until: Moment) -> Iterator[Occasion]:
    """Diagnosis, operation and courses of chemotherapy."""
    since = body.since.get("cancer")
    if since is None:
        return
    kind = diagnosis("cancer", body, since)
    lobe = kind == "lung_cancer"
    steps = [(0, (kind,), "lobe" if lobe else "colon", 12)]
    steps += [(30 + 21 * n, ("chemotherapy", kind), "", 4) for n in range(dice.whole(3, 6))]
    for days, found, operation, stay in steps:
        at = since + days * DAY
        if begin_at <= at < until:
            yield Occasion(
                consulting_hour(dice, day_number(at)),
                "I",
                "oncology" if days else "surgery",
                "咳嗽、痰中带血1月" if lobe else "腹痛伴便血1月",
                found,
                ("cbc", "liver", "kidney", "tumour", "coagulation")[: 3 if days else 5],
                ("oxaliplatin", "capecitabine") if days else ("ceftriaxone",),
                5,
                "" if days or not lobe else "chest_mass",
                stay=stay,
                operation=operation,
                shifts={"wbc": -2.4} if days else {},
            )


def _cases(dice: Dice, expected: float) -> int:
    """How many cases fall into a stretch of time: a Poisson number, by counting throws."""
    count, left = 0, expected
    while left > 0 and count < 12:
        if dice.chance(min(left, 1.0) * 0.75):
            count += 1
        left -= 0.75
    return count
