"""References between the entries of a transaction, and conditional references.

http://hl7.org/fhir/R4/http.html#trules: links to a fullUrl of the bundle become links to what was
stored, in references, in elements of type uri, url, oid and uuid, and in the narrative's href
and src. A reference to a version stays as it is, and so does one to what is in no entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

from healthhub.model.resource import Body
from healthhub.pipeline.criteria import Condition, checked

_RESTFUL = re.compile(r"(https?://.+)/([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_LINK = re.compile(r"""((?:href|src)\s*=\s*["'])([^"'#]+)""")
_STRINGS = frozenset(("value", "valueString", "display", "text", "description"))
"""Names whose values are of type string in R4, even where they look like an address."""


class Links:
    """What the entries of one bundle are called, and what they are to be called."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """``named``: each entry's fullUrl, and its ``Type/id``."""
        self._known = {url: name for url, name in named if url}
        self._urns = any(url.startswith("urn:") for url in self._known)
        self._local: dict[str, dict[str, str]] = {}
        for url, name in self._known.items():
            if found := _RESTFUL.fullmatch(url):
                self._local.setdefault(found[1], {})[found[2]] = name

    def resolved(
        self, body: Body, full_url: str, conditions: Mapping[str, str] | None = None
    ) -> tuple[Body, set[str]]:
        """The body with its links to entries, and to ``conditions``, replaced; and the
        conditional references (``Patient?identifier=...``) that are left."""
        found = _RESTFUL.fullmatch(full_url)
        walk = _Walk(
            self._known, self._urns, self._local.get(found[1]) if found else None, conditions
        )
        return walk.object(body), walk.left


class _Walk:
    """One pass over a body."""

    def __init__(
        self,
        known: Mapping[str, str],
        urns: bool,
        here: Mapping[str, str] | None,
        conditions: Mapping[str, str] | None,
    ) -> None:
        self._known = known
        self._urns = urns
        self._here = here or {}
        self._conditions = conditions or {}
        self.left: set[str] = set()

    def object(self, node: dict[str, Any]) -> dict[str, Any]:
        """A copy of an object."""
        made: dict[str, Any] = {}
        for name, value in node.items():
            if type(value) is str:
                if name == "reference":
                    value = self._reference(value)
                elif self._urns and value.startswith("urn:"):
                    value = value if name in _STRINGS else self._known.get(value, value)
                elif name == "div":
                    value = _LINK.sub(lambda m: m[1] + (self._known.get(m[2]) or m[2]), value)
            elif type(value) is dict:
                value = self.object(cast(dict[str, Any], value))
            elif type(value) is list:
                value = self._list(cast(list[Any], value))
            made[name] = value
        return made

    def _list(self, items: list[Any]) -> list[Any]:
        made: list[Any] = []
        for item in items:
            if type(item) is dict:
                item = self.object(cast(dict[str, Any], item))
            elif type(item) is list:
                item = self._list(cast(list[Any], item))
            elif type(item) is str and self._urns:
                item = self._known.get(item, item)
            made.append(item)
        return made

    def _reference(self, value: str) -> str:
        named = self._known.get(value) or self._here.get(value)
        if named is None and "?" in value and _CONDITIONAL.fullmatch(value):
            named = self._conditions.get(value)
            if named is None:
                self.left.add(value)
        return named or value


def condition(reference: str) -> Condition:
    """What a conditional reference asks for."""
    parts = _CONDITIONAL.fullmatch(reference)
    assert parts is not None  # noqa: S101 - conditional() gave it
    return parts[1], checked(tuple(parse_qsl(parts[2], keep_blank_values=True)))
