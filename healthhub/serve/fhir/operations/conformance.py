"""Conformance resources at hand for one request: what is stored here, else what the hub ships.

Definitions refer to one another; the store is asked step by step for all that a definition needs
(``profiles``, ``value_sets``), and the judgement then runs without waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request

from healthhub.errors import NotFound
from healthhub.mapping.code_maps import concept_maps
from healthhub.mapping.library import Library
from healthhub.model import profiles
from healthhub.model.code_maps import Overlay
from healthhub.model.profiles.tree import CORE
from healthhub.model.resource import Body
from healthhub.serve.fhir.asked import Asked
from healthhub.terms import lists, shipped, value_set
from healthhub.terms.code_system import CodeSystem
from healthhub.terms.value_set import CannotExpand, Shelf

MOST = 500
"""Definitions that one request may draw in."""


class Conformance:
    """Finds CodeSystems, ValueSets, ConceptMaps and StructureDefinitions by address."""

    def __init__(self, request: Request, ask: Asked) -> None:
        self._ask = ask
        self._mappings = request.app.state.settings.mappings_dir
        self._stored: dict[tuple[str, str], Body | None] = {}
        self._systems: dict[str, CodeSystem | None] = {}
        self._tables: Mapping[str, Body] = {}
        self._codes: dict[str, frozenset[tuple[str, str]] | None] = {}

    async def find(self, type_: str, url: str) -> Body | None:
        """The resource with this canonical address (``url`` or ``url|version``)."""
        key = (type_, url)
        if type_ == "ConceptMap":
            await self._code_tables()
        if key not in self._stored and len(self._stored) < MOST:
            self._stored[key] = await self._in_store(type_, url)
        return self.have(type_, url)

    async def need(self, type_: str, url: str) -> Body:
        """The same; NotFound when there is none."""
        found = await self.find(type_, url)
        if found is None:
            raise NotFound(f"the hub has no {type_} {url[:200]}; store it here first")
        return found

    def have(self, type_: str, url: str) -> Body | None:
        """The resource, of those asked for so far and those shipped."""
        stored = self._stored.get((type_, url))
        if stored is not None:
            return stored
        bare, _, version = url.partition("|")
        key = (type_, bare)
        found = shipped.of_nation(self._mappings).get(key)
        if found is None and type_ in ("CodeSystem", "ValueSet"):
            found = shipped.of_r4().get(key)
        if found is None and type_ in ("CodeSystem", "ConceptMap"):
            found = lists.head(type_, bare, self._mappings)
        if found is None and type_ == "ConceptMap":
            found = self._tables.get(bare)
        return found if found is None or _is_version(found, version) else None

    async def maps(self) -> list[Body]:
        """All concept maps: those stored, then those of the mappings."""
        page = await self._ask.door.search(
            self._ask.who, self._ask.why, "ConceptMap", [("_count", str(MOST))], self._ask.base
        )
        stored = [orjson.loads(one.json) for one in page.matches]
        known = {body.get("url") for body in stored}
        rest = {entry.url: entry.head for entry in lists.maps(self._mappings)}
        rest |= await self._code_tables()
        return [*stored, *(body for url, body in rest.items() if url not in known)]

    async def _code_tables(self) -> Mapping[str, Body]:
        """The code tables of the mappings, with what people have mapped by now."""
        overlay = await self._ask.door.code_maps()
        self._tables = _code_tables(self._mappings, overlay)
        return self._tables

    async def value_sets(self, definitions: Iterable[Body]) -> None:
        """Fetch what the value sets are made of, however many steps away."""
        waiting = list(definitions)
        seen: set[str] = set()
        while waiting:
            systems, others = value_set.canonicals(waiting.pop())
            for url in systems - seen:
                await self.find("CodeSystem", url)
            for url in others - seen:
                found = await self.find("ValueSet", url)
                if found is not None:
                    waiting.append(found)
            seen |= systems | others

    async def profiles(self, urls: Iterable[str]) -> None:
        """Fetch profiles with their bases, extensions, data types and required value sets."""
        waiting, seen = list(urls), set[str]()
        while waiting:
            url = waiting.pop()
            if url in seen or (
                url.startswith(CORE) and self.have("StructureDefinition", url) is None
            ):
                continue
            seen.add(url)
            found = await self.find("StructureDefinition", url)
            if found is None:
                continue
            others, sets = _named_in(found)
            waiting += others
            for one in sets:
                body = await self.find("ValueSet", one)
                if body is not None:
                    await self.value_sets([body])

    @property
    def known(self) -> profiles.Known:
        """What was fetched, as the judgement of profiles asks for it."""
        return profiles.Known(lambda url: self.have("StructureDefinition", url), self._codes_of)

    @property
    def shelf(self) -> Shelf:
        """What was fetched, as the expansion of value sets asks for it."""
        return Shelf(self.system, lambda url: self.have("ValueSet", url))

    def system(self, url: str) -> CodeSystem | None:
        """A code system that was fetched or is shipped."""
        if url not in self._systems:
            body = self.have("CodeSystem", url)
            if self._stored.get(("CodeSystem", url)) is not None and body is not None:
                self._systems[url] = CodeSystem(body)
            else:
                bare = url.partition("|")[0]
                known = body is not None or "|" not in url
                self._systems[url] = shipped.system(bare, self._mappings) if known else None
        return self._systems[url]

    def _codes_of(self, url: str) -> frozenset[tuple[str, str]] | None:
        if url not in self._codes:
            self._codes[url] = self._expanded(url)
        return self._codes[url]

    def _expanded(self, url: str) -> frozenset[tuple[str, str]] | None:
        definition = self.have("ValueSet", url)
        if definition is None:
            return None
        try:
            concepts = value_set.expand(definition, self.shelf)
        except CannotExpand:
            return None
        return frozenset((one.system, one.code) for one in concepts)

    async def _in_store(self, type_: str, url: str) -> Body | None:
        bare, _, version = url.partition("|")
        escaped = bare.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|")
        page = await self._ask.door.search(
            self._ask.who,
            self._ask.why,
            type_,
            [
                ("url", escaped.replace("$", "\\$")),
                ("_sort", "-_lastUpdated"),
                ("_count", "20"),
            ],
            self._ask.base,
        )
        bodies: list[Body] = [orjson.loads(one.json) for one in page.matches]
        return next((body for body in bodies if _is_version(body, version)), None)


@lru_cache(maxsize=4)
def _library(mappings: Path) -> Library:
    """The mappings; read once, as workers do."""
    return Library(mappings)


@lru_cache(maxsize=4)
def _code_tables(mappings: Path, overlay: Overlay) -> dict[str, Body]:
    return concept_maps(_library(mappings), overlay)


def _is_version(body: Body, version: str) -> bool:
    return not version or str(body.get("version", "")) == version


def _named_in(definition: Body) -> tuple[list[str], list[str]]:
    """The profiles and the required value sets that a StructureDefinition names."""
    view: Any = definition.get("differential") or definition.get("snapshot") or {}
    others = [str(definition.get("baseDefinition", ""))]
    sets: list[str] = []
    for element in view.get("element", []):
        for type_ in element.get("type", []):
            others += [*type_.get("profile", []), *type_.get("targetProfile", [])]
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and "valueSet" in binding:
            sets.append(str(binding["valueSet"]))
    return [url.partition("|")[0] for url in others if url], sets
