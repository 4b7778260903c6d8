"""Which part of each resource an answer is to hold: _summary and _elements.

http://hl7.org/fhir/R4/search.html#summary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healthhub.access import holdings
from healthhub.errors import InvalidRequest
from healthhub.model.r4 import summary
from healthhub.model.resource import Stored

PARTS = ("_summary", "_elements")
_SUMMARIES = ("true", "false", "text", "data")
_CUT = {"true": summary.summary, "text": summary.text, "data": summary.data}


@dataclass(frozen=True, slots=True)
class Part:
    """``summary`` is true, text or data, or empty; ``elements`` are named plain, or with their
    type (``Patient.name``)."""

    summary: str = ""
    elements: tuple[str, ...] = ()

    def of(self, stored: Stored) -> bytes:
        """The resource's bytes, cut down if that was asked for."""
        if not self.summary and not self.elements:
            return stored.json
        body = holdings.reload(stored.json)
        if self.summary:
            return holdings.dumps(_CUT[self.summary](body))
        names = [_named(each, stored.type) for each in self.elements]
        known = tuple(name for name in names if name and summary.known(stored.type, name))
        return holdings.dumps(summary.elements(body, known))


WHOLE = Part()


def _named(element: str, type_: str) -> str:
    kind, dot, name = element.partition(".")
    return name if dot and kind == type_ else "" if dot else element


def part_of(params: Sequence[tuple[str, str]]) -> Part:
    """What the parameters ask for; InvalidRequest when they ask for both or nothing known."""
    kind = ""
    elements: list[str] = []
    for name, value in params:
        if name == "_summary":
            if value not in _SUMMARIES:
                raise InvalidRequest(
                    f"_summary is one of {', '.join(_SUMMARIES)}, and in a search count",
                    expression="_summary",
                )
            kind = "" if value == "false" else value
        elif name == "_elements":
            elements += [each for each in value.split(",") if each]
            if not elements:
                raise InvalidRequest("_elements names elements", expression="_elements")
    if kind and elements:
        raise InvalidRequest("ask for _summary or for _elements", expression="_elements")
    return Part(kind, tuple(elements))
