"""What a map would change: the messages that hold the code, converted as now and as they would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from healthhub import keep
from healthhub.convert import Converter
from healthhub.convert.met import Met, met
from healthhub.errors import HubError
from healthhub.gaps.solving import Place
from healthhub.model.code_maps import Overlay, Solved, Target
from healthhub.model.message import Message
from healthhub.model.resource import Body, Converted, Draft

MOST = 300
"""Messages that are converted for a preview; of more it is an estimate, and says so."""
EXAMPLES = 8
SAMPLES = 25


@dataclass(frozen=True, slots=True)
class Example:
    """One resource that changes: what its element says now, and would say; on whose pages."""

    type: str
    id: str
    patient: UUID
    message: int
    element: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What is stored and would change. Of ``messages``, ``looked`` were converted: ``resources``
    and ``patients`` are of those, and exact when all were looked at. ``parked``: messages that
    could then no longer be stored. ``strays``: resources that would get another id, so that the
    old ones stayed behind. ``whose``: the patients of the examples."""

    messages: int
    looked: int
    resources: int
    patients: int
    parked: int
    strays: int
    examples: tuple[Example, ...]
    whose: tuple[UUID, ...]

    @property
    def exact(self) -> bool:
        """Whether every message was looked at."""
        return self.looked >= self.messages

    def about(self, count: int) -> int:
        """A count of what was looked at, for all messages."""
        return count if self.exact or not self.looked else count * self.messages // self.looked


def samples(
    conn: psycopg.Connection, where: Place, converters: Mapping[str, Converter]
) -> list[tuple[int, Met]]:
    """What the latest messages say of the code, with the messages' numbers, read anew from
    their bytes: nothing of a patient is kept beside them."""
    codes = {gap.code for gap in where.gaps}
    found: list[tuple[int, Met]] = []
    for message in keep.gaps.messages(conn, [gap.id for gap in where.gaps], SAMPLES):
        converted = _converted(message, converters)
        if converted is not None:
            found += [
                (message.id, each) for code in codes for each in met(converted.drafts, code)
            ]
    return found[: 2 * SAMPLES]


def preview(
    conn: psycopg.Connection,
    where: Place,
    target: Target | None,
    overlay: Overlay,
    converters: Mapping[str, Converter],
) -> Preview:
    """Compare both conversions of the latest messages that hold the code. ``converters`` are
    those of the overlay in force; ``target`` None: the code would be unknown."""
    then = {n: c.overlaid(changed(overlay, where, target)) for n, c in converters.items()}
    messages = keep.gaps.messages(conn, [gap.id for gap in where.gaps], MOST)
    differing: dict[tuple[str, UUID], Example] = {}
    whose: dict[UUID, None] = {}
    parked = strays = 0
    for message in messages:
        now, new = _converted(message, converters), _converted(message, then)
        if now is None or new is None:
            continue
        parked += _fails(new) and not _fails(now)
        before = {(d.type, d.id): d for d in now.drafts}
        after = {(d.type, d.id): d for d in new.drafts}
        strays += 0 if _fails(new) else len(before.keys() - after.keys())
        for key in before.keys() & after.keys():
            example = _difference(message.id, before[key], after[key])
            if example is not None and key not in differing:
                differing[key] = example
                whose.setdefault(after[key].patient)
    return Preview(
        where.messages,
        len(messages),
        len(differing),
        len(whose),
        parked,
        strays,
        tuple(list(differing.values())[:EXAMPLES]),
        tuple(list(whose)[:EXAMPLES]),
    )


def changed(overlay: Overlay, where: Place, target: Target | None) -> Overlay:
    """The overlay as it would be."""
    mine = (where.mapping, where.table.name, where.code)
    rest = tuple(e for e in overlay.entries if (e.mapping, e.table, e.code) != mine)
    if target is None:
        return Overlay(overlay.number + 1, rest)
    return Overlay(overlay.number + 1, (*rest, Solved(overlay.number + 1, *mine, target)))


def _converted(message: Message, converters: Mapping[str, Converter]) -> Converted | None:
    converter = converters.get(message.source)
    if converter is None or not message.raw:
        return None
    try:
        return converter.convert(message.id, message.raw, message.received)
    except HubError:
        return None  # such a message is parked by its own finding, whatever a code means


def _fails(converted: Converted) -> bool:
    return any(finding.severity == "error" for finding in converted.findings)


def _difference(message: int, before: Draft, after: Draft) -> Example | None:
    for element in dict.fromkeys((*before.body, *after.body)):
        was, will = before.body.get(element), after.body.get(element)
        if was != will:
            return Example(
                after.type,
                str(after.body["id"]),
                after.patient,
                message,
                element,
                shown(was),
                shown(will),
            )
    return None


def shown(value: Any) -> str:
    """An element in a line: of coded ones each name with its code."""
    return "；".join(_parts(value)) or "—"


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        held: Body = value
        if "code" in held and isinstance(held["code"], str):
            yield " ".join(part for part in (held.get("display", ""), held["code"]) if part)
            return
        known: Sequence[str] = [n for n in ("coding", "text") if n in held]
        for name in ["coding"] if "coding" in held else known or list(held):
            yield from _parts(held[name])
    elif value is not None:
        yield str(value)
