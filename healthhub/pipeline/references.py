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
    ) -> Body:
        """The body with its links to entries, and to ``conditions``, replaced."""
        found = _RESTFUL.fullmatch(full_url)
        here = self._local.get(found[1], {}) if found else {}
        return cast(Body, self._walk(body, here, conditions or {}))

    def _walk(self, node: Any, here: dict[str, str], conditions: Mapping[str, str]) -> Any:
        if isinstance(node, dict):
            return {
                name: self._text(name, value, here, conditions)
                if isinstance(value, str)
                else self._walk(value, here, conditions)
                if isinstance(value, dict | list)
                else value
                for name, value in cast(dict[str, Any], node).items()
            }
        return [
            self._text("", value, here, conditions)
            if isinstance(value, str)
            else self._walk(value, here, conditions)
            if isinstance(value, dict | list)
            else value
            for value in cast(list[Any], node)
        ]

    def _text(
        self, name: str, value: str, here: dict[str, str], conditions: Mapping[str, str]
    ) -> str:
        if name == "reference":
            return self._known.get(value) or here.get(value) or conditions.get(value) or value
        if self._urns and value.startswith("urn:") and name not in _STRINGS:
            return self._known.get(value, value)
        if name == "div":
            return _LINK.sub(lambda m: m[1] + (self._known.get(m[2]) or m[2]), value)
        return value


def conditional(node: Any) -> set[str]:
    """The conditional references (``Patient?identifier=...``) in a body."""
    found: set[str] = set()
    waiting: list[Any] = [node]
    while waiting:
        value: Any = waiting.pop()
        if isinstance(value, list):
            waiting += cast(list[Any], value)
        elif isinstance(value, dict):
            inner = cast(dict[str, Any], value)
            reference = inner.get("reference")
            if isinstance(reference, str) and _CONDITIONAL.fullmatch(reference):
                found.add(reference)
            waiting += [each for each in inner.values() if isinstance(each, dict | list)]
    return found


def condition(reference: str) -> Condition:
    """What a conditional reference asks for."""
    parts = _CONDITIONAL.fullmatch(reference)
    assert parts is not None  # noqa: S101 - conditional() gave it
    return parts[1], checked(tuple(parse_qsl(parts[2], keep_blank_values=True)))
