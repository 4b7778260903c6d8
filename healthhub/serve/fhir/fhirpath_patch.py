"""FHIRPath Patch: Parameters whose parts say what to change (http://hl7.org/fhir/R4/fhirpatch.html)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from healthhub.errors import HubError, InvalidRequest, Unprocessable
from healthhub.model import validate
from healthhub.model.r4 import shape
from healthhub.model.resource import Body
from healthhub.serve.fhir.json_patch import MOST, copied
from healthhub.serve.fhir.places import Place, places

_NEEDS = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}


@dataclass(frozen=True, slots=True)
class _Value:
    """A value and the type that its name says (``valueQuantity``); no type when it was given
    in parts."""

    type: str
    content: Any
    parts: tuple[dict[str, Any], ...] = ()


_FORMS: dict[str, type] = {
    "path": str,
    "name": str,
    "value": _Value,
    "index": int,
    "source": int,
    "destination": int,
}
_WORDS: dict[type, str] = {str: "a text", int: "a whole number", _Value: "a value"}


def compiled(parameters: Any) -> Callable[[Body], Body]:
    """The patch as a function from a body to the next; InvalidRequest when it is no patch."""
    if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
        raise InvalidRequest("a FHIRPath Patch is a Parameters resource; see fhirpatch.html")
    validate.check(parameters)
    listed = parameters.get("parameter", [])
    if not listed or len(listed) > MOST:
        raise InvalidRequest(
            f"a patch has 1 to {MOST} operations", expression="Parameters.parameter"
        )
    operations = [_operation(each, number) for number, each in enumerate(listed)]

    def patched(body: Body) -> Body:
        made: Body = copied(body)
        for number, operation in enumerate(operations):
            try:
                _DO[operation["type"]](made, operation)
            except HubError as error:
                error.message = f"operation {number}: {error.message}"
                error.expression = f"Parameters.parameter[{number}]"
                raise error from None
        return made

    return patched


def _operation(sent: dict[str, Any], number: int) -> dict[str, Any]:
    place = f"Parameters.parameter[{number}]"
    if sent.get("name") != "operation":
        raise InvalidRequest("each parameter of a patch is named operation", expression=place)
    found: dict[str, Any] = {}
    for part in sent.get("part", []):
        name = part["name"]
        if name == "value":
            found[name] = _value(part)
        else:
            found[name] = next((part[key] for key in part if key.startswith("value")), None)
    kind = found.get("type")
    if not isinstance(kind, str) or kind not in _NEEDS:
        raise InvalidRequest(f"type is one of {', '.join(_NEEDS)}", expression=place)
    for name in _NEEDS[kind]:
        if type(found.get(name)) is not _FORMS[name]:
            raise InvalidRequest(
                f"{kind} needs the part {name}: {_WORDS[_FORMS[name]]}",
                expression=place,
            )
    return found


def _value(part: dict[str, Any]) -> _Value:
    for key, content in part.items():
        if key.startswith("value"):
            return _Value(key.removeprefix("value"), content)
    if "resource" in part:
        return _Value("Resource", part["resource"])
    return _Value("", None, tuple(part.get("part", ())))


def _content(value: _Value, type_: str) -> Any:
    """The value as it stands in an element of this type; parts become its elements."""
    if value.type:
        return copied(value.content)
    made: dict[str, Any] = {}
    for part in value.parts:
        _put(made, type_, part["name"], _value(part))
    return made


def _put(holder: dict[str, Any], type_: str, name: str, value: _Value) -> None:
    """Add an element: at the end of a list, or where there is none yet."""
    known = shape.element(type_, name)
    if known is None:
        suffix = value.type[:1].upper() + value.type[1:]
        forms = shape.choices(type_, name)
        if any(form in holder for form in forms):
            raise Unprocessable(f"{name[:64]} is there already; replace it")
        name += suffix
        known = shape.element(type_, name) if name in forms else None
    if known is None:
        raise InvalidRequest(f"{type_} has no element {name[:64]!r}")
    inner, many = known
    content = _content(value, inner)
    if many:
        holder.setdefault(name, []).append(content)
    elif name in holder:
        raise Unprocessable(f"{name[:64]} is there already; replace it")
    else:
        holder[name] = content


def _add(body: Body, operation: dict[str, Any]) -> None:
    target = _sole(body, operation["path"])
    _put(target.value, target.type, operation["name"], operation["value"])


def _insert(body: Body, operation: dict[str, Any]) -> None:
    found = _list(body, operation["path"])
    index = operation["index"]
    if not 0 <= index <= len(found[0].holder):
        raise Unprocessable("the index is beyond the list")
    found[0].holder.insert(index, _content(operation["value"], found[0].type))


def _delete(body: Body, operation: dict[str, Any]) -> None:
    found = places(body, operation["path"])
    if len(found) > 1:
        raise Unprocessable("the path finds more than one element; name one")
    for place in found:
        if place.key == "":
            raise Unprocessable("a resource is deleted with DELETE, not by a patch")
        del place.holder[place.key]
        _prune(body, place.holder)


def _prune(body: Body, emptied: Any) -> None:
    """FHIR has no empty lists and objects: what is left empty goes too."""
    while not emptied and emptied is not body:
        above = _holder(body, emptied)
        if above is None:
            return
        holder, key = above
        del holder[key]
        emptied = holder


def _holder(node: Any, wanted: Any) -> tuple[Any, Any] | None:
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        if value is wanted:
            return node, key
        if isinstance(value, dict | list) and (found := _holder(value, wanted)):
            return found
    return None


def _replace(body: Body, operation: dict[str, Any]) -> None:
    place, value = _sole(body, operation["path"]), operation["value"]
    if place.key == "":
        raise Unprocessable("a resource is replaced with PUT, not by a patch")
    key, type_ = place.key, place.type
    if value.type and value.type != "Resource" and isinstance(key, str):
        suffix = value.type[:1].upper() + value.type[1:]
        old = type_[:1].upper() + type_[1:]
        stem = key.removesuffix(old)
        if suffix != old and stem != key and shape.choices(place.above, stem):
            renamed = {(stem + suffix if n == key else n): v for n, v in place.holder.items()}
            place.holder.clear()
            place.holder.update(renamed)
            key = stem + suffix
    place.holder[key] = _content(value, type_)


def _move(body: Body, operation: dict[str, Any]) -> None:
    holder = _list(body, operation["path"])[0].holder
    source, destination = operation["source"], operation["destination"]
    if not (0 <= source < len(holder) and 0 <= destination < len(holder)):
        raise Unprocessable("source or destination is beyond the list")
    holder.insert(destination, holder.pop(source))


def _sole(body: Body, path: str) -> Place:
    found = places(body, path)
    if len(found) != 1:
        many = "more than one element" if found else "nothing"
        raise Unprocessable(f"the path finds {many}; it must name one")
    return found[0]


def _list(body: Body, path: str) -> list[Place]:
    found = places(body, path)
    if not found or not isinstance(found[0].holder, list):
        raise Unprocessable("the path finds no list")
    if any(place.holder is not found[0].holder for place in found):
        raise Unprocessable("the path finds more than one list; name one")
    return found


_DO: dict[str, Callable[[Body, dict[str, Any]], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
