"""What a reference names, and its index entries."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from healthhub.model.ids import row_id
from healthhub.store import types
from healthhub.store.entries import Index, Take
from healthhub.store.hashes import reference, token
from healthhub.store.parameters import Parameter
from healthhub.store.place import Place


def reference_take(resource_type: str, place: Place, sharing: list[Parameter]) -> Take:
    """The patient is not entered where it is the row's key."""
    path = place.path
    keyed = sharing[0].keyed(place, resource_type)
    targets: dict[str, int] = {}
    for parameter in sharing:
        for other in parameter.places:
            if other.path == path:
                targets[other.target] = targets.get(other.target, 0) | parameter.bit
    anyone = targets.pop("", 0)

    def take(index: Index, value: Any) -> int:
        kind, text = referred(value)
        local = _entered(path, text) if text else None
        if local is not None:
            kind, hashed = local
            if not (keyed and kind == "Patient"):
                index.tokens.add(hashed)
        elif text and not text.startswith("#"):
            index.tokens.add(token(path, f"={text}"))
            if "|" in text:  # a canonical with its version is found without it too
                index.tokens.add(token(path, f"={text.partition('|')[0]}"))
        if isinstance(value, dict) and "resourceType" not in value:
            _named(index, path, value.get("identifier", {}))
        return (anyone | targets.get(kind, 0)) if value else 0

    return take


@lru_cache(maxsize=20_000)
def _entered(path: str, text: str) -> tuple[str, int] | None:
    """Type and hash of a reference to a resource of this server: a patient's resources name the
    same visit, order and doctor."""
    local = local_of(text)
    return None if local is None else (local[0], reference(path, local[0], row_id(*local)))


def _named(index: Index, path: str, identifier: Any) -> None:
    """The business identifier of what a reference names."""
    if found := identifier.get("value"):
        index.tokens.add(token(f"{path}:identifier", found))
        index.tokens.add(token(f"{path}:identifier", f"{identifier.get('system', '')}|{found}"))


def referred(value: Any) -> tuple[str, str]:
    """The type, where it is said, and the text of a Reference, canonical, uri, extension or
    resource within."""
    if isinstance(value, str):
        return "", value
    if not isinstance(value, dict):
        return "", ""
    if "valueReference" in value:
        value = value["valueReference"]
    if "resourceType" in value:
        kind = value["resourceType"]
        return kind, f"{kind}/{value['id']}" if "id" in value else ""
    text = value.get("reference", "")
    return value.get("type", ""), text if isinstance(text, str) else ""


def local_of(text: str) -> tuple[str, str] | None:
    """Type and id of a reference to a resource of this server; its version does not count."""
    kind, slash, rest = text.partition("/")
    if not slash or kind not in types.NUMBERS:
        return None
    fhir_id, _, more = rest.partition("/")
    if not fhir_id or (more and not more.startswith("_history/")):
        return None
    return kind, fhir_id
