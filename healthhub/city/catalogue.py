"""What the city's hospitals know how to do: tests, diagnoses, drugs, vaccines, from the CSVs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Item:
    """One laboratory test. Pairs are (men, women).

    ``digits`` -1 marks a textual result: ``usual`` is what healthy people show, ``expected``
    the printed reference.
    """

    key: str
    name: str
    short: str
    code_a: str
    code_b: str
    loinc: str
    unit: str
    digits: int
    mean: tuple[float, float]
    spread: float
    low: tuple[float, float]
    high: tuple[float, float]
    usual: str
    expected: str

    def range(self, sex: str) -> tuple[str, str]:
        """The reference limits as the laboratory prints them for a sex (``M``, ``F``)."""
        side = sex == "F"
        form = "%g"
        return form % self.low[side], form % self.high[side]


@dataclass(frozen=True, slots=True)
class Panel:
    """A group of tests that is ordered and reported together; ``hours`` until its report."""

    key: str
    name: str
    code_a: str
    code_b: str
    loinc: str
    specimen: str
    specimen_code: str
    hours: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis by its code in the insurance edition of ICD-10."""

    key: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine as it is ordered."""

    key: str
    code_a: str
    code_b: str
    name: str
    spec: str
    form: str
    dose: str
    unit: str
    route: str
    frequency: str
    quantity: str
    pack: str


@dataclass(frozen=True, slots=True)
class Vaccine:
    """A vaccine of the national programme; ``days`` of age at which each dose is due."""

    key: str
    code: str
    name: str
    site: str
    way: str
    days: tuple[int, ...]


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float:
    return float(text) if text else 0.0


def _item(row: dict[str, str]) -> Item:
    textual = row["digits"] == "t"
    return Item(
        key=row["key"],
        name=row["name"],
        short=row["short"],
        code_a=row["code_a"],
        code_b=row["code_b"],
        loinc=row["loinc"],
        unit=row["unit"],
        digits=-1 if textual else int(row["digits"]),
        mean=(0.0, 0.0) if textual else (_number(row["mean_m"]), _number(row["mean_f"])),
        spread=0.0 if textual else _number(row["spread"]),
        low=(0.0, 0.0) if textual else (_number(row["low_m"]), _number(row["low_f"])),
        high=(0.0, 0.0) if textual else (_number(row["high_m"]), _number(row["high_f"])),
        usual=row["mean_m"] if textual else "",
        expected=row["low_m"] if textual else "",
    )


def _items() -> dict[str, tuple[str, Item]]:
    return {row["key"]: (row["panel"], _item(row)) for row in _rows("items.csv")}


_BY_PANEL = _items()
ITEMS: dict[str, Item] = {key: item for key, (_, item) in _BY_PANEL.items()}
PANELS: dict[str, Panel] = {
    row["key"]: Panel(
        row["key"],
        row["name"],
        row["code_a"],
        row["code_b"],
        row["loinc"],
        row["specimen"],
        row["specimen_code"],
        int(row["hours"]),
        tuple(item for panel, item in _BY_PANEL.values() if panel == row["key"]),
    )
    for row in _rows("panels.csv")
}
DIAGNOSES: dict[str, Diagnosis] = {
    row["key"]: Diagnosis(row["key"], row["code"], row["name"])
    for row in _rows("diagnoses.csv")
}
DRUGS: dict[str, Drug] = {row["key"]: Drug(**row) for row in _rows("drugs.csv")}
VACCINES: dict[str, Vaccine] = {
    row["key"]: Vaccine(
        row["key"],
        row["code"],
        row["name"],
        row["site"],
        row["way"],
        tuple(int(day) for day in row["days"].split()),
    )
    for row in _rows("vaccines.csv")
}
