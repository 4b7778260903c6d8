"""The text of the summary, in Chinese and English, as XHTML that R4 allows."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from healthhub.model.resource import Body
from healthhub.serve.fhir.summary.choice import Chosen, says_none
from healthhub.serve.fhir.summary.reading import (
    code_in,
    status_of,
    subject_code,
    value_of,
    when,
    words,
)

Both = tuple[str, str]
XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True, slots=True)
class Section:
    """A section as sections.toml describes it."""

    name: str
    code: str
    display: str
    zh: str
    en: str
    columns: tuple[str, ...]
    required: bool = False

    @property
    def title(self) -> str:
        """Both titles."""
        return f"{self.zh} {self.en}"


@cache
def sections() -> tuple[Section, ...]:
    """All sections, in their order."""
    return tuple(
        Section(**{**one, "columns": tuple(one["columns"])}) for one in _texts()["section"]
    )


def word(group: str, name: str, **values: object) -> Both:
    """A Chinese and an English text of sections.toml; the name itself where there is none."""
    chinese, english = _texts()[group].get(name, (name, name))
    return chinese.format(**values), english.format(**values)


def of_section(section: Section, chosen: Chosen, named: dict[str, Body]) -> Body:
    """The Narrative of a section. ``named``: the medicines and devices that entries refer to."""
    if not chosen.entries:
        return generated(_paragraphs(word("empty", section.name)))
    heads = [word("columns", column) for column in section.columns]
    rows = "".join(_row(section, one, named) for one in chosen.entries)
    more = ""
    if chosen.total > len(chosen.entries):
        counts = {"count": len(chosen.entries), "total": chosen.total}
        more = _paragraphs(word("words", "first_of", **counts))
    head = "".join(f"<th>{escape(zh)} {escape(en)}</th>" for zh, en in heads)
    return generated(
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def of_whole(patient: str, made: str) -> Body:
    """The Narrative of the Composition: whose summary, of when, and how it came about."""
    title, note = word("words", "title"), word("words", "made")
    return generated(
        f"<h1>{escape(title[0])} {escape(title[1])}</h1><p>{escape(patient)}</p>"
        f"<p>{escape(made)}</p>{_paragraphs(note)}"
    )


def generated(inner: str) -> Body:
    """A Narrative that was made from the data."""
    return {"status": "generated", "div": f'<div xmlns="{XHTML}">{inner}</div>'}


def _paragraphs(texts: Both) -> str:
    return f'<p lang="zh-CN">{escape(texts[0])}</p><p lang="en">{escape(texts[1])}</p>'


def _row(section: Section, body: Body, named: dict[str, Body]) -> str:
    cells = {
        "what": _what(body, named),
        "value": value_of(body) or str(body.get("conclusion", "")),
        "mark": ", ".join(_words_of(body.get("interpretation", ()))),
        "detail": _detail(body),
        "status": _status(body),
        "date": when(body)[:10],
    }
    return "<tr>" + "".join(f"<td>{escape(cells[c])}</td>" for c in section.columns) + "</tr>"


def _what(body: Body, named: dict[str, Body]) -> str:
    for name in ("medicationReference", "device"):
        reference = body.get(name)
        if isinstance(reference, dict):
            other = named.get(str(reference.get("reference")), {})
            shown = words(other.get("code")) or words(other.get("type"))
            return shown or str(reference.get("display", "")) or "?"
    return words(subject_code(body)) or str(body.get("title", "")) or body["resourceType"]


def _status(body: Body) -> str:
    if body["resourceType"] == "AllergyIntolerance" and says_none(body):
        return " ".join(word("status", "none"))
    status = status_of(body)
    if body["resourceType"] == "Condition" and not code_in(body.get("clinicalStatus")):
        status = "" if status == "confirmed" else status
        status = status or "encounter"
    zh, en = word("status", status)
    return zh if zh == en else f"{zh} {en}"


def _detail(body: Body) -> str:
    match body["resourceType"]:
        case "MedicationRequest" | "MedicationStatement":
            doses = body.get("dosageInstruction") or body.get("dosage") or []
            return "; ".join(filter(None, map(_dose, doses)))
        case "Immunization":
            numbers = [
                str(one["doseNumberPositiveInt"])
                for one in body.get("protocolApplied", ())
                if "doseNumberPositiveInt" in one
            ]
            return ", ".join(f"第 {number} 剂 dose {number}" for number in numbers)
        case "AllergyIntolerance":
            shown = [
                text
                for one in body.get("reaction", ())
                for text in _words_of(one.get("manifestation", ()))
            ]
            return ", ".join(shown)
        case _:
            return ""


def _dose(dose: Body) -> str:
    if text := dose.get("text"):
        return str(text)
    amounts = [
        value_of({"valueQuantity": one["doseQuantity"]})
        for one in dose.get("doseAndRate", ())
        if "doseQuantity" in one
    ]
    rest = [words(dose.get("timing", {}).get("code")), words(dose.get("route"))]
    return ", ".join(filter(None, [*amounts, *rest]))


def _words_of(concepts: Sequence[Any]) -> list[str]:
    return [text for text in map(words, concepts) if text]


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("sections.toml").read_text(encoding="utf-8"))
