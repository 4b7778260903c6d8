"""Parts of a resource: its summary, its text, some elements (http://hl7.org/fhir/R4/search.html#summary).

What was cut down is tagged SUBSETTED, so that nobody takes it for the whole and writes it back.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

from healthhub.model.r4 import shape
from healthhub.model.resource import Body

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS = frozenset(("resourceType", "id", "meta"))


def summary(body: Body) -> Body:
    """The elements that R4 marks as summary, at every level."""
    return _tagged(_cut(body, body["resourceType"]))


def text(body: Body) -> Body:
    """The narrative with id, meta and what is mandatory."""
    return elements(body, ("text",))


def data(body: Body) -> Body:
    """All but the narrative."""
    return _tagged({name: value for name, value in body.items() if name != "text"})


def elements(body: Body, names: tuple[str, ...]) -> Body:
    """These top-level elements with id, meta and what is mandatory; ``value`` stands for every
    form of a choice element."""
    kind = body["resourceType"]
    wanted = {*_ALWAYS, *_types()[kind][1], *names}
    for name in names:
        wanted.update(shape.choices(kind, name))
    return _tagged({n: value for n, value in body.items() if n.removeprefix("_") in wanted})


def known(kind: str, name: str) -> bool:
    """Whether a type has this top-level element."""
    return shape.element(kind, name) is not None or bool(shape.choices(kind, name))


def _cut(node: dict[str, Any], kind: str) -> dict[str, Any]:
    wanted = _types().get(kind, (frozenset[str](), frozenset[str]()))[0]
    made: dict[str, Any] = {}
    for name, value in node.items():
        bare = name.removeprefix("_")
        if bare == "resourceType" or (not name.startswith("_") and bare == "id"):
            made[name] = value
        elif bare in wanted:
            rule = shape.element(kind, bare)
            made[name] = value if rule is None or name != bare else _inner(value, rule[0])
    return made


def _inner(value: Any, kind: str) -> Any:
    """A value cut down by the definition of its own type, if it is an object."""
    if isinstance(value, list):
        return [_inner(item, kind) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    held = cast(dict[str, Any], value)
    own: str = held.get("resourceType", kind)
    return _cut(held, own) if _types().get(own, ((), ()))[0] else held


def _tagged(body: Body) -> Body:
    meta = dict(body.get("meta", {}))
    meta["tag"] = [*meta.get("tag", ()), SUBSETTED]
    return body | {"meta": meta}


@cache
def _types() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    path = Path(__file__).with_name("summary.json")
    found: dict[str, list[list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: (frozenset(pair[0]), frozenset(pair[1])) for name, pair in found.items()}
