"""Trains a compression dictionary for bodies on the demo city; run: python -m tools.dictionary NAME.

A dictionary that has been released is never changed: train a new one under the next name, and add
a migration that puts it into body_dictionary.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

from healthhub import city, clock
from healthhub.convert import Converter
from healthhub.mapping.library import Library
from healthhub.model.resource import Draft
from healthhub.settings import Settings
from healthhub.store import dictionary, rows, wire

BYTES = 64 * 1024
RESIDENTS = 60


def main(name: str) -> None:
    """Write ``NAME.zdict`` beside the dictionaries of this release."""
    path = dictionary.SHIPPED / f"{name}.zdict"
    if path.exists():
        sys.exit(f"{path.name} has been released; choose the next name")
    path.write_bytes(train(list(bodies(RESIDENTS))))


def train(samples: list[bytes]) -> bytes:
    """A dictionary for bodies like these."""
    random.Random(1).shuffle(samples)  # noqa: S311 - an order, not a secret
    return zstandard.train_dictionary(BYTES, samples, level=dictionary.LEVEL).as_bytes()


def bodies(residents: int, seed: int = 11) -> Iterator[bytes]:
    """The resources of an invented city, each once, as they are stored."""
    last: dict[tuple[str, object], Draft] = {}
    tables = city.settings()
    settings = Settings(institutions=tables["institutions"], sources=tables["sources"])
    library = Library(Path(settings.mappings_dir))
    converters = {n: Converter(n, s, library) for n, s in settings.sources.items()}
    for number, (source, at, raw) in enumerate(city.feed(residents, seed), 1):
        if raw.startswith(b"MSH"):
            for draft in converters[source].convert(number, raw, at).drafts:
                last[draft.type, draft.id] = draft
    now = clock.now()
    for draft in last.values():
        yield wire.dumps(rows.with_meta(draft.body, 1, now))


if __name__ == "__main__":
    main(sys.argv[1])
