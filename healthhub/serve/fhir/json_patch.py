"""JSON Patch (RFC 6902) on a resource; numbers keep the digits they are written with."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.model.resource import Body

MOST = 1000
"""Operations of one patch."""
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_NEEDS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "test": ("value",),
    "move": ("from",),
    "copy": ("from",),
}
Operation = dict[str, Any]


def compiled(operations: Any) -> Callable[[Body], Body]:
    """The patch as a function from a body to the next; InvalidRequest when it is no patch.

    The function raises Unprocessable when an operation cannot be done, and then has done none.
    """
    if not isinstance(operations, list) or not operations or len(operations) > MOST:
        raise InvalidRequest(f"a JSON Patch is a list of 1 to {MOST} operations (RFC 6902)")
    for number, operation in enumerate(operations):
        _check(operation, number)

    def patched(body: Body) -> Body:
        document: Any = copied(body)
        for number, operation in enumerate(operations):
            document = _apply(document, operation, number)
        if not isinstance(document, dict):
            raise Unprocessable("the patch leaves no resource", expression="[0].path")
        return document

    return patched


def _check(operation: Any, number: int) -> None:
    if not isinstance(operation, dict) or operation.get("op") not in _NEEDS:
        raise InvalidRequest(
            f"operation {number}: op is one of {', '.join(_NEEDS)}", expression=f"[{number}].op"
        )
    for name in ("path", *_NEEDS[operation["op"]]):
        if name not in operation:
            raise InvalidRequest(
                f"operation {number}: {operation['op']} needs {name}",
                expression=f"[{number}].{name}",
            )
        if name != "value":
            _steps(operation[name], number, name)


def _steps(pointer: Any, number: int, name: str) -> list[str]:
    """The steps of a JSON Pointer (RFC 6901)."""
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise InvalidRequest(
            f"operation {number}: {name} is a JSON Pointer as /name/0/family",
            expression=f"[{number}].{name}",
        )
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _apply(document: Any, operation: Operation, number: int) -> Any:
    path = _steps(operation["path"], number, "path")
    match operation["op"]:
        case "add":
            return _add(document, path, copied(operation["value"]), number)
        case "remove":
            return _remove(document, path, number)[0]
        case "replace":
            if not path:
                return copied(operation["value"])
            parent = _get(document, path[:-1], number, "path")
            parent[_key(parent, path[-1], number, "path")] = copied(operation["value"])
            return document
        case "test":
            if not equal(_get(document, path, number, "path"), operation["value"]):
                raise _wrong(number, "path", "the test fails: another value is there now")
            return document
        case "copy":
            origin = _steps(operation["from"], number, "from")
            value = copied(_get(document, origin, number, "from"))
            return _add(document, path, value, number)
    origin = _steps(operation["from"], number, "from")
    if path[: len(origin)] == origin and path != origin:
        raise _wrong(number, "path", "an element cannot be moved into itself")
    document, value = _remove(document, origin, number, "from")
    return _add(document, path, value, number)


def _get(document: Any, path: list[str], number: int, name: str) -> Any:
    for step in path:
        document = document[_key(document, step, number, name)]
    return document


def _key(node: Any, step: str, number: int, name: str) -> Any:
    """The key or index of something that is there."""
    if isinstance(node, dict) and step in node:
        return step
    if isinstance(node, list) and _INDEX.fullmatch(step) and int(step) < len(node):
        return int(step)
    raise _wrong(number, name, "there is nothing at this place")


def _add(document: Any, path: list[str], value: Any, number: int) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1], number, "path"), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and last == "-":
        parent.append(value)
    elif isinstance(parent, list) and _INDEX.fullmatch(last) and int(last) <= len(parent):
        parent.insert(int(last), value)
    else:
        raise _wrong(number, "path", "nothing can be added at this place")
    return document


def _remove(document: Any, path: list[str], number: int, name: str = "path") -> tuple[Any, Any]:
    if not path:
        raise _wrong(number, name, "a resource is deleted with DELETE, not by a patch")
    parent = _get(document, path[:-1], number, name)
    return document, parent.pop(_key(parent, path[-1], number, name))


def copied(value: Any) -> Any:
    """A copy that shares no list or object; numbers stay the very same."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values (RFC 6902, 4.6): numbers by value, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[n], other[n]) for n in one)
    return type(one) is type(other) and one == other


def _wrong(number: int, name: str, sentence: str) -> Unprocessable:
    return Unprocessable(
        f"operation {number}: {sentence}; nothing was changed", expression=f"[{number}].{name}"
    )
