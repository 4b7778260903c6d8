"""What the check against the hub's own profiles may look up among the shipped definitions."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from healthhub.errors import HubError
from healthhub.model import profiles
from healthhub.model.resource import Body
from healthhub.terms import shipped, value_set

HUB = "https://healthhub.dev/fhir/StructureDefinition/"


@lru_cache(maxsize=4)
def known(folder: Path) -> profiles.Known:
    """Profiles and value sets below a folder of mappings; both are read when first asked for."""

    def set_of(url: str) -> Body | None:
        key = ("ValueSet", url.partition("|")[0])
        return shipped.of_nation(folder).get(key) or shipped.of_r4().get(key)

    @lru_cache(maxsize=512)
    def codes(url: str) -> frozenset[tuple[str, str]] | None:
        definition = set_of(url)
        if definition is None:
            return None
        shelf = value_set.Shelf(
            lambda name: shipped.system(name.partition("|")[0], folder), set_of
        )
        try:
            return frozenset((o.system, o.code) for o in value_set.expand(definition, shelf))
        except HubError:  # it names codes that are not shipped: what it binds is not judged
            return None

    return profiles.Known(
        lambda url: shipped.of_nation(folder).get(("StructureDefinition", url)), codes
    )
