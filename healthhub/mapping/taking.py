"""The section ``take``: the types of resource that a partner's FHIR is taken as."""

from __future__ import annotations

from dataclasses import replace

from healthhub.mapping.definition import Taken
from healthhub.mapping.yaml_file import Item

ITSELF = "itself"
"""The owner of a Patient."""
REFERRER = "referrer"
"""The owner of a Binary: that of the resource in the message which refers to it."""


def taken(base: Taken | None, name: str, item: Item) -> Taken:
    """A type, laid over the base's."""
    base = base or Taken(name, item.where)
    owner, optional, profile = (item.get(key) for key in ("owner", "optional", "profile"))
    withdrawn, unknown = item.get("withdrawn"), item.get("unknown")
    codes = item.get("codes")
    return replace(
        base,
        where=item.where,
        owner=tuple(part.text for part in owner.list()) if owner else base.owner,
        optional=optional.value is True if optional else base.optional,
        profile=_profile(profile) if profile else base.profile,
        codes={path: name.text for path, name in codes.items()} if codes else base.codes,
        withdrawn=withdrawn.plain() if withdrawn else base.withdrawn,
        unknown=unknown.plain() if unknown else base.unknown,
    )


def _profile(item: Item) -> dict[str, str]:
    if isinstance(item.value, dict):
        return {category: name.text for category, name in item.items()}
    return {"": item.text}
