"""Reports and documents: laboratory and imaging reports, and what was filed as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healthhub.model.resource import Body
from healthhub.serve.record.observations import STATES, Reading, State
from healthhub.serve.record.origin import Origin, Sources
from healthhub.serve.record.reading import (
    Concept,
    Moment,
    codes,
    concept,
    display,
    first_moment,
    reference_id,
)

LABORATORY = frozenset(
    {
        "LAB",
        "CH",
        "HM",
        "MB",
        "IMM",
        "SR",
        "BLB",
        "TX",
        "VR",
        "MCB",
        "MYC",
        "PAR",
        "CG",
        "GE",
        "URN",
    }
)
IMAGING = frozenset(
    {
        "RAD",
        "RX",
        "CT",
        "NMR",
        "MR",
        "US",
        "OUS",
        "RUS",
        "VUS",
        "NMS",
        "CUS",
        "IMG",
        "XRC",
        "CTH",
        "MG",
        "DSA",
        "DX",
        "CR",
    }
)
TRACING = frozenset({"EC", "ECG", "EN", "CP", "SP", "PAT", "CUS", "PF", "ENDO"})
"""Codes of HL7 table 0074 and DICOM modalities, as OBR-24 carries them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading and the text beneath it (findings, impression)."""

    heading: Concept
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report or document. ``kind`` is laboratory, imaging, examination or document."""

    id: str
    type: str
    kind: str
    title: Concept
    at: Moment | None
    state: State
    conclusion: str
    passages: tuple[Passage, ...]
    readings: tuple[Reading, ...]
    author: str
    specimen: str
    origin: Origin
    visit: str

    @property
    def marked(self) -> tuple[Reading, ...]:
        """The readings that carry a mark."""
        return tuple(item for item in self.readings if item.marked.mark)


def reports(
    bodies: Sequence[Body],
    readings: Mapping[str, Reading],
    sources: Sources,
    names: dict[str, str],
) -> tuple[Report, ...]:
    """DiagnosticReport resources with their readings, the latest first."""
    found = [_report(body, readings, sources, names) for body in bodies]
    return tuple(sorted(found, key=_issued, reverse=True))


def documents(
    bodies: Sequence[Body], sources: Sources, names: dict[str, str]
) -> tuple[Report, ...]:
    """DocumentReference resources, the latest first."""
    found = [_document(body, sources, names) for body in bodies]
    return tuple(sorted(found, key=_issued, reverse=True))


def kind_of(report: Body) -> str:
    """What kind of report this is, by its category; laboratory when it has only values."""
    category = codes(report.get("category"))
    if category & IMAGING:
        return "imaging"
    if category & TRACING:
        return "examination"
    if category & LABORATORY or report.get("result"):
        return "laboratory"
    return "examination"


def result_ids(report: Body) -> list[str]:
    """Ids of the Observations that the report lists."""
    targets = (reference_id(item) for item in report.get("result", ()))
    return [
        target[len("Observation/") :] for target in targets if target.startswith("Observation/")
    ]


def _report(
    body: Body, readings: Mapping[str, Reading], sources: Sources, names: dict[str, str]
) -> Report:
    kind = kind_of(body)
    own = [readings[key] for key in result_ids(body) if key in readings]
    passages = [Passage(item.name, item.value.text) for item in own if kind != "laboratory"]
    performers = [*body.get("resultsInterpreter", ()), *body.get("performer", ())]
    return Report(
        id=body["id"],
        type="DiagnosticReport",
        kind=kind,
        title=concept(body.get("code")),
        at=first_moment(body, "issued", "effectiveDateTime", "effectivePeriod"),
        state=_state(body.get("status", "")),
        conclusion=body.get("conclusion", "") or _impression(passages),
        passages=tuple(passage for passage in passages if passage.text),
        readings=tuple(own),
        author="、".join(dict.fromkeys(filter(None, (display(p, names) for p in performers)))),
        specimen="、".join(filter(None, (display(s, names) for s in body.get("specimen", ())))),
        origin=sources.of(body),
        visit=reference_id(body.get("encounter")),
    )


def _state(status: str) -> State:
    if status == "appended":
        return State.CORRECTED
    return State.PRELIMINARY if status == "partial" else STATES.get(status, State.VALID)


def _impression(passages: Sequence[Passage]) -> str:
    """The passage that says what the findings mean."""
    for passage in passages:
        words = passage.heading.label("zh").lower()
        if any(word in words for word in ("印象", "结论", "诊断", "提示", "impression")):
            return passage.text
    return ""


def _document(body: Body, sources: Sources, names: dict[str, str]) -> Report:
    title = concept(body.get("type"))
    described = body.get("description", "")
    encounters = body.get("context", {}).get("encounter", ())
    withdrawn = body.get("status") == "entered-in-error"
    return Report(
        id=body["id"],
        type="DocumentReference",
        kind="document",
        title=title if title else Concept(described),
        at=first_moment(body, "date") or first_moment(body.get("context", {}), "period"),
        state=State.WITHDRAWN if withdrawn else State.VALID,
        conclusion=described if title else "",
        passages=(),
        readings=(),
        author="、".join(filter(None, (display(a, names) for a in body.get("author", ())))),
        specimen="",
        origin=sources.of(body),
        visit=reference_id(encounters[0]) if encounters else "",
    )


def _issued(report: Report) -> float:
    return report.at.at.timestamp() if report.at else 0.0
