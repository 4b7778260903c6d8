"""Units of measure: local spellings to UCUM codes, from a table that is data."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from healthhub.terms.forms import half

UCUM = "http://unitsofmeasure.org"
_GREEK = str.maketrans({"µ": "u", "μ": "u", "×": "*", "·": ".", "•": ".", "（": "(", "）": ")"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM unit: its code and how it is written for people."""

    code: str
    shown: str


def spelling(text: str) -> str:
    """The form under which spellings are compared: half-width, no blanks, micro as u; case
    counts, since g and G differ."""
    if not text.isascii():
        text = half(text).translate(_GREEK)
    text = re.sub(r"\s+", "", text)
    return re.sub(r"^[x*]?10[*^]?(?=\d{1,2}/)", "10*", text)


def load(path: Path) -> dict[str, Unit]:
    """Read units.csv: code, shown, spellings (separated by blanks)."""
    table: dict[str, Unit] = {}
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            unit = Unit(row["code"], row["shown"] or row["code"])
            for word in (row["code"], row["shown"], *row["spellings"].split()):
                if word:
                    table.setdefault(spelling(word), unit)
    return table
