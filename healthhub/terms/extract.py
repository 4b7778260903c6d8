"""Make r4.json.zst from the official R4 package: `python -m healthhub.terms.extract TGZ`.

TGZ is that of healthhub.model.r4.extract. Kept are the code systems whose codes R4 lists in full
(its own and those of HL7 v2 and v3) and the value sets that are made of these alone: what names
SNOMED CT, LOINC or DICOM needs codes that the package does not hold, and licences that a hub may
not have.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import zstandard

Json = dict[str, Any]
OUT = Path(__file__).with_name("r4.json.zst")
FOREIGN = ("http://dicom.nema.org/", "http://snomed.info/", "http://loinc.org")
_SYSTEM = ("url", "version", "name", "title", "caseSensitive", "content", "valueSet")
_SET = ("url", "version", "name", "title", "compose")


def main(package: str) -> None:
    """Write r4.json.zst anew."""
    systems: dict[str, Json] = {}
    sets: dict[str, Json] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            held = archive.extractfile(member)
            if held is None or not member.name.startswith(
                ("package/CodeSys", "package/ValueSet")
            ):
                continue
            body = json.load(held)
            into, names = (
                (systems, _SYSTEM) if body["resourceType"] == "CodeSystem" else (sets, _SET)
            )
            kept = {"resourceType": body["resourceType"], "status": body["status"]}
            kept |= {name: body[name] for name in names if name in body}
            if body.get("concept"):
                kept["concept"] = [_concept(one) for one in body["concept"]]
            into[body["url"]] = kept
    known = {
        url: body
        for url, body in systems.items()
        if body.get("content") == "complete" and not url.startswith(FOREIGN) and "|" not in url
    }
    whole = [body for body in sets.values() if _is_whole(body, sets, known)]
    text = json.dumps([*known.values(), *whole], ensure_ascii=False, separators=(",", ":"))
    OUT.write_bytes(zstandard.compress(text.encode(), 19))


def _concept(concept: Json) -> Json:
    kept = {name: concept[name] for name in ("code", "display") if name in concept}
    if concept.get("concept"):
        kept["concept"] = [_concept(one) for one in concept["concept"]]
    return kept


def _is_whole(body: Json, sets: dict[str, Json], systems: dict[str, Json]) -> bool:
    """Whether all that the value set includes is at hand."""
    compose = body.get("compose", {})
    parts = [*compose.get("include", []), *compose.get("exclude", [])]
    return bool(parts) and all(
        ("system" not in part or part["system"] in systems)
        and all(
            url in sets and _is_whole(sets[url], sets, systems)
            for url in part.get("valueSet", [])
        )
        for part in parts
    )


if __name__ == "__main__":
    main(sys.argv[1])
