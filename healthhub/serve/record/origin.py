"""Where a resource comes from: the sending source, its institution, the raw message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from healthhub.model.resource import Body
from healthhub.settings import Settings

SOURCE_URN = "urn:healthhub:source:"
"""meta.source of what the pipeline stores: this, the source's name, # and the message id."""


SUPPLY = "supply"


@dataclass(frozen=True, slots=True)
class Origin:
    """The tag beside a value. ``institution`` is its code; ``message`` 0 when there is none."""

    source: str
    institution: str
    title: str
    short: str
    message: int = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """Names of sources and institutions, ready to be asked for every resource of a page."""

    by_source: Mapping[str, Origin]
    institutions: Mapping[str, str]
    impersonal: frozenset[str] = frozenset()
    """Institutions that send nothing about residents: no record lacks their data."""

    def of(self, body: Body) -> Origin:
        """The origin of a resource; direct writes of FHIR clients have no message."""
        return self.named(body.get("meta", {}).get("source", ""))

    def named(self, urn: str) -> Origin:
        """The origin that a meta.source tells."""
        if not urn.startswith(SOURCE_URN):
            return Origin("", "", "", "")
        name, _, message = urn[len(SOURCE_URN) :].partition("#")
        known = self.by_source.get(name)
        number = int(message) if message.isdecimal() else 0
        if known is None:
            return Origin(name, "", name, name, number)
        return Origin(name, known.institution, known.title, known.short, number)


def short_titles(titles: Mapping[str, str]) -> dict[str, str]:
    """Institution names without the city that all of them begin with."""
    cut = 0
    if len(titles) > 1:
        same = takewhile(
            lambda letters: len(set(letters)) == 1, zip(*titles.values(), strict=False)
        )
        cut = sum(1 for _ in same)
    cut = cut if cut >= 2 else 0
    return {code: title[cut:] or title for code, title in titles.items()}


def sources(settings: Settings) -> Sources:
    """The sources and institutions that the settings declare."""
    titles = {code: item.title for code, item in settings.institutions.items()}
    short = short_titles(titles)
    return Sources(
        {
            name: Origin(
                name, source.institution, titles[source.institution], short[source.institution]
            )
            for name, source in settings.sources.items()
        },
        short,
        frozenset(c for c, item in settings.institutions.items() if item.kind == SUPPLY),
    )
