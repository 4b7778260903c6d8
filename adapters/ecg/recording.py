"""An electrocardiogram on its way to the record: leads, measurements and statements as a tree.

======================  ==================================================================
/id /kind /time         its number, form (DICOM, AECG, SCP) and when it was taken
/patient /device        who, and with what
/lead                   one for each: 1 code (name, system), 2 origin, 3 unit, 4 period in ms,
                        5 factor, 6 lower and 7 upper limit, 8 samples
/measurement            1 code (name, system), 2 value, 3 unit
/statement /confirmed   interpretation, and when and by whom it was confirmed
/seconds /long          how long it is; /long when the leads hold its beginning alone
/remark                 what a reader of the curve should know of how it was stored
======================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.hl7v3.node import Node
from adapters.tree import Piece, Tree
from healthhub.adapter_api import BadMessage

MOST_BYTES = 32 * 2**20
"""A long one is stored whole, in base64: at this size a worker stays within its memory."""
MOST_LEADS = 64
MOST_SAMPLES = 16_000_000
"""Samples of one lead; two days at 90 a second, 4.4 hours at 1000."""
INLINE_SECONDS = 60
EXCERPT_SECONDS = 10
"""A longer recording is kept whole beside the Observation, which holds its beginning."""
NOTHING = Piece("")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead as it was read. ``period`` is in milliseconds, ``data`` samples with blanks
    between them, E where there is none (FHIR R4, SampledData)."""

    code: Piece
    name: Piece
    system: Piece
    origin: Piece
    unit: Piece
    period: Piece
    factor: Piece
    data: Piece
    lower: Piece = NOTHING
    upper: Piece = NOTHING
    text: Piece = NOTHING


@dataclass(frozen=True, slots=True)
class Measurement:
    """One global measurement."""

    code: Piece
    name: Piece
    system: Piece
    value: Piece
    unit: Piece


class Recording:
    """The tree of one recording."""

    def __init__(self, kind: str, size: int) -> None:
        self.tree = Tree("ecg", 0, size)
        self.kind = kind
        self.tree.leaf(self.tree.root, "kind", Piece(kind))
        self._branches: dict[str, Node] = {}
        self._leads = 0

    def say(self, path: str, *pieces: Piece) -> None:
        """A value under a path of one or two names: ``time``, ``patient/id``."""
        above, _, name = path.rpartition("/")
        if not pieces or not pieces[0].text:
            return
        parent: Node = self.tree.root
        if above:
            parent = self._branches.get(above) or self.tree.branch(parent, above)
            self._branches[above] = parent
        self.tree.leaf(parent, name, *pieces)

    def lead(self, lead: Lead) -> None:
        """Add a lead."""
        self._leads += 1
        if self._leads > MOST_LEADS:
            raise too_much(f"there are more than {MOST_LEADS} leads", f"lead {self._leads}")
        # One that nobody has named is kept as what it is: the third, say.
        name = lead.name
        if not lead.code.text and not name.text:
            name = Piece(f"lead {self._leads}", lead.data.start, lead.data.end)
        named = (
            ("code", _coded(lead.code, name, lead.system, lead.text)),
            ("origin", lead.origin),
            ("unit", lead.unit),
            ("period", lead.period),
            ("factor", lead.factor),
            ("lowerLimit", lead.lower),
            ("upperLimit", lead.upper),
            ("data", lead.data),
        )
        self.tree.leaf(self.tree.root, "lead", *(p._replace(name=n) for n, p in named))

    def measurement(self, found: Measurement) -> None:
        """Add a measurement that has a value."""
        if not found.value.text:
            return
        named = (
            ("code", _coded(found.code, found.name, found.system, NOTHING)),
            ("value", found.value),
            ("unit", found.unit),
        )
        self.tree.leaf(self.tree.root, "measurement", *(p._replace(name=n) for n, p in named))

    def finish(self, seconds: Decimal) -> Tree:
        """The tree, once all is said; raises BadMessage when it holds no lead."""
        if not self._leads:
            raise BadMessage(
                "the recording holds no lead; send one with its samples",
                condition="101",
                place="lead 1",
            )
        self.say("seconds", Piece(plain(seconds)))
        if seconds > INLINE_SECONDS:
            self.say("long", Piece("true"))
        return self.tree.finish()


def _coded(code: Piece, name: Piece, system: Piece, text: Piece) -> Piece:
    """A code with its parts as functions on codes take them: original text is the ninth."""
    stood = code if code.text else name
    parts = [code.text, name.text, system.text, *[""] * 5, text.text]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return stood._replace(parts=tuple(parts))


def cleaned(text: str) -> str:
    """A text without the control characters that damage or padding leave in binary forms."""
    return _CONTROLS.sub("", text).strip()


def kept(count: int, period_ms: Decimal, place: str) -> int:
    """How many of a lead's samples the Observation holds: all, or the beginning of a long one."""
    if count > MOST_SAMPLES:
        raise too_much(f"a lead of {count} samples is longer than {MOST_SAMPLES}", place)
    if period_ms * count > INLINE_SECONDS * 1000:
        return int(EXCERPT_SECONDS * 1000 / period_ms)
    return count


def too_much(what: str, place: str) -> BadMessage:
    """More than an electrocardiogram has."""
    return BadMessage(f"{what}; divide the recording", condition="102", place=place)


def written(samples: Sequence[int], missing: int | None = None) -> str:
    """Samples as SampledData.data."""
    if missing is None:
        return " ".join(map(str, samples))
    return " ".join("E" if sample == missing else str(sample) for sample in samples)


def plain(value: Decimal) -> str:
    """A decimal without exponent or needless zeros."""
    rounded = round(value, 9)
    text = format(rounded, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
