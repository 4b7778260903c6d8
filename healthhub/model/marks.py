"""How the hub marks what it says itself: sources and tags that it alone sets, and then believes."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES = "urn:healthhub:"
"""How the meta.source begins of what messages made, and of what the hub made of that."""
RECORD = "https://healthhub.dev/fhir/record"
"""The system of the hub's own tags."""
GOLDEN = "golden"
"""The tag of a Patient that the hub made of several sources' ones."""


def is_tag(tag: Mapping[str, object]) -> bool:
    """Whether a Coding is one of the hub's own tags, or would be found as one: a search for
    ``SYSTEM|CODE`` also finds a code that reads so."""
    return tag.get("system") == RECORD or str(tag.get("code", "")).startswith(f"{RECORD}|")
