"""The invariants of R4: rules between elements, evaluated as the FHIRPath that R4 gives them.

fhirpathpy evaluates the expressions; each is compiled at its first use. Not evaluated are the
rules that invariants_extract.UNSUITED names, of which dom-3, txt-1 and txt-2 are here in Python.
http://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import orjson

from healthhub.model.issue import Issue
from healthhub.model.r4 import narrative
from healthhub.model.r4.nodes import Node, walk
from healthhub.model.resource import Body

# The library has no types: what it is made of goes by Any.
_library: Any = import_module("fhirpathpy")
_parse: Any = import_module("fhirpathpy.parser").parse
_node: Any = import_module("fhirpathpy.engine.nodes").ResourceNode.create_node
_R4: Any = import_module("fhirpathpy.models").models["r4"]


def _quiet(*_: object) -> None:
    """trace() of an expression would print what it is given."""


class CannotEvaluate(Exception):
    """The library does not evaluate an expression on this content."""


def check(body: Body) -> list[Issue]:
    """The invariants that the resource breaks, warnings of R4 too. The body has passed
    ``validate.check``; it is left as it is."""
    # The library marks what it reads: it gets a copy of its own, numbers as JSON has them.
    own: Body = orjson.loads(orjson.dumps(body, default=float))
    found: list[Issue] = []
    for node in walk(own):
        for key in _data()["places"].get(node.type, ()):
            found += _judged(key, node, own)
        found += _by_hand(node)
    return found


def holds(expression: str, node: Body, type_: str, resource: Body, root: Body) -> bool:
    """Whether a constraint holds for a node; CannotEvaluate when the library cannot say."""
    context = {"resource": resource, "rootResource": root}
    try:
        result: list[Any] = _library.apply_parsed_path(
            _node(node, type_), _parsed(expression), context, _R4, {"traceFn": _quiet}
        )
    except Exception:  # noqa: BLE001 - the library raises whatever comes; its text may hold data
        raise CannotEvaluate from None
    # Nothing counts as true: a constraint fails only when it says false.
    return not result or all(value is not False for value in result)


@lru_cache(maxsize=2048)
def _parsed(expression: str) -> dict[str, Any]:
    return _parse(expression)


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("invariants.json").read_text(encoding="utf-8")
    return json.loads(text)


def _judged(key: str, node: Node, root: Body) -> list[Issue]:
    severity, sentence, expression = _data()["rules"][key]
    key = key.partition(" ")[0]
    try:
        if holds(expression, node.body, node.type, node.resource, root):
            return []
    except CannotEvaluate:
        text = f"the hub cannot evaluate {key} here; check by hand: {sentence}"
        return [Issue("information", "not-supported", node.place, text, key)]
    return [Issue(severity, "invariant", node.place, f"{key}: {sentence}", key)]


def _by_hand(node: Node) -> Iterator[Issue]:
    if node.type == "Narrative" and isinstance(div := node.body.get("div"), str):
        wrong = narrative.fault(div)
        if wrong is not None:
            yield Issue("error", "invariant", f"{node.place}.div", f"txt-1: {wrong}", "txt-1")
    contained = node.body.get("contained") if node.body is node.resource else None
    if not isinstance(contained, list):
        return
    named = set(_local_references(node.body))
    for index, inner in enumerate(cast(list[Body], contained)):
        refers_up = "#" in set(_local_references(inner))
        if f"#{inner.get('id')}" not in named and not refers_up:
            place = f"{node.place}.contained[{index}]"
            text = (
                "dom-3: a contained resource is referred to from the resource, or refers to it"
            )
            yield Issue("error", "invariant", place, text, "dom-3")


def _local_references(value: Any) -> Iterator[str]:
    """All texts that begin with "#": references, canonicals and URIs within the resource."""
    if isinstance(value, str):
        if value.startswith("#"):
            yield value
    elif isinstance(value, dict):
        for child in cast(dict[str, Any], value).values():
            yield from _local_references(child)
    elif isinstance(value, list):
        for child in cast(list[Any], value):
            yield from _local_references(child)
