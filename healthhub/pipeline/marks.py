"""What only the hub says of a resource (healthhub.model.marks), left out of what clients write.

Launches, the record page and the person index believe it. A client that sends back what it has
read leaves it as it is; what a client sets itself is dropped rather than refused, so that copies
of resources, which carry the marks, can be written.
"""

from __future__ import annotations

from typing import Any

from healthhub.model import marks
from healthhub.model.resource import Body
from healthhub.store import direct as store
from healthhub.store.direct import Held

Withheld = tuple[str, ...]
"""FHIRPaths of the elements that were left out of a body."""


def allowed(body: Body | None, held: Held | None) -> tuple[Body | None, Withheld]:
    """The body without the hub's marks that the version now held does not have, and what was
    left out; a deleted version has none."""
    meta = body.get("meta") if body else None
    if not body or not meta or not _claims(meta):
        return body, ()
    known = _known(held)
    kept = dict(meta)
    left: list[str] = []
    source = str(meta.get("source", ""))
    if source.startswith(marks.SOURCES) and source != known.get("source"):
        del kept["source"]
        kept.pop("_source", None)
        left.append(f"{body['resourceType']}.meta.source")
    there = {_key(tag) for tag in known.get("tag", ())}
    tags: list[Any] = meta.get("tag", [])
    kept_tags = [tag for tag in tags if not marks.is_tag(tag) or _key(tag) in there]
    if len(kept_tags) < len(tags):
        kept["tag"] = kept_tags
        left.append(f"{body['resourceType']}.meta.tag")
    return body | {"meta": {name: value for name, value in kept.items() if value}}, tuple(left)


def _known(held: Held | None) -> dict[str, Any]:
    """The meta of the version now held."""
    if held is None or held.stored.deleted:
        return {}
    return store.current(held).get("meta", {})


def _claims(meta: dict[str, Any]) -> bool:
    """Whether a meta has a mark of the hub at all; as a rule it has none, and nothing is read."""
    return str(meta.get("source", "")).startswith(marks.SOURCES) or any(
        marks.is_tag(tag) for tag in meta.get("tag", ())
    )


def _key(tag: dict[str, Any]) -> tuple[object, object]:
    return tag.get("system"), tag.get("code")
