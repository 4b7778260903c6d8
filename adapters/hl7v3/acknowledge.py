"""Answers in the sender's form: MCCI_IN000002UV01, or ``res`` to a vendor's own ``req``."""

from __future__ import annotations

import html
import re
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from healthhub.adapter_api import BadMessage, Feed, Outcome
from healthhub.clock import ZONE, now

_CODES = {"accept": "AA", "error": "AE", "reject": "AR"}
_MESSAGE = "2.16.156.10011.2.5.1.1"
_INTERACTION = "2.16.156.10011.2.5.1.2"
_DEVICE = "2.16.156.10011.2.5.1.3"
_OWN = re.compile(r"<req[\s>]")
_ID = re.compile(r"<(?:\w+:)?id\b[^>]*?(?:/>|>\s*(?:<(?:\w+:)?item\b[^>]*>)?)")
_PARTY = r"<(?:\w+:)?{}\b.*?extension\s*=\s*[\"']([^\"']{{0,100}})"
_ATTRIBUTE = r"\b{}\s*=\s*[\"']([^\"']{{0,200}})"


def acknowledge(
    raw: bytes | None,
    outcome: Outcome,
    text: str = "",
    error: BadMessage | None = None,
    feed: Feed | None = None,
) -> bytes:
    """The answer; ``raw`` may be the beginning of a message only, or garbage."""
    head = html.unescape((raw or b"").decode("utf-8", "replace").replace("\x00", ""))
    text = text or (error.message if error is not None else "")
    if error is not None and error.place:
        text = f"{text} ({error.place})"
    code = _CODES[outcome]
    if _OWN.search(head):
        return f"<res><success>{code}</success><msg>{escape(text)}</msg></res>".encode()
    return _mcci(head, code, text).encode()


def _mcci(head: str, code: str, text: str) -> str:
    found = _ID.search(head)
    target = found[0] if found else ""
    root = _attribute("root", target) or _MESSAGE
    extension = _attribute("extension", target)
    sender, receiver = _party("sender", head), _party("receiver", head)
    at = now().astimezone(ZONE)
    detail = (
        f"<acknowledgementDetail><text value={quoteattr(text)}/></acknowledgementDetail>"
        if text
        else ""
    )
    return (
        '<MCCI_IN000002UV01 ITSVersion="XML_1.0" xmlns="urn:hl7-org:v3">'
        f'<id root="{_MESSAGE}" extension="{uuid4()}"/>'
        f'<creationTime value="{at:%Y%m%d%H%M%S}"/>'
        f'<interactionId root="{_INTERACTION}" extension="MCCI_IN000002UV01"/>'
        '<processingCode code="P"/><processingModeCode/><acceptAckCode code="NE"/>'
        f"{_device('receiver', 'RCV', sender)}{_device('sender', 'SND', receiver)}"
        f'<acknowledgement typeCode="{code}"><targetMessage>'
        f"<id root={quoteattr(root)} extension={quoteattr(extension)}/></targetMessage>"
        f"{detail}</acknowledgement></MCCI_IN000002UV01>"
    )


def _device(name: str, kind: str, extension: str) -> str:
    return (
        f'<{name} typeCode="{kind}"><device classCode="DEV" determinerCode="INSTANCE"><id>'
        f'<item root="{_DEVICE}" extension={quoteattr(extension)}/></id></device></{name}>'
    )


def _party(name: str, head: str) -> str:
    match = re.search(_PARTY.format(name), head, re.DOTALL)
    return match[1] if match else ""


def _attribute(name: str, tag: str) -> str:
    match = re.search(_ATTRIBUTE.format(name), tag)
    return match[1] if match else ""
