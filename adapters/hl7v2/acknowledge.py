"""Answers a sender: MSH, MSA and ERR in its own version, charset and acknowledgement mode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

from adapters.hl7v2 import charset
from healthhub.adapter_api import BadMessage, Feed, Outcome
from healthhub.adapter_api.text import escape
from healthhub.clock import ZONE, now

_ORIGINAL = {"accept": "AA", "error": "AE", "reject": "AR"}
_ENHANCED = {"accept": "CA", "error": "CE", "reject": "CR"}
_CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""HL7 table 0357."""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class _Sender:
    """What of a sender's header goes into the answer. All from the header, escapes kept."""

    parties: tuple[str, str, str, str] = ("", "", "", "")
    kind: str = ""
    event: str = ""
    control: str = ""
    processing: str = "P"
    version: str = "2.5.1"
    accept: str = ""
    application: str = ""
    charset: str = ""
    codec: str = "utf-8"


def acknowledge(
    raw: bytes | None,
    outcome: Outcome,
    text: str = "",
    error: BadMessage | None = None,
    feed: Feed | None = None,
) -> bytes:
    """The answer as bytes, unframed.

    Enhanced mode (HL7 v2.5.1 chapter 2.9.3) is used when the sender asks for the accept
    acknowledgement alone (MSH-15 AL or the outcome at hand, MSH-16 NE); a sender that waits for
    AA, as most do, gets it.
    """
    sender = _sender(raw, feed)
    lone = sender.application == "NE" and (
        sender.accept == "AL" or sender.accept == ("SU" if outcome == "accept" else "ER")
    )
    code = (_ENHANCED if lone else _ORIGINAL)[outcome]
    text = text or (error.message if error is not None else "")
    segments = [_header(sender), _msa(sender, code, text)]
    if outcome != "accept":
        segments.append(_err(sender, outcome, text, error))
    return ("\r".join(segments) + "\r").encode(sender.codec, "replace")


def _header(sender: _Sender) -> str:
    application, facility, to_application, to_facility = sender.parties
    at = now().astimezone(ZONE)
    kind = "ACK" if not sender.event or sender.version < "2.3.1" else f"ACK^{sender.event}^ACK"
    fields = ["MSH", "^~\\&", to_application or "HEALTHHUB", to_facility, application, facility]
    fields += [at.strftime("%Y%m%d%H%M%S%z"), "", kind]
    fields += [f"{at:%Y%m%d%H%M%S%f}{next(_numbers) % 10000:04d}", sender.processing]
    fields += [sender.version, "", "", "", "", "", sender.charset]
    return "|".join(fields).rstrip("|")


def _msa(sender: _Sender, code: str, text: str) -> str:
    return "|".join(["MSA", code, sender.control, escape(text)]).rstrip("|")


def _err(sender: _Sender, outcome: Outcome, text: str, error: BadMessage | None) -> str:
    condition = error.condition if error is not None else "207"
    name = _CONDITIONS.get(condition, _CONDITIONS["207"])
    place = error.place if error is not None else ""
    if sender.version < "2.5":  # ERR-1 alone: segment^sequence^field^code
        match = re.fullmatch(r"([A-Z][A-Z0-9]{2})(?:-(\d+))?", place)
        segment, field = (match[1], match[2] or "") if match else ("", "")
        return f"ERR|{segment}^{'1' if segment else ''}^{field}^{condition}&{name}&HL70357"
    location = re.sub(r"([A-Z][A-Z0-9]{2})-(\d+)", r"\1^1^\2", place)
    location = location if re.match(r"[A-Z][A-Z0-9]{2}(\^|$)", location) else ""
    return "|".join(
        [
            "ERR",
            "",
            location,
            f"{condition}^{name}^HL70357",
            "E",
            "",
            "",
            escape(place),
            escape(text),
        ]
    ).rstrip("|")


def _sender(raw: bytes | None, feed: Feed | None) -> _Sender:
    """Read the header of what may be garbage, never failing."""
    start = raw.find(b"MSH") if raw else -1
    if raw is None or start < 0 or len(raw) < start + 8:
        return _Sender(codec=charset.default(feed.charset) if feed else "utf-8")
    header = re.split(rb"[\r\n]", raw[start : start + 4096], maxsplit=1)[0]
    separator = header[3:4]
    fallback = feed.charset if feed is not None else "utf-8"
    codec = charset.declared(header, separator) or charset.default(fallback)
    try:
        fields = header.decode(codec).split(header.decode(codec)[3])
    except UnicodeDecodeError:
        codec = charset.default(fallback)
        text = header.decode(codec, "replace")
        fields = text.split(text[3])
    fields = [_canonical(field, fields[1] if len(fields) > 1 else "") for field in fields]
    fields += [""] * (21 - len(fields))
    kind, _, rest = fields[8].partition("^")
    version = fields[11].partition("^")[0].strip()
    return _Sender(
        parties=(fields[2], fields[3], fields[4], fields[5]),
        kind=kind,
        event=rest.partition("^")[0],
        control=fields[9][:199],
        processing=fields[10] or "P",
        version=version if re.fullmatch(r"2(\.\d){1,2}", version) else "2.5.1",
        accept=fields[14].strip(),
        application=fields[15].strip(),
        charset=fields[17],
        codec=codec,
    )


def _canonical(field: str, encoding: str) -> str:
    """A header field with the usual delimiters, fit for the answer."""
    usual = "^~\\&"
    if encoding[:4] != usual and len(encoding) >= 4:
        field = field.translate(str.maketrans(dict(zip(encoding[:4], usual, strict=True))))
    return re.sub(r"[\x00-\x1f|]", "", field)
