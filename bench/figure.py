"""A measured figure, and the two places where figures are kept."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
SHARE = "of 1"
"""The unit of a share: what matters of it can stand in the fifth place."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a dotted name, its value and unit, and the conditions it was taken under."""

    name: str
    value: float
    unit: str
    conditions: str

    def shown(self) -> str:
        """The value as people read it: small ones with two places, shares of one with five."""
        if self.unit == SHARE:
            return f"{self.value:.5f}"
        return f"{self.value:,.2f}" if self.value < 10 else f"{self.value:,.1f}"


def machine() -> str:
    """The conditions that all figures of a run share."""
    import os

    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def keep(figures: list[Figure]) -> None:
    """Write the figures to bench/results.json and docs/performance.md, in place of those of the
    same name; what was not measured this time (growth, as a rule) stays."""
    groups = {figure.name.split(".")[0] for figure in figures}
    fresh = {figure.name for figure in figures}
    kept: list[Figure] = []
    if RESULTS.exists():
        known = json.loads(RESULTS.read_text(encoding="utf-8"))
        kept = [Figure(**row) for row in known if row["name"] not in fresh]
    figures = kept + figures
    rows = [asdict(figure) for figure in figures]
    RESULTS.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for group in sorted(groups):
        table = ["| figure | value | unit | conditions |", "|---|---:|---|---|"]
        table += [
            f"| `{f.name}` | {f.shown()} | {f.unit} | {f.conditions.replace('|', chr(92) + '|')} |"
            for f in figures
            if f.name.startswith(group + ".")
        ]
        begin, end = f"<!-- {group} -->", f"<!-- /{group} -->"
        block = "\n".join([begin, *table, end])
        if begin in page:
            page = re.sub(
                f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, b=block: b, page, flags=re.S
            )
        else:
            page += f"\n## {group}\n{block}\n"
    PAGE.write_text(page, encoding="utf-8")
