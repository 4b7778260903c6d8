"""Make invariants.json of the R4 package: `python -m healthhub.model.r4.invariants_extract TGZ`.

TGZ is that of ``extract``. The outcome: ``rules``, key -> [severity, sentence, FHIRPath], and
``places``, path of a type or element -> keys. A key that R4 uses for two rules (inv-1) gets the
path of the second behind it. Left out are the rules of UNSUITED.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("invariants.json")
UNSUITED = {
    "ele-1": "an element has a value or children: model.r4.shape refuses empty objects",
    "ext-1": "an extension has a value or extensions: the models refuse both",
    "dom-3": "contained resources are referred to: FHIRPath's descendants() would walk each body "
    "many times; model.r4.invariants has it in Python",
    "dom-6": "a narrative should be there: a recommendation that no feed of a hospital meets",
    "eld-19": "characters of a path: forbids what R4's own definitions hold",
    "eld-20": "characters of a path: forbids what R4's own definitions hold",
    "ctm-1": "who a care team's member is: resolve() would have to read other resources",
    "txt-1": "the XHTML of a narrative: needs htmlChecks(); model.r4.narrative has it in Python",
    "txt-2": "the XHTML of a narrative: needs htmlChecks(); model.r4.narrative has it in Python",
}
"""Rules that are not evaluated as FHIRPath, and why."""
REWRITTEN = {
    ".hasValue()": ".exists()",  # fhirpathpy has no hasValue(); a primitive without is rare
    "low <= high": "low.value <= high.value",  # it compares no quantities; rng-2 wants one unit
    "answer is Boolean": "answer is boolean",
}
"""Parts of expressions as fhirpathpy reads them, with the meaning that they have in R4."""


def main(package: str) -> None:
    """Write invariants.json anew."""
    rules: dict[str, list[str]] = {}
    places: dict[str, list[str]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            held = archive.extractfile(member)
            if held is None or not member.name.startswith("package/StructureDef"):
                continue
            body = json.load(held)
            if body["kind"] in ("resource", "complex-type") and (
                body.get("derivation") != "constraint"
            ):
                _add(body, rules, places)
    lines = [
        '{"rules": {',
        ",\n".join(
            f"{json.dumps(key)}: {json.dumps(row)}" for key, row in sorted(rules.items())
        ),
        '},\n"places": {',
        ",\n".join(
            f"{json.dumps(at)}: {json.dumps(keys)}" for at, keys in sorted(places.items())
        ),
        "}}\n",
    ]
    OUT.write_text("\n".join(lines), encoding="utf-8")


def _add(
    body: dict[str, Any], rules: dict[str, list[str]], places: dict[str, list[str]]
) -> None:
    for element in body["snapshot"]["element"]:
        for rule in element.get("constraint", []):
            key = rule["key"]
            if key in UNSUITED or "expression" not in rule:
                continue
            expression = rule["expression"]
            for part, other in REWRITTEN.items():
                expression = expression.replace(part, other)
            row = [rule["severity"], rule["human"], expression]
            if rules.setdefault(key, row) != row:
                key = f"{key} {element['path']}"
                rules[key] = row
            at = places.setdefault(element["path"], [])
            if key not in at:
                at.append(key)


if __name__ == "__main__":
    main(sys.argv[1])
