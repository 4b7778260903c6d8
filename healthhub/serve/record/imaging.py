"""Imaging studies with their small pictures; the images themselves stay in the archive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.observations import State
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import (
    Concept,
    Moment,
    codes,
    concept,
    first_moment,
    reference_id,
)

PICTURES = 6
"""Pictures of one study on the record page."""
NO_IMAGES = frozenset({"KO", "PR", "SR", "DOC", "REG", "ECG", "HD", "AU"})
"""Modalities of a study's objects that are not what the study is called by."""
OF_INTEREST = "113000"
"""DCM: the reason for marking that says no more than that it was marked."""
_BINARY = re.compile(r"Binary/([A-Za-z0-9\-.]{1,64})")
_PROXIED = re.compile(r"https?://[^/]+(/(?:[^?#]*/)?dicomweb/[\w-]+/studies/[\w./-]+/rendered)")


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture. ``own`` is the id of its Binary, or ``address`` that of the archive's
    rendering through the hub; ``key``: a doctor has marked it."""

    id: str
    title: str
    own: str
    address: str
    key: bool


@dataclass(frozen=True, slots=True)
class Study:
    """An ImagingStudy as the page shows it; 0 series or images are not known."""

    id: str
    at: Moment | None
    modalities: tuple[str, ...]
    title: str
    sites: tuple[str, ...]
    series: int
    images: int
    accession: str
    pictures: tuple[Picture, ...]
    state: State
    origin: Origin

    @property
    def shown(self) -> tuple[Picture, ...]:
        """The pictures on the record page, the marked ones first."""
        return self.pictures[:PICTURES]


def studies(
    bodies: Sequence[Body], media: Sequence[Body], sources: Sources
) -> tuple[Study, ...]:
    """ImagingStudy resources with their Media, the latest first."""
    of: dict[str, list[Picture]] = {}
    for body in media:
        found = _picture(body)
        if found is not None:
            for part in body.get("partOf", ()):
                of.setdefault(reference_id(part), []).append(found)
    made = [_study(body, of, sources) for body in bodies if body.get("status") != "cancelled"]
    return tuple(sorted(made, key=_begun, reverse=True))


def _begun(study: Study) -> float:
    return study.at.at.timestamp() if study.at else 0.0


def _study(body: Body, of: Mapping[str, list[Picture]], sources: Sources) -> Study:
    codes = [item.get("code", "") for item in body.get("modality", ())]
    series = body.get("series", ())
    sites = [s["bodySite"].get("display", "") for s in series if "bodySite" in s]
    pictures = of.get(f"ImagingStudy/{body['id']}", [])
    return Study(
        id=body["id"],
        at=first_moment(body, "started"),
        modalities=tuple([c for c in codes if c not in NO_IMAGES] or codes),
        title=body.get("description", "") or _procedure(body).label("zh"),
        sites=tuple(dict.fromkeys(filter(None, sites))),
        series=body.get("numberOfSeries", 0),
        images=body.get("numberOfInstances", 0),
        accession=_accession(body),
        pictures=tuple(sorted(pictures, key=lambda p: (not p.key, p.title, p.id))),
        state=State.WITHDRAWN if body.get("status") == "entered-in-error" else State.VALID,
        origin=sources.of(body),
    )


def _procedure(body: Body) -> Concept:
    return concept(next(iter(body.get("procedureCode", ())), None))


def _accession(body: Body) -> str:
    for item in body.get("identifier", ()):
        kinds = item.get("type", {}).get("coding", ())
        if any(kind.get("code") == "ACSN" for kind in kinds):
            return item.get("value", "")
    return ""


def _picture(body: Body) -> Picture | None:
    if body.get("status") == "entered-in-error":
        return None
    content = body.get("content", {})
    url = content.get("url", "")
    own, proxied = _BINARY.fullmatch(url), _PROXIED.fullmatch(url)
    if own is None and proxied is None:
        return None
    marked = codes(body.get("reasonCode"))
    return Picture(
        body["id"],
        "" if OF_INTEREST in marked else content.get("title", ""),
        own[1] if own else "",
        _small(proxied[1]) if proxied else "",
        bool(marked),
    )


def _small(path: str) -> str:
    return f"{path[path.index('/dicomweb/') :]}?viewport=512,512"


def without_instances(body: Body) -> Body:
    """A study without the list of its thousands of instances, for a page that shows elements."""
    series = [
        {name: value for name, value in each.items() if name != "instance"}
        for each in body.get("series", ())
    ]
    return body | {"series": series} if series else body
