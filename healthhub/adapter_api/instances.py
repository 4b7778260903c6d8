"""What an adapter of DICOM objects offers beside Adapter: the names of an object, for STOW-RS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from healthhub.adapter_api.adapter import Adapter


@dataclass(frozen=True, slots=True)
class Names:
    """The UIDs of an object as far as they can be read; empty where they cannot."""

    sop_class: str = ""
    instance: str = ""
    series: str = ""
    study: str = ""


@runtime_checkable
class Instances(Adapter, Protocol):
    """An adapter whose messages are DICOM objects."""

    def names(self, raw: bytes) -> Names:
        """The names of an object; never raises."""
        ...
