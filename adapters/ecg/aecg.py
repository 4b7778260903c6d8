"""HL7 annotated ECG (V3, PORT_MT020001) to recordings. The XML is read as all XML is: without
DTDs, within limits, in whatever charset and wrapping it comes (adapters.hl7v3.document)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from adapters.ecg import recording
from adapters.ecg.recording import NOTHING, Lead, Measurement, Recording, plain, too_much
from adapters.hl7v3.document import Document
from adapters.hl7v3.document import read as document
from adapters.hl7v3.locate import span
from adapters.hl7v3.node import Node
from adapters.hl7v3.ways import found
from adapters.tree import Piece, Tree
from healthhub.adapter_api import BadMessage, paths

ROOT = "AnnotatedECG"
_RHYTHM = "RHYTHM"
_TIMES = ("TIME_ABSOLUTE", "TIME_RELATIVE")
_STATEMENTS = ("MDC_ECG_INTERPRETATION_STATEMENT", "MDC_ECG_INTERPRETATION_SUMMARY")
_INTERPRETATION = "MDC_ECG_INTERPRETATION"
_MILLISECONDS = {"s": 1000, "ms": 1, "us": Decimal("0.001")}
_DIGITS = re.compile(r"\s*+(?:[-+]?\d++(?:\.\d++)?+(?:[eE][+-]?\d{1,2})?+(?:\s++|$))*+")
_BLOCK = 2**16
"""Characters of samples that are looked at together: a day's are not to be millions of texts."""
MOST_TEXT = 16 * 2**20
"""Bytes of a document: six minutes of twelve leads at 1000 a second."""
_PERSON = "**/trialSubject/subjectDemographicPerson/"
_DEVICE = "**/seriesAuthor/"
_SAID = (
    ("patient/id", ("**/trialSubject/id/@extension",)),
    ("patient/sex", (_PERSON + "administrativeGenderCode/@code",)),
    ("patient/birth", (_PERSON + "birthTime/@value",)),
    ("device/serial", (_DEVICE + "manufacturedSeriesDevice/id/@extension",)),
    ("device/model", (_DEVICE + "manufacturedSeriesDevice/manufacturerModelName",)),
    ("device/software", (_DEVICE + "manufacturedSeriesDevice/softwareName",)),
    ("device/manufacturer", (_DEVICE + "manufacturerOrganization/name",)),
    (
        "institution",
        ("location/testingSite/location/name", "**/trialSite/location/name"),
    ),
    ("technician", ("**/seriesPerformer/assignedPerson/name",)),
    ("order", ("componentOf/timepointEvent/id/@extension",)),
    ("confirmedBy", ("**/annotationSet/author/**/assignedPerson/name",)),
    ("confirmed", ("confirmed/@value",)),
)


def read(raw: bytes, charset: str) -> Tree:
    """The recording; raises BadMessage with the byte."""
    if len(raw) > MOST_TEXT:
        raise too_much(f"the document is over {MOST_TEXT} bytes", f"byte {MOST_TEXT + 1}")
    return _Reader(document(raw, charset), len(raw)).recording()


