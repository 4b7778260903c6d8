"""The traced run: the same rules, remembering for each element what was read where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from healthhub.adapter_api.record import Branch, Place, Record, Segment
from healthhub.adapter_api.text import clean
from healthhub.mapping import reads
from healthhub.mapping.expressions import Filter
from healthhub.mapping.functions.registry import Need
from healthhub.mapping.run import Run

Mark = tuple[int, int]


class Piece(str):
    """A text that knows where in the record it stands."""

    __slots__ = ("log", "place")
    place: Place
    log: list[Place]

    @staticmethod
    def of(text: str, place: Place, log: list[Place]) -> Piece:
        """A text with its place."""
        piece = Piece(text)
        piece.place = place
        piece.log = log
        return piece


class TracedSegment(Segment):
    """A segment that notes what is read of it."""

    __slots__ = ("log",)
    log: list[Place]


class TracedBranch(Branch):
    """An element that notes what is read of it, and of those below it."""

    __slots__ = ("branch", "log")
    branch: Branch
    log: list[Place]

    def below(self, number: int) -> list[Branch]:
        """See Branch."""
        return [_twin(inner, self.log) for inner in self.branch.below(number)]


def _twin(branch: Branch, log: list[Place]) -> TracedBranch:
    twin = TracedBranch(branch.name, branch.text, branch.index, _no_fields)
    twin.fields, twin.branch, twin.log = branch.fields, branch, log
    return twin


def _no_fields(name: str, text: str) -> list[str]:
    return []


def traced(record: Record, log: list[Place]) -> Record:
    """A record whose segments note what is read of them."""
    segments: list[Segment] = []
    for segment in record.segments:
        if isinstance(segment, Branch):
            segments.append(_twin(segment, log))
            continue
        twin = TracedSegment(segment.name, segment.text, segment.index, _no_fields)
        twin.fields = segment.fields
        twin.log = log
        segments.append(twin)
    return replace(record, segments=tuple(segments))


@dataclass(frozen=True, slots=True)
class Said:
    """An element that a rule has filled: path below the resource, value, rule, places read."""

    path: str
    value: Any
    need: Need
    places: tuple[Place, ...]


class TracedRun(Run):
    """A run that keeps a log of elements and reads."""

    log: list[Place]
    entries: list[Said]
    said_by: list[tuple[str, list[Said]]]

    def begin(self, log: list[Place]) -> None:
        """Take the log that the record's segments write to."""
        self.log = log
        self.entries = []
        self.said_by = []

    def mark(self) -> Mark:
        """Where the log stands now."""
        return len(self.entries), len(self.log)

    def reset(self, mark: Mark) -> None:
        """Forget what conditions have read since a mark."""
        del self.log[mark[1] :]

    def read(self, value: Any) -> None:
        """Note that a value, or several at once, were taken."""
        for piece in cast(list[Any], value) if isinstance(value, list) else [value]:
            if isinstance(piece, Piece):
                self.log.append(piece.place)

    def said(self, mark: Mark, path: str, value: Any, need: Need) -> None:
        """A rule has filled ``path``; what its data type said since the mark lies below it."""
        if len(self.entries) > mark[0]:
            self.wrap(mark, path)
            return
        places = tuple(dict.fromkeys(self.log[mark[1] :]))
        self.entries.append(Said(path, value, need, places))

    def wrap(self, mark: Mark, path: str) -> None:
        """What was said since the mark lies below ``path``."""
        if not path:
            return
        for index in range(mark[0], len(self.entries)):
            old = self.entries[index]
            inner = f"{path}.{old.path}" if old.path else path
            self.entries[index] = Said(inner, old.value, old.need, old.places)

    def drop(self, mark: Mark) -> None:
        """What was said since the mark came to nothing."""
        del self.entries[mark[0] :]

    def close(self, reference: str) -> None:
        """A resource is complete; its elements are those said since the last."""
        self.said_by.append((reference, self.entries))
        self.entries = []


def _pieces(
    segments: Sequence[Any],
    number: int,
    component: int,
    sub: int,
    which: int,
    filters: Sequence[Filter],
) -> list[Piece]:
    """The values of a path with their places."""
    found: list[Piece] = []
    for segment in segments:
        field = segment.field(number)
        for index, repetition in enumerate(field.split("~")) if field else ():
            if which and index != which - 1:
                continue
            if filters and not reads.vsf([_Lone(number, repetition)], number, 0, filters):  # type: ignore[list-item]
                continue
            place = Place(segment.index, number, index, component, sub)
            text = reads.part(repetition, 0, component, sub)
            if text and text != reads.NULL:
                found.append(Piece.of(text, place, segment.log))
    return found


