"""One FHIR element and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from healthhub.adapter_api.record import Span


@dataclass(frozen=True, slots=True)
class Explained:
    """``resource`` is ``Type/id``; ``element`` the path below it (``name[0].text``); ``rule``
    file and line; ``paths`` the source fields read (``PID[1]-5.1``) and ``spans`` their bytes
    in the raw message, in the same order. A constant has neither."""

    resource: str
    element: str
    value: Any
    rule: str
    paths: tuple[str, ...]
    spans: tuple[Span, ...]