class _Reader:
    """One document being read."""

    def __init__(self, source: Document, size: int) -> None:
        if source.root.name != ROOT:
            raise BadMessage(
                f"the document is no {ROOT}; send other XML to the hl7v3 or cda feed",
                condition="200",
                place="byte 1",
            )
        self._source = source
        self._made = Recording("AECG", size)

    def recording(self) -> Tree:
        """The tree of the document."""
        root = self._source.root
        number = self._first(root, "id/@root"), self._first(root, "id/@extension")
        self._made.say("id", *(p for p in (_joined(*number),) if p.text))
        for path, ways in _SAID:
            self._made.say(path, self._first(root, *ways))
        self._made.say("patient/name", self._name())
        rhythms = [
            series
            for series in self._all(root, "component/series")
            if self._first(series, "code/@code").text in (_RHYTHM, "")
        ]
        seconds = Decimal(0)
        for series in rhythms:
            for sequences in self._all(series, "component/sequenceSet"):
                seconds = max(seconds, self._set(sequences))
        ways = (
            "component/series/effectiveTime/low/@value",
            "effectiveTime/center/@value",
            "effectiveTime/low/@value",
            "effectiveTime/@value",
        )
        self._made.say("time", self._first(root, *ways))
        for note in self._all(root, "**/annotation"):
            self._annotation(note)
        return self._made.finish(seconds)

    def _name(self) -> Piece:
        """A name as one text, or family and given."""
        path = _PERSON + "name"
        whole = self._first(self._source.root, path)
        if whole.text:
            return whole
        family = self._first(self._source.root, path + "/family")
        given = self._first(self._source.root, path + "/given")
        text = family.text + given.text
        if text.isascii():
            text = f"{given.text} {family.text}".strip()
        return Piece(text, min(family.start, given.start), max(family.end, given.end))

    def _set(self, sequences: Node) -> Decimal:
        """Sequences that were recorded together; gives their seconds."""
        parts = self._all(sequences, "component/sequence")
        timed = [p for p in parts if self._first(p, "code/@code").text in _TIMES]
        increment = self._first(timed[0], "value/increment/@value") if timed else NOTHING
        unit = self._first(timed[0], "value/increment/@unit").text if timed else ""
        step = _number(increment.text)
        if step is None or unit not in _MILLISECONDS or step <= 0:
            raise self._wrong(
                "a set of sequences states no time between its samples", sequences
            )
        period = step * _MILLISECONDS[unit]
        longest = 0
        for part in parts:
            if part not in timed:
                longest = max(longest, self._sequence(part, increment, period))
        return longest * period / 1000

    def _sequence(self, part: Node, increment: Piece, period: Decimal) -> int:
        """A lead; gives the number of its samples."""
        digits = self._all(part, "value/digits")
        if not digits:
            raise self._wrong("a sequence holds no digits", part)
        text = digits[0].text
        count = _count(text)
        if count is None:
            raise self._wrong("a sample is no number", digits[0])
        if not count:
            raise self._wrong("a sequence holds no digits", part)
        shown = recording.kept(count, period, self._place(part))
        span_of = self._span(digits[0], "")
        scale = self._first(part, "value/scale/@value")
        self._made.lead(
            Lead(
                code=self._first(part, "code/@code"),
                name=self._first(part, "code/@displayName"),
                system=self._first(part, "code/@codeSystem"),
                origin=self._or_zero(part),
                unit=self._first(part, "value/scale/@unit", "value/origin/@unit"),
                period=increment._replace(text=plain(period)),
                factor=scale if _number(scale.text) is not None else Piece("1"),
                data=Piece(" ".join(text.split(None, shown)[:shown]), *span_of),
            )
        )
        return count

    def _or_zero(self, part: Node) -> Piece:
        origin = self._first(part, "value/origin/@value")
        return origin if _number(origin.text) is not None else origin._replace(text="0")

    def _annotation(self, note: Node) -> None:
        """A statement, or a measurement of the whole: one that no lead and no beat has."""
        code = self._first(note, "code/@code")
        if code.text in _STATEMENTS or code.text == _INTERPRETATION:
            said = self._first(note, "value")
            self._made.say("statement", said)
            return
        value = self._first(note, "value/@value")
        if not code.text or _number(value.text) is None or self._all(note, "support"):
            return
        self._made.measurement(
            Measurement(
                code,
                self._first(note, "code/@displayName"),
                self._first(note, "code/@codeSystem"),
                value,
                self._first(note, "value/@unit"),
            )
        )

    def _all(self, node: Node, path: str) -> list[Node]:
        return [inner for inner, _ in found(node, paths.number(path))]

    def _first(self, node: Node, *ways: str) -> Piece:
        """The first value that one of the paths leads to."""
        for piece in self._each(node, ways):
            return piece
        return NOTHING

    def _each(self, node: Node, ways: tuple[str, ...]) -> Iterator[Piece]:
        for path in ways:
            for inner, attribute in found(node, paths.number(path)):
                text = inner.attributes.get(attribute, "") if attribute else inner.text
                if text.strip():
                    yield Piece(text.strip(), *self._span(inner, attribute))

    def _span(self, node: Node, attribute: str) -> tuple[int, int]:
        return self._source.outer(*span(self._source.data, node, attribute, whole=True))

    def _place(self, node: Node) -> str:
        return f"byte {self._span(node, '')[0] + 1}"

    def _wrong(self, what: str, node: Node) -> BadMessage:
        return BadMessage(
            f"{what}; correct what builds the document",
            condition="102",
            place=self._place(node),
        )


def _joined(root: Piece, extension: Piece) -> Piece:
    """An identifier as one text; an OID alone names its maker, a UUID the document."""
    if not extension.text:
        return root
    start = min(p.start for p in (root, extension) if p.end) if root.end or extension.end else 0
    text = f"{root.text}|{extension.text}" if root.text else extension.text
    return Piece(text, start, max(root.end, extension.end))


def _count(text: str) -> int | None:
    """How many numbers a text is, block by block; None if one of them is no number."""
    count = at = 0
    while at < len(text):
        end = at + _BLOCK
        while end < len(text) and not text[end].isspace():
            end += 1
        block = text[at:end]
        if _DIGITS.fullmatch(block) is None:
            return None
        count += len(block.split())
        at = end
    return count


def _number(text: str) -> Decimal | None:
    try:
        found_number = Decimal(text)
    except InvalidOperation:
        return None
    return found_number if found_number.is_finite() and abs(found_number) < 10**12 else None
