"""The code tables of the mappings as FHIR ConceptMaps, so that a client can ask for them."""

from __future__ import annotations

from typing import Any

from healthhub.mapping.definition import Code, CodeTable, Definition
from healthhub.mapping.library import Library
from healthhub.mapping.overlay import fill, stamped
from healthhub.model.code_maps import Overlay
from healthhub.model.resource import Body

ADDRESS = "https://healthhub.dev/fhir/ConceptMap/"


def concept_maps(library: Library, overlay: Overlay) -> dict[str, Body]:
    """Each table of each mapping by its address, with what people have mapped; of a dialect
    only what differs from its base."""
    found: dict[str, Body] = {}
    for name in library.names():
        definition = library.definition(name)
        base = library.definition(definition.extends).codes if definition.extends else {}
        filled = fill(definition, library.lineage(name), overlay)
        for table in definition.codes.values():
            if table.name in filled or (table.entries and base.get(table.name) != table):
                body = _map(definition, filled.get(table.name, table))
                found[body["url"]] = body
    return found


def _map(definition: Definition, table: CodeTable) -> Body:
    place = f"{definition.name.replace('/', '-')}-{table.name}"
    groups: dict[str, list[Body]] = {}
    for source, code in table.entries.items():
        groups.setdefault(code.system or table.system, []).append(_element(source, code))
    # Codes without a system of their own are those of the table, as the mapping writes them.
    source = table.source_system or f"urn:healthhub:codes:{definition.name}:{table.name}"
    return {
        "resourceType": "ConceptMap",
        "id": place[:64],
        "url": ADDRESS + place,
        "version": stamped(definition.version, table),
        "name": place,
        "title": f"{definition.title or definition.name}: {table.name}",
        "status": "active",
        "group": [_group(source, target, elements) for target, elements in groups.items()],
    }


def _group(source: str, target: str, elements: list[Body]) -> Body:
    made: dict[str, Any] = {"source": source, "element": elements}
    return {"source": source, "target": target, "element": elements} if target else made


def _element(source: str, code: Code) -> Body:
    """A mapping says where a code goes, and not how close the two meanings are: relatedto."""
    if not code.code:
        return {"code": source, "target": [{"equivalence": "unmatched"}]}
    target: Body = {"code": code.code, "equivalence": "relatedto"}
    if code.display:
        target["display"] = code.display
    return {"code": source, "target": [target]}
