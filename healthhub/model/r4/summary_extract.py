"""Make summary.json from the official R4 package: `python -m healthhub.model.r4.summary_extract TGZ`.

TGZ as for ``extract``. The outcome: type -> [elements of the summary, elements that are
mandatory], one line a type; the types are resources, data types, and their parts by path.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("summary.json")
Elements = dict[str, list[list[str]]]


def main(package: str) -> None:
    """Write summary.json anew."""
    types: Elements = {}
    with tarfile.open(package) as archive:
        for member in archive:
            held = archive.extractfile(member)
            if held is None or not member.name.startswith("package/StructureDef"):
                continue
            structure = json.load(held)
            kind = structure["kind"]
            if structure.get("derivation") != "constraint" and kind in (
                "resource",
                "complex-type",
            ):
                _add(structure, types)
    rows = (
        f"{json.dumps(name)}: {json.dumps(found, separators=(',', ':'))}"
        for name, found in sorted(types.items())
    )
    OUT.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def _add(structure: dict[str, Any], types: Elements) -> None:
    for element in structure["snapshot"]["element"][1:]:
        owner, _, name = element["path"].rpartition(".")
        summary, mandatory = types.setdefault(owner, [[], []])
        names = [name]
        if name.endswith("[x]"):
            stem = name.removesuffix("[x]")
            names = [stem + t["code"][0].upper() + t["code"][1:] for t in element["type"]]
        if element.get("isSummary"):
            summary += names
        if element["min"] > 0:
            mandatory += names


if __name__ == "__main__":
    main(sys.argv[1])
