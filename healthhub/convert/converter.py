"""Turns the raw messages of one source into drafts, merges and findings, and explains them."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from healthhub.adapter_api import Adapter, find
from healthhub.adapter_api.record import Place, Record, Row
from healthhub.convert.explained import Explained
from healthhub.convert.forms import Forms
from healthhub.convert.met import described
from healthhub.convert.own_codes import OwnCodes
from healthhub.convert.taken import Taking
from healthhub.errors import Unprocessable
from healthhub.mapping.definition import Code
from healthhub.mapping.library import Library
from healthhub.mapping.run import Context, Run
from healthhub.mapping.tables import bind, of_tables
from healthhub.model.code_maps import Overlay
from healthhub.model.finding import Finding
from healthhub.model.resource import Converted, Draft
from healthhub.terms import judged


class SourceSettings(Protocol):
    """What a converter must know of a source; settings.Source has this shape."""

    @property
    def institution(self) -> str:
        """Code of the institution that owns it."""
        ...

    @property
    def mapping(self) -> str:
        """Its mapping."""
        ...

    @property
    def namespace(self) -> str:
        """Who assigns its numbers; empty: the institution."""
        ...

    @property
    def charset(self) -> str:
        """Charset of bytes that do not declare one rightly."""
        ...

    @property
    def zone(self) -> str:
        """Zone of times without an offset."""
        ...

    @property
    def endpoint(self) -> str:
        """Public address of its images; empty if they cannot be had."""
        ...

    @property
    def accept_processing(self) -> tuple[str, ...]:
        """Processing ids (MSH-11) of messages that enter records."""
        ...


class Converter:
    """Converts the messages of one source. Made once; it remembers nothing of a message but the
    forms of resources that were found to be valid."""

    def __init__(self, source_name: str, source: SourceSettings, library: Library) -> None:
        self.source_name = source_name
        self._source = source
        self._compiled = library.mapping(source.mapping)
        self._adapter: Adapter = find(self._compiled.adapter)
        self._context = Context(
            source_name,
            source.namespace or source.institution,
            ZoneInfo(source.zone),
            library.terms,
            source.endpoint,
        )
        self._known = judged.known(library.folder)
        self._forms = Forms()
        self._columns = of_tables(self._compiled.definition.tables)

    @property
    def mapping(self) -> str:
        """Name and version of the mapping, as explanations state them."""
        return f"{self._compiled.name} {self._compiled.version}"

    def overlaid(self, overlay: Overlay) -> Converter:
        """The same converter with what people have mapped beside the mapping."""
        twin = copy.copy(self)
        twin._compiled = self._compiled.overlaid(overlay)
        return twin

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its mapping, then what that extends, step by step."""
        return self._compiled.lineage

    def entry(self, table: str, code: str) -> Code | None:
        """What the mapping, with its overlay, makes of a code; None: it is unknown."""
        return self._compiled.entry(table, code)

    def convert(self, message_id: int, raw: bytes, received: datetime) -> Converted:
        """What the message says. Raises BadMessage when it cannot be read.

        Each draft has been checked against FHIR R4; one that fails is left out and told by a
        finding of severity error, which parks the message. Where the message states one resource
        in several drafts of different weight, they are checked together. A message that says
        it is a test or training (HL7 v2.5.1, table 0103) makes nothing unless the source may
        send such.
        """
        record = self._read(raw)
        if record.processing and record.processing not in self._source.accept_processing:
            return Converted((), (), (_not_for_records(record.processing, self.source_name),))
        if record.asks:
            return Converted((), (), (_QUESTION,))
        run = self._run(message_id, record, received)
        good = {id(d): self._is_good(d, run) for d in {id(d): d for d in run.drafts}.values()}
        drafts = [draft for draft in run.drafts if good[id(draft)]]
        sightings = described(run.sightings.values(), drafts) if run.sightings else ()
        converted = Converted(tuple(drafts), tuple(run.merges), tuple(run.findings), sightings)
        if isinstance(run, Run):
            run.release()
        return converted

    def _run(self, message_id: int, record: Record, received: datetime) -> Run | Taking:
        """A message through the rules, or, where it is FHIR itself, as it came."""
        if record.given:
            return self._taking(message_id, record, received)
        return self._compiled.run(self._context, record, message_id, received)

    def _taking(self, message_id: int, record: Record, received: datetime) -> Taking:
        definition, context = self._compiled.definition, self._context
        codes = OwnCodes(definition.codes, self._compiled.entry, context.terms)
        return Taking(
            context, record, message_id, received, definition.take, self._known, codes
        ).run()

    def _read(self, raw: bytes) -> Record:
        return bind(self._adapter.read(raw, self._source), self._columns)

    def _is_good(self, draft: Draft, run: Run | Taking) -> bool:
        """Whether a draft is R4; if not, a finding tells. One said twice is judged once."""
        try:
            self._check(draft, run)
        except Unprocessable as error:
            place = run.place(draft) if isinstance(run, Taking) else ""
            run.findings.append(_invalid(draft, error, place))
            return False
        if isinstance(run, Taking):
            run.judge(draft)
        return True

    def _check(self, draft: Draft, run: Run | Taking) -> None:
        try:
            self._forms.check(draft.body, run.kept.forms if isinstance(run, Run) else None)
        except Unprocessable:
            twins = [d for d in run.drafts if (d.type, d.id) == (draft.type, draft.id)]
            if len(twins) < 2:
                raise
            self._forms.check({key: part for d in twins for key, part in d.body.items()})

    def draft(self, message_id: int, raw: bytes, received: datetime) -> Run | Taking:
        """The conversion without the check, for trying mappings out."""
        return self._run(message_id, self._read(raw), received)

    def explain(self, message_id: int, raw: bytes, received: datetime) -> list[Explained]:
        """Each FHIR element of the outcome, with its rule and the bytes that it came from."""
        record = self._read(raw)
        if record.given:
            return list(self._taking(message_id, record, received).explained())
        run = self._compiled.trace(self._context, record, message_id, received)
        locator = _Locator(self._adapter, raw, self._source, record)
        return [
            Explained(
                reference,
                said.path,
                str(said.value) if isinstance(said.value, str) else said.value,
                said.need.rule,
                tuple(locator.path(place) for place in said.places),
                tuple(locator.span(place) for place in said.places),
            )
            for reference, entries in run.said_by
            for said in entries
        ]


