"""Functions on texts."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from healthhub.adapter_api.text import escape, unescape
from healthhub.mapping.functions.registry import Run, function
from healthhub.terms.forms import half, looks_like

FILLERS = frozenset(
    (
        "-",
        "--",
        "---",
        "/",
        "\\",
        "NA",
        "N/A",
        "NULL",
        "null",
        "None",
        "无",
        "同上",
        "不详",
        "=",
        "000000",
    )
)


@function("| text")
def text(value: str) -> str:
    """The text itself: first component, escapes resolved, trimmed. (What a path gives anyway.)"""
    return value


@function("| whole", "value")
def whole(value: str, separator: str) -> str | None:
    """The entire field as text, delimiters and all, escapes resolved."""
    return unescape(value).strip() or None


@function("| lines", "all")
def lines(values: list[str]) -> str | None:
    """All repetitions (or segments) as lines of one text, delimiters and all; blanks around the
    whole (also full-width ones) are trimmed."""
    return "\n".join(unescape(value).rstrip() for value in values).strip() or None


@function("| join_all(separator)", "all")
def join_all(values: list[str], separator: str = "") -> str | None:
    """All values of the path as one text with a separator between them."""
    return (separator or "").join(unescape(value).strip() for value in values) or None


@function("join(separator, value, …)", "nothing")
def join(separator: str, *values: Any) -> str | None:
    """The values that are there, as one text with a separator between them."""
    return separator.join(str(v) for v in values if v is not None and v != "") or None


@function("| named(name)")
def named(value: str, name: str | None = None) -> str:
    """A code with the name that another column gives it, for coding and concept."""
    return f"{escape(value)}^{escape(name)}" if name else escape(value)


@function("| upper")
def upper(value: str) -> str:
    """In upper case."""
    return value.upper()


@function("| lower")
def lower(value: str) -> str:
    """In lower case."""
    return value.lower()


@function("| half")
def half_(value: str) -> str:
    """Full-width letters, digits and signs as half-width ones."""
    return half(value).strip()


@function("| compact")
def compact(value: str) -> str | None:
    """Without any blanks."""
    return "".join(value.split()) or None


@function("| digits")
def digits(value: str) -> str | None:
    """Its digits alone."""
    return "".join(re.findall(r"\d", half(value))) or None


@function("| split(separator, number)")
def split(value: str, separator: str, number: int = 1) -> str | None:
    """The part with that number, counted from 1, between separators inside the text."""
    parts = value.split(separator)
    return parts[number - 1].strip() or None if 0 < number <= len(parts) else None


@function("| replace(old, new)")
def replace(value: str, old: str, new: str | None = None) -> str | None:
    """The text with one piece replaced by another, or left out."""
    return value.replace(old, new or "").strip() or None


@function("| prefix(text)")
def prefix(value: str, text: str | None) -> str:
    """The text with another before it."""
    return f"{text or ''}{value}"


@function("| after(text)")
def after(value: str, text: str) -> str:
    """What follows a text at the beginning; the whole if it does not begin with that."""
    return value.removeprefix(text).strip()


@function("| cut(length)")
def cut(value: str, length: int) -> str:
    """Its first characters."""
    return value[:length]


@function("| only(pattern)")
def only(value: str, pattern: str) -> str | None:
    """The text if it has the shape of a named pattern (number, date, chinese, …), else nothing."""
    return value if looks_like(pattern, value) else None


@function("| without(text, …)")
def without(value: str, *texts: str) -> str | None:
    """The text unless it is one of those given; with none given, unless it is a usual filler
    such as -, NA, 无, 同上, 000000."""
    return None if value in (texts or FILLERS) else value


@function("| boolean")
def boolean(value: str) -> bool | None:
    """true for Y, T, 1, yes, 是; false for N, F, 0, no, 否; else nothing."""
    word = half(value).strip().upper()
    if word in ("Y", "T", "1", "YES", "TRUE", "是", "有"):
        return True
    return False if word in ("N", "F", "0", "NO", "FALSE", "否", "无") else None


@function("| uri")
def uri(value: str) -> str | None:
    """An OID or UUID as urn:oid:… or urn:uuid:…, an address as it is; else nothing."""
    if re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", value):
        return f"urn:oid:{value}"
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        return f"urn:uuid:{value.lower()}"
    return value if re.fullmatch(r"(https?://|urn:)\S+", value) else None


@function("| local_system", asks=True)
def local_system(run: Run, node: Any, need: Any, value: str) -> str:
    """The identifier system of a source's own kind of number:
    urn:healthhub:id:NAMESPACE:TEXT."""
    return f"urn:healthhub:id:{run.namespace}:" + re.sub(r"\s+", "_", value)


@function("| from_encoding(name)")
def from_encoding(value: str, name: str | None = None) -> str | None:
    """Embedded data (ED) as base64, from the encoding that the message names: Base64, Hex or
    A (plain text)."""
    kind = (name or "").lower()
    if kind == "base64":
        data = "".join(value.split())
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return None
        return data
    if kind == "hex":
        try:
            return base64.b64encode(bytes.fromhex(value)).decode()
        except ValueError:
            return None
    return base64.b64encode(value.encode()).decode()
