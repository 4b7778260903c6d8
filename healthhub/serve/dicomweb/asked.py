"""Which requests of DICOMweb are passed on: reads below one study (PS3.18 sections 10.4, 10.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from healthhub.errors import InvalidRequest, NotFound

_UID = r"[0-9]+(?:\.[0-9]+){0,31}"
_PATH = re.compile(
    rf"studies/(?P<study>{_UID})"
    r"(?:/(?:metadata|rendered|thumbnail|series|instances)"
    rf"|/series/{_UID}(?:/(?:metadata|rendered|thumbnail|instances)"
    rf"|/instances/{_UID}(?:/(?:metadata|rendered|thumbnail|bulkdata/(?!\.+(?:/|$))[\w.-]{{1,64}}"
    r"|frames/\d{1,6}(?:,\d{1,6}){0,99}(?:/rendered|/thumbnail)?))?)?)?",
    re.ASCII,
)
_PARAMETERS = frozenset(
    "accept annotation charset iccprofile includefield limit offset quality viewport window".split()
)
_VALUE = re.compile(r"[\w.,/;=*+ -]{0,200}")
_MEDIA = re.compile(r"[\w.,/;=*+\" -]{0,500}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A path below the archive's base address, its parameters, and the study that it is of."""

    study: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    accept: str


def read(path: str, parameters: Iterable[tuple[str, str]], accept: str) -> Asked:
    """The request, with nothing in it that the archive could take for something else."""
    match = _PATH.fullmatch(path)
    if match is None or len(path) > 400:
        raise NotFound(
            "this address names no images; ask for studies/UID and below: series, instances, "
            "frames, metadata, rendered, thumbnail"
        )
    passed: list[tuple[str, str]] = []
    for name, value in parameters:
        if name.lower() not in _PARAMETERS or not _VALUE.fullmatch(value):
            raise InvalidRequest(
                f"the parameters that are passed on are {', '.join(sorted(_PARAMETERS))}, with "
                "plain values; leave the others out"
            )
        passed.append((name, value))
    if not _MEDIA.fullmatch(accept):
        raise InvalidRequest("write Accept as media types alone", expression="Accept")
    return Asked(match["study"], path, tuple(passed), accept)
