"""What a block's element is made of, and what was made of the same texts before.

Most elements follow from the texts of a few fields alone: a code and its display, a unit, a time
that fifteen results share. The same texts come again and again, in one message and in the next,
so what was made of them is kept and given again. What hangs on anything else (on ids, on siblings,
on the time of receipt) is made anew each time, and so is what led to a finding, which belongs to
its message. What is given is shared by many resources: nobody may change it in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from healthhub.adapter_api.record import Segment
from healthhub.mapping.elements import Element
from healthhub.mapping.expressions import Constant, Expression, Path
from healthhub.mapping.functions import FUNCTIONS
from healthhub.mapping.sources import Sources

MOST = 4096
"""Values kept for one mapping and source; then all are let go of, and what is used often is soon
there again."""
LONGEST = 300
"""Characters of the texts that a value may be kept for: no document is."""
OF_THE_MESSAGE = frozenset(("message", "event", "received", "original"))
OF_THE_TREE = frozenset(("ref", "link", "refs", "nth", "erase"))
OTHER = Path("", "?")
"""Stands for whatever is no field."""
Cells = tuple[tuple[str, tuple[int, ...]], ...]
"""Segments, each with the numbers of its fields; a segment without a name is the value at hand."""


class Kept:
    """The values kept for one mapping and source; a shelf for each element, by its texts."""

    def __init__(self, shelves: int) -> None:
        self.shelves: list[dict[Any, Any]] = [{} for _ in range(shelves)]
        self.forms: dict[int, int] = {}
        """What the check knows of values kept (lists and objects), by their identity: they are
        there as long as their entry; 0 for one that is yet to be judged."""
        self._count = 0

    def keep(self, shelf: int, texts: Any, made: Any) -> None:
        """Keep what was made of some texts."""
        if _length(texts) > LONGEST:
            return
        if self._count >= MOST:
            for each in self.shelves:
                each.clear()
            self.forms.clear()
            self._count = 0
        self.shelves[shelf][texts] = made
        if type(made) in (dict, list):
            self.forms[id(made)] = 0
        self._count += 1


def _length(texts: Any) -> int:
    return len(texts) if isinstance(texts, str) else sum(map(_length, texts))


def cells(segments: Sequence[Segment], numbers: tuple[int, ...]) -> tuple[str, ...]:
    """The texts of some fields, of all segments of a name."""
    if len(segments) == 1:
        fields = segments[0].fields
        try:
            return tuple([fields[number] for number in numbers])
        except IndexError:
            return tuple([segments[0].field(number) for number in numbers])
    return tuple([each.field(number) for each in segments for number in numbers])


class Steady(Sources):
    """Tells which elements of a definition follow from the texts of fields alone."""

    def cells(self, elements: Iterable[Element]) -> Cells | None:
        """The fields that some elements of a block follow from; None if they hang on more than
        that, or are so plain that keeping them saves nothing."""
        elements = list(elements)
        paths = {path for element in elements for path in self._of_element(element)}
        if all(map(_plain, elements)) or any(map(_of_other, paths)):
            return None
        found: dict[str, set[int]] = {}
        for path in paths:
            found.setdefault(path.segment, set()).add(path.field)
        return tuple((name, tuple(sorted(found[name]))) for name in sorted(found))

    def segments(self, values: Iterable[Expression]) -> frozenset[str] | None:
        """The segments that some values are read of; None if they hang on more than that."""
        paths = {path for value in values for path in self._of(value)}
        return None if any(map(_of_other, paths)) else frozenset(p.segment for p in paths)

    def _of_element(self, element: Element) -> Iterator[Path]:
        yield from self._of_rules(element.rules)
        for child in element.children.values():
            yield from self._of_element(child)
        for part in element.parts:
            if isinstance(part, Element):
                yield from self._of_element(part)
            else:
                yield from self._of_rules([part])

    def _of_name(self, name: str) -> frozenset[Path]:
        return frozenset((OTHER,)) if name in OF_THE_MESSAGE else super()._of_name(name)

    def _of_call(self, name: str) -> Iterator[Path]:
        function = FUNCTIONS.get(name)
        if name in OF_THE_TREE or (function is not None and function.timely):
            yield OTHER
        yield from super()._of_call(name)


def _of_other(path: Path) -> bool:
    """Whether a path stands for more than the text of a field, such as a whole segment."""
    return bool(path.segment) and not path.field


def _plain(element: Element) -> bool:
    """Whether an element is no more than a text as it stands, or a constant."""
    return (
        not element.array
        and not element.children
        and all(isinstance(rule.value, Path | Constant | None) for rule in element.rules)
    )
