"""The completeness strip: which institutions' data is here, how much, and from when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.reading import Moment, moment

SHARED = frozenset(
    {"Organization", "Location", "Practitioner", "PractitionerRole", "Provenance"}
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one institution has sent of this person."""

    institution: str
    title: str
    count: int
    received: Moment | None


@dataclass(frozen=True, slots=True)
class Completeness:
    """Institutions with data, the latest first; then the names of those without."""

    present: tuple[Contribution, ...]
    absent: tuple[str, ...]


def completeness(of: Mapping[str, Sequence[Body]], sources: Sources) -> Completeness:
    """Count a person's resources by institution. A golden Patient is nobody's data."""
    times: dict[str, list[str]] = {}
    for kind, bodies in of.items():
        if kind not in SHARED:
            for body in bodies:
                meta = body.get("meta", {})
                source = meta.get("source", "").partition("#")[0]
                times.setdefault(source, []).append(meta.get("lastUpdated", ""))
    counts: dict[tuple[str, str], int] = {}
    received: dict[tuple[str, str], str] = {}
    for source, updated in times.items():
        origin = sources.named(source)
        if origin.source:
            place = origin.institution, origin.short
            counts[place] = counts.get(place, 0) + len(updated)
            received[place] = max(received.get(place, ""), *updated)
    present = [
        Contribution(code, title, count, moment(received[code, title]))
        for (code, title), count in counts.items()
    ]
    present.sort(
        key=lambda item: item.received.at.timestamp() if item.received else 0.0, reverse=True
    )
    here = {item.institution for item in present}
    sending = {origin.institution for origin in sources.by_source.values()}
    lacking = sending - here - sources.impersonal
    absent = [sources.institutions[code] for code in sorted(lacking)]
    return Completeness(tuple(present), tuple(absent))
