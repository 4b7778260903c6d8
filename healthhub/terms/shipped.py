"""Conformance resources that come with the hub: R4's own terminology, and the national folder's.

``r4.json.zst`` beside this file holds code systems and value sets of R4 (``extract`` makes it);
mappings/national/profiles/*.json the hub's profiles and national code systems.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import zstandard

from healthhub.errors import MappingError
from healthhub.terms import lists
from healthhub.terms.code_system import CodeSystem

Body = dict[str, Any]
Key = tuple[str, str]
_R4 = Path(__file__).with_name("r4.json.zst")


@lru_cache(maxsize=1)
def of_r4() -> Mapping[Key, Body]:
    """R4's code systems and value sets by (resource type, address)."""
    with _R4.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as text:
        return MappingProxyType(
            {(body["resourceType"], body["url"]): body for body in json.loads(text.read())}
        )


@lru_cache(maxsize=4)
def of_nation(mappings: Path) -> Mapping[Key, Body]:
    """The resources of mappings/national/profiles by (resource type, address)."""
    found: dict[Key, Body] = {}
    for path in sorted((mappings / "national" / "profiles").glob("*.json")):
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            found[body["resourceType"], body["url"]] = body
        except (ValueError, KeyError, TypeError):
            raise MappingError(
                f"{path.name} in national/profiles is no FHIR resource in JSON with a url; "
                "correct it or take it out",
                expression=path.name,
            ) from None
    return MappingProxyType(found)


@lru_cache(maxsize=256)
def system(url: str, mappings: Path) -> CodeSystem | None:
    """A code system that the hub ships, read once."""
    key = ("CodeSystem", url)
    body = of_nation(mappings).get(key) or of_r4().get(key)
    return lists.system(url, mappings) if body is None else CodeSystem(body)


def profiles(resource_type: str, mappings: Path) -> list[str]:
    """The addresses of the profiles of a resource type that the hub ships."""
    return [
        url
        for (kind, url), body in of_nation(mappings).items()
        if kind == "StructureDefinition" and body["type"] == resource_type
    ]