class _Lone:
    """One repetition as if it were a segment."""

    def __init__(self, number: int, repetition: str) -> None:
        self._number, self._repetition = number, repetition

    def field(self, number: int) -> str:
        """The repetition."""
        return self._repetition if number == self._number else ""


def vs(segments: Any, number: int, component: int = 0, sub: int = 0) -> list[Piece]:
    """As reads.vs."""
    return _pieces(segments, number, component, sub, 0, ())


def v1(segments: Any, number: int, component: int = 0, sub: int = 0) -> Piece | None:
    """As reads.v1."""
    found = vs(segments, number, component, sub)
    return found[0] if found else None


def vsf(
    segments: Any, number: int, which: int, filters: Any, component: int = 0, sub: int = 0
) -> list[Piece]:
    """As reads.vsf."""
    return _pieces(segments, number, component, sub, which, filters)


def _texts(found: list[Piece]) -> list[Piece]:
    texts: list[Piece] = []
    for piece in found:
        text, place = str(piece), piece.place
        if not place.component and "^" in text:
            text, place = text.split("^", 1)[0], place._replace(component=1)
        if not place.subcomponent and "&" in text:
            text, place = text.split("&", 1)[0], place._replace(subcomponent=1)
        shown = clean(text)
        if shown is not None:
            texts.append(Piece.of(shown, place, piece.log))
    return texts


def ts(segments: Any, number: int, component: int = 0, sub: int = 0) -> list[Piece]:
    """As reads.ts."""
    return _texts(vs(segments, number, component, sub))


def tsf(
    segments: Any, number: int, which: int, filters: Any, component: int = 0, sub: int = 0
) -> list[Piece]:
    """As reads.tsf."""
    return _texts(vsf(segments, number, which, filters, component, sub))


def _first(texts: list[Piece]) -> Piece | None:
    if not texts:
        return None
    texts[0].log.append(texts[0].place)
    return texts[0]


def t(segments: Any, number: int) -> Piece | None:
    """As reads.t."""
    return _first(ts(segments, number))


def tc(segments: Any, number: int, component: int, sub: int = 0) -> Piece | None:
    """As reads.tc."""
    return _first(ts(segments, number, component, sub))


def tf(
    segments: Any, number: int, which: int, filters: Any, component: int = 0, sub: int = 0
) -> Piece | None:
    """As reads.tf."""
    return _first(tsf(segments, number, which, filters, component, sub))


def cut(value: str, separator: str) -> list[str]:
    """As reads.cut."""
    parts = value.split(separator)
    if not isinstance(value, Piece):
        return parts
    name = "component" if separator == "^" else "subcomponent"
    if separator == "\0":
        return [value]
    return [
        Piece.of(text, value.place._replace(**{name: number}), value.log)
        for number, text in enumerate(parts, 1)
    ]


def _noted(text: str | None, piece: str) -> str | None:
    if text is None or not isinstance(piece, Piece):
        return text
    piece.log.append(piece.place)
    return Piece.of(text, piece.place, piece.log)


def rt(parts: Sequence[str], number: int) -> str | None:
    """As reads.rt."""
    return None if number > len(parts) else _noted(reads.rt(parts, number), parts[number - 1])


def rts(parts: Sequence[str], number: int, sub: int) -> str | None:
    """As reads.rts."""
    if number > len(parts):
        return None
    pieces = cut(parts[number - 1], "&")
    return (
        _noted(reads.rts(parts, number, sub), pieces[sub - 1]) if sub <= len(pieces) else None
    )


def rv(parts: Sequence[str], number: int) -> str | None:
    """As reads.rv; the value is noted when it is taken as a whole."""
    return reads.rv(parts, number)


def rvs(parts: Sequence[str], number: int, sub: int) -> str | None:
    """As reads.rvs."""
    if number > len(parts) or reads.rvs(parts, number, sub) is None:
        return None
    return cut(parts[number - 1], "&")[sub - 1]


def wt(value: str, separator: str) -> str | None:
    """As reads.wt."""
    return _noted(reads.wt(value, separator), value)
