"""The source record that mappings read: segments of fields in one canonical text form.

Whatever delimiters a message uses, a field's text here uses those of HL7: ``~`` between
repetitions, ``^`` components, ``&`` subcomponents, ``\\`` escapes (HL7 v2.5.1 chapter 2.5.4).
Segments are split into fields only when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

Span = tuple[int, int]
"""Start and end of bytes in a raw message."""


class Place(NamedTuple):
    """A place in a record. ``segment`` is the position in Record.segments; ``repetition``
    counts from 0; ``field``, ``component`` and ``subcomponent`` from 1, 0 for the whole."""

    segment: int
    field: int = 0
    repetition: int = -1
    component: int = 0
    subcomponent: int = 0


class Segment:
    """One segment: its name, and its fields as canonical text, numbered as HL7 numbers them
    (``fields[5]`` is PID-5, ``fields[0]`` the name). They are split when first asked for."""

    __slots__ = ("_split", "fields", "index", "name", "text")
    fields: list[str]

    def __init__(
        self, name: str, text: str, index: int, split: Callable[[str, str], list[str]]
    ) -> None:
        self.name = name
        self.text = text
        self.index = index
        self._split = split

    def __getattr__(self, name: str) -> list[str]:
        """Python asks here for a slot that is not filled yet: the fields, once."""
        if name != "fields":
            raise AttributeError(name)
        self.fields = self._split(self.name, self.text)
        return self.fields

    def field(self, number: int) -> str:
        """One field's text; empty if the segment is shorter."""
        fields = self.fields
        return fields[number] if number < len(fields) else ""

    def __repr__(self) -> str:
        return f"Segment({self.name!r}, index={self.index})"


class Branch(Segment):
    """A segment that has others below it: an element of a tree (XML). Its fields are paths
    (healthhub.adapter_api.paths), and a group's nodes are those that a path leads to."""

    __slots__ = ()

    def below(self, number: int) -> list[Branch]:
        """The elements that a path leads to, in order."""
        raise NotImplementedError


class Row(Segment):
    """A row of a table as a segment: ``cells`` by heading, canonical text. Its fields have
    numbers only once a mapping has said which column is which (healthhub.mapping.tables);
    ``headings`` then gives the heading of each field."""

    __slots__ = ("cells", "headings")
    cells: dict[str, str]
    headings: tuple[str, ...]

    @classmethod
    def of(cls, name: str, cells: dict[str, str], index: int) -> Row:
        """A row with its cells in the order of the message."""
        row = cls(name, '""' if '""' in cells.values() else "", index, _unnumbered)
        row.cells = cells
        row.headings = (name, *cells)
        return row


def _unnumbered(name: str, text: str) -> list[str]:
    raise TypeError(f"the columns of {name} have no numbers yet")


class Given(NamedTuple):
    """A resource that a message holds as FHIR itself: where it stands, and what is asked of it.

    ``address`` is its full URL; ``method`` and ``url`` those of a request; ``at`` the time that
    the message gives it beside the resource; ``unless`` the search that must find nothing
    (ifNoneExist); ``match`` and ``none_match`` the versions that it must have, and must not
    (ifMatch, ifNoneMatch). ``resource`` is empty for a DELETE.
    """

    resource: dict[str, Any]
    place: str
    span: Span
    address: str = ""
    method: str = ""
    url: str = ""
    at: str = ""
    unless: str = ""
    match: str = ""
    none_match: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A message that has been read. ``kind`` is ``ADT^A01``; ``charset`` the codec used;
    ``processing`` what the message says it is for (MSH-11, HL7 table 0103: P production, T
    training, D debugging), empty if it does not say.

    Of a tree (XML) ``segments`` holds the root alone, as a Branch; ``name`` then tells the
    place of an element or its part as people write it. ``at`` is the message's own time where
    no rule says another; ``mended`` what the adapter had to mend: code and sentence;
    ``original`` the document's own bytes, where a resource is to keep them; ``valued`` the
    places of a tree that hold something, without numbers; ``asks``: it states nothing, it is a
    question; ``given``: the resources that it holds as FHIR, to be taken as they are; ``release``
    lets go of a tree whose elements know one another, once nobody reads it any more.
    """

    kind: str
    segments: tuple[Segment, ...]
    charset: str = "utf-8"
    processing: str = ""
    name: Callable[[Place], str] | None = None
    at: str = ""
    mended: tuple[tuple[str, str], ...] = ()
    original: bytes = b""
    valued: Callable[[], Iterable[str]] | None = None
    asks: bool = False
    given: tuple[Given, ...] = ()
    release: Callable[[], None] | None = None
