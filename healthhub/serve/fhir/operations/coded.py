"""A code as operations are given it: code and system, a Coding, or a CodeableConcept.

http://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from healthhub.errors import InvalidRequest
from healthhub.serve.fhir.operations.given import Given


@dataclass(frozen=True, slots=True)
class Coded:
    """One code. ``system`` is empty where none was named."""

    system: str
    code: str
    display: str = ""
    version: str = ""


def codes(sent: Given, url: str = "system") -> list[Coded]:
    """The codings that were given, exactly one way; ``url`` names the system's parameter."""
    ways = [name for name in ("code", "coding", "codeableConcept") if sent.all(name)]
    if len(ways) != 1:
        raise InvalidRequest(
            "give exactly one of code, coding and codeableConcept",
            expression=ways[-1] if ways else "code",
        )
    if ways == ["code"]:
        return [
            Coded(
                sent.text(url) or "",
                sent.needed("code"),
                sent.text("display") or "",
                sent.text("version") or "",
            )
        ]
    value = sent.object(ways[0]) or {}
    listed: Any = [value] if ways == ["coding"] else value.get("coding", [])
    if not isinstance(listed, list) or not listed:
        raise InvalidRequest(f"{ways[0]} holds a coding", expression=ways[0])
    return [_coding(one, ways[0]) for one in listed]


def one(sent: Given, url: str = "system") -> Coded:
    """The one code that was given."""
    found = codes(sent, url)
    if len(found) != 1:
        raise InvalidRequest("give one coding", expression="codeableConcept")
    return found[0]


def _coding(value: Any, name: str) -> Coded:
    held: Any = value if isinstance(value, dict) else {}
    parts = [held.get(part, "") for part in ("system", "code", "display", "version")]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) != len(parts) or not texts[1]:
        raise InvalidRequest(f"{name} is a Coding with a code", expression=name)
    return Coded(*texts)