class _Locator:
    """Names places and finds their bytes, each once."""

    def __init__(
        self, adapter: Adapter, raw: bytes, source: SourceSettings, record: Record
    ) -> None:
        self._adapter, self._raw, self._source = adapter, raw, source
        self._names: list[str] = []
        self._segments = record.segments
        self._spans: dict[Place, tuple[int, int]] = {}
        self._name = record.name
        counts: dict[str, int] = {}
        for segment in record.segments:
            counts[segment.name] = counts.get(segment.name, 0) + 1
            self._names.append(f"{segment.name}[{counts[segment.name]}]")

    def path(self, place: Place) -> str:
        """``OBX[3]-5.1`` or ``PID[1]-3[2].1``; of a row
        ``PAT[1]-姓名``; of XML the path of the element."""
        if self._name is not None:
            return self._name(place)
        text, segment = self._names[place.segment], self._segments[place.segment]
        if place.field:
            named = segment.headings[place.field] if isinstance(segment, Row) else place.field
            text += f"-{named}"
            if place.repetition > 0:
                text += f"[{place.repetition + 1}]"
            if place.component:
                text += f".{place.component}"
            if place.subcomponent:
                text += f".{place.subcomponent}"
        return text

    def span(self, place: Place) -> tuple[int, int]:
        """Start and end byte."""
        found = self._spans.get(place)
        if found is None:
            sought = place
            segment = self._segments[place.segment] if self._name is None else None
            if isinstance(segment, Row) and place.field:
                heading = segment.headings[place.field]
                sought = place._replace(field=list(segment.cells).index(heading) + 1)
            found = self._spans[place] = self._adapter.locate(self._raw, self._source, sought)
        return found


_QUESTION = Finding(
    "warning",
    "question",
    "",
    "the message is a query, which states nothing to store; let its sender ask at the address "
    "that answers: /feeds/NAME/soap, with sources.NAME.client set",
)


def _not_for_records(processing: str, source: str) -> Finding:
    what = {"T": "training", "D": "debugging"}.get(processing, "no production")
    return Finding(
        "error",
        "not-production",
        "MSH-11",
        f"the message is marked {processing} ({what}), so nothing of it entered a record; if it "
        f"is real, let its sender send P, or set sources.{source}.accept_processing, and replay",
        value=processing,
    )


def _invalid(draft: Draft, error: Unprocessable, place: str) -> Finding:
    where = error.expression or draft.type
    remedy = "let its sender correct it" if place else "correct the mapping's rule for it"
    return Finding(
        "error",
        "invalid",
        place,
        f"{where} of {draft.type}/{draft.id} breaks FHIR R4: {error.message}; "
        f"{remedy} and replay",
    )
