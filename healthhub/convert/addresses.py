"""Whom a reference of a partner's resource means: the hub's id of it, or nothing it knows.

An id is derived from the source's namespace, the type and the partner's own id, whether the
resource is in the same message or comes later; what has no id yet (a POST) is known by its
``urn:uuid``. http://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast
from urllib.parse import parse_qsl
from uuid import UUID

from healthhub.adapter_api.record import Given
from healthhub.model import ids
from healthhub.model.r4.shape import resources

_TYPED = re.compile(r"(.*/)?([A-Z][A-Za-z]{1,40})/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?")
_URN = re.compile(r"urn:(?:uuid|oid):[A-Za-z0-9.\-]{1,80}")
_LOGICAL = re.compile(r"([A-Z][A-Za-z]{1,40})\?identifier=([^|&]*)\|([^|&]+)")
OWN = "fhir"
"""Keeps a partner's FHIR ids apart from the numbers that its other feeds give."""
Known = tuple[str, UUID]


class Addresses:
    """The addresses of one message."""

    def __init__(self, namespace: str, given: Iterable[Given]) -> None:
        self._namespace = namespace
        self._bases: set[str] = set()
        self._known: dict[str, Known] = {}
        self.doubled: set[str] = set()
        """Places of resources whose type and id another address in the message has too."""
        said: dict[tuple[str, str], str] = {}
        for one in given:
            known = self.of_given(one)
            if known is None:
                continue
            typed = _TYPED.fullmatch(one.address)
            if typed and typed[1]:
                self._bases.add(typed[1])
            key = sought(one)
            if key:
                self._known[f"{known[0]}?{key}"] = known
            if one.address:
                self._known[one.address] = known
                first = said.setdefault((known[0], str(known[1])), one.address)
                by_search = one.unless or (key and "id" not in one.resource)
                if first != one.address and not by_search:
                    self.doubled.add(one.place)

    def derived(self, kind: str, key: str) -> Known:
        """The hub's id of what the partner knows by a type and an id."""
        return kind, ids.derive(self._namespace, kind, OWN, key)

    def of_given(self, given: Given) -> Known | None:
        """What a resource is, or what a request without one speaks of."""
        kind = given.resource.get("resourceType") if given.resource else None
        if kind is None:
            return self.requested(given.url)
        own = given.resource.get("id")
        if own is None and (key := sought(given)):
            return self.derived(str(kind), key)
        if own is None and _URN.fullmatch(given.address):
            own = given.address
        if own is None and (typed := _TYPED.fullmatch(given.address)) and typed[2] == kind:
            own = typed[3]
        return self.derived(str(kind), own) if isinstance(own, str) and _sound(own) else None

    def requested(self, url: str) -> Known | None:
        """What ``Observation/17`` in a request means."""
        typed = _TYPED.fullmatch(url)
        return self.derived(typed[2], typed[3]) if typed and typed[2] in resources() else None

    def meant(self, reference: str) -> Known | None:
        """What a reference means; None: something inside the resource, or of another server."""
        kind, asks, search = reference.partition("?")
        known = self._known.get(reference)
        if known is None and asks:
            known = self._known.get(f"{kind}?{identifier(search)}")
        if known is not None:
            return known
        typed = _TYPED.fullmatch(reference)
        if typed is None or typed[2] not in resources():
            return None
        if typed[1] and typed[1] not in self._bases:
            return None
        return self.derived(typed[2], typed[3])

    def rewritten(self, value: Any) -> Any:
        """A copy whose references speak of the hub's ids."""
        if isinstance(value, list):
            return [self.rewritten(each) for each in cast(list[Any], value)]
        if not isinstance(value, dict):
            return value
        found = {
            name: self.rewritten(each) for name, each in cast(dict[str, Any], value).items()
        }
        for name in ("reference", "url"):
            said = found.get(name)
            if isinstance(said, str) and (name == "reference" or _of_server(said)):
                self._put(found, name, said)
        return found

    def _put(self, found: dict[str, Any], name: str, said: str) -> None:
        known = self.meant(said)
        if known is not None:
            found[name] = f"{known[0]}/{known[1]}"
        elif name == "reference" and (logical := _LOGICAL.fullmatch(said)):
            del found[name]
            found.setdefault("type", logical[1])
            system = {"system": logical[2]} if logical[2] else {}
            found.setdefault("identifier", {**system, "value": logical[3]})


def conditional(given: Given) -> bool:
    """Whether it is an update of what a search finds."""
    return given.method == "PUT" and "?" in given.url


def sought(given: Given) -> str:
    """The one identifier by which a conditional create or update knows its resource; or empty."""
    return identifier(given.url if conditional(given) else given.unless)


def identifier(search: str) -> str:
    """What a search for one identifier (``identifier=SYSTEM|VALUE``) seeks, under a key that no
    id can be; empty for any other search."""
    pairs = parse_qsl(search.partition("?")[2] or search, keep_blank_values=True)
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        return ""
    system, bar, value = pairs[0][1].partition("|")
    return f"{system}|{value}" if bar and value else ""


def _of_server(url: str) -> bool:
    """An attachment may lie in a Binary of the same server, or of the message."""
    return url.startswith(("Binary/", "urn:uuid:")) or "/Binary/" in url


def _sound(key: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", key) or _URN.fullmatch(key))


def references(value: Any, path: list[str]) -> Iterator[str]:
    """The references that a path leads to."""
    if isinstance(value, list):
        for each in cast(list[Any], value):
            yield from references(each, path)
    elif isinstance(value, dict):
        inner = cast(dict[str, Any], value)
        if path:
            yield from references(inner.get(path[0]), path[1:])
        elif isinstance(inner.get("reference"), str):
            yield inner["reference"]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a resource with their paths."""
    if isinstance(value, dict):
        for name, child in cast(dict[str, Any], value).items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, child in enumerate(cast(list[Any], value)):
            yield from leaves(child, f"{path}[{index}]")
    else:
        yield path, value
