"""Puts the conformance resources of mappings/national/profiles into the store, where any client
reads and searches them as any other.

Loaded rather than served from files, so that read, search, history and $validate need no second
way. The files are the source: an equal body makes no new version, a changed copy in the store is
replaced at the next start.
"""

from __future__ import annotations

from pathlib import Path

from healthhub.errors import HubError, MappingError
from healthhub.model import validate
from healthhub.pipeline import direct
from healthhub.pipeline.intent import Intent
from healthhub.store import database
from healthhub.terms import shipped


def publish(dsn: str, mappings: Path) -> int:
    """Store what the folder holds, all or nothing; gives the number of resources."""
    found = shipped.of_nation(mappings).values()
    for body in found:
        try:
            validate.check(body)
        except HubError as error:
            raise MappingError(
                f"mappings/national/profiles: {body['resourceType']} {body['url']}: "
                f"{error.message}",
                expression=error.expression,
            ) from None
    intents = [Intent("update", one["resourceType"], one["id"], body=one) for one in found]
    if not intents:
        return 0
    with database.connect(dsn) as connection:
        direct.perform(connection, intents)
    return len(intents)
