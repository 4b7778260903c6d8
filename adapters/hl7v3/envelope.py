"""Kind, numbers and time of a document or message, as the keeper and the console need them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from adapters.hl7v3.document import Document
from adapters.hl7v3.node import Node
from adapters.hl7v3.values import plain
from adapters.hl7v3.ways import found
from healthhub.adapter_api import BadMessage, Feed, paths
from healthhub.clock import parse_hl7
from healthhub.model.message import Envelope

_NATION = "2.16.156.10011."
_PATIENTS = tuple(_NATION + tail for tail in ("2.5.1.4", "1.2", "1.13", "1.12", "1.11", "1.10"))
"""Roots of numbers that stand for the person at the source, the steadiest first."""
_OWN_PATIENT = ("patId", "patientId", "perId", "PatientId", "childCode", "患者ID", "就诊ID")
_OWN_NUMBERS = frozenset(
    (
        "admNo",
        "inpatNo",
        "applyInfoId",
        "appInfoId",
        "reportId",
        "specimenId",
        "barCd",
        "orderId",
        "recordId",
    )
)
_INTERACTION = re.compile(r"[A-Z]{4}_(?:IN|MT|HD)\w+")
QUESTIONS = ("PRPA_IN201305UV02",)
"""Interactions that ask and state nothing."""
_NUMBERED = frozenset(("id", "item", "setId"))
WANTED = _NUMBERED | _OWN_NUMBERS | frozenset((*_OWN_PATIENT, "msgTime"))
"""Elements that an envelope asks for wherever they stand."""
MOST = 64


def kind(document: Document) -> str:
    """``CDA^C0006`` of a document, ``HV3^PRPA_IN201311UV02`` of a national message, ``XML^action``
    of a vendor's own. The service that was called counts before the root's name there."""
    root = document.root
    if root.name == "ClinicalDocument":
        code = next((c for c in root.children if c.name == "code"), None)
        found_code = code.attributes.get("code", "").strip() if code is not None else ""
        if not found_code:
            raise BadMessage(
                "the document's code is missing; name its kind, such as C0006 in "
                "2.16.156.10011.2.4",
                condition="101",
                place="ClinicalDocument/code/@code",
            )
        return f"CDA^{_word(found_code)}"
    if _INTERACTION.fullmatch(root.name):
        return f"HV3^{root.name}"
    called = _word(document.action or root.name)
    if not called:
        raise BadMessage(
            "the document's root element has no name; send XML as XML 1.0 has it",
            condition="102",
            place="byte 1",
        )
    return f"XML^{called}"


def _word(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text)[:64]


def envelope(document: Document, feed: Feed) -> Envelope:
    """The envelope; raises BadMessage when the kind cannot be told."""
    zone = ZoneInfo(feed.zone)
    at = time_of(document)
    control = _first(document, "id/@extension", "id/item/@extension", "messageId", "msgId")
    identifiers = _identifiers(document)
    return Envelope(
        kind=kind(document),
        control=control[:200],
        patient=_patient(document, identifiers)[:200],
        at=parse_hl7(at, zone) if at else None,
        numbers=tuple(dict.fromkeys(_numbers(document, identifiers)))[:MOST],
    )


def time_of(document: Document) -> str:
    """When the document was made or the message sent."""
    return _first(
        document, "effectiveTime/@value", "creationTime/@value", "msgTime", "head/msgTime"
    )


def processing(document: Document) -> str:
    """What a national message says it is for: P production, T training, D debugging."""
    return _first(document, "processingCode/@code")


def _first(document: Document, *texts: str) -> str:
    for text in texts:
        for place in found(document.root, paths.number(text)):
            value = plain(*place)
            if value:
                return value
    return ""


def _identifiers(document: Document) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for node in document.nodes:
        if node.name in _NUMBERED:
            have = node.attributes
            if extension := have.get("extension", "").strip():
                pairs.append((have.get("root", "").strip(), extension))
    return pairs


def _patient(document: Document, identifiers: list[tuple[str, str]]) -> str:
    numbers: dict[str, str] = {}
    for root, extension in identifiers:
        numbers.setdefault(root, extension)
    for root in _PATIENTS:
        if numbers.get(root, "-") != "-":
            return numbers[root]
    own: dict[str, Node] = {}
    for node in document.nodes:
        own.setdefault(node.name, node)
    for name in _OWN_PATIENT:
        if name in own and own[name].text.strip():
            return own[name].text.strip()
    return ""


def _numbers(document: Document, identifiers: list[tuple[str, str]]) -> list[str]:
    found_numbers = [n for root, n in identifiers if root.startswith(_NATION)]
    found_numbers += [n.text.strip() for n in document.nodes if n.name in _OWN_NUMBERS]
    return [n for n in found_numbers if n and n != "-" and len(n) <= 64]
