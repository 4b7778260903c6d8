"""Rewrites the expectations from what the mapping yields now: python tests/corpora/accept.py.

Run it only after a change of the mapping that is meant, and read the difference as a person would
read the messages: what stands in these files is what the hub promises.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from corpora import EXPECTATIONS, FOLDER, convert
from telling import tell

FAMILIES = {
    "adt": (r"ADT", "Admission, transfer, discharge and persons"),
    "finance": (r"BAR|DFT", "Accounts and charges"),
    "orders": (r"OM|LAB-ORM|MDHHS|ORM", "Orders"),
    "results": (r"ORU|LAB-ORU|LRI|OUL", "Results"),
    "medication-and-vaccination": (r"RD|VXU|IZ", "Medicines and vaccinations"),
    "problems": (r"PC1", "Problem lists"),
    "china": (
        r"[a-z]",
        "Layouts of Chinese hospitals, read by the base mapping without a dialect",
    ),
}
HEAD = "# {}: what each message must yield. [0] is a mention, [2] a correction.\n"


def main() -> None:
    """Convert all messages and write one file for each family."""
    families: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES}
    for path in sorted(FOLDER.glob("hl7v2-*/*.hl7")):
        name = path.name.removesuffix(".hl7")
        if not name.endswith("gb18030"):
            family = next(f for f, (pattern, _) in FAMILIES.items() if re.match(pattern, name))
            families[family][name] = tell(convert(path))
    for family, told in families.items():
        text = yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=10**6)
        head = HEAD.format(FAMILIES[family][1])
        (EXPECTATIONS / f"{family}.yaml").write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    main()
