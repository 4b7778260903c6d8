"""Canonical field text: its parts, and its escapes resolved (HL7 v2.5.1 chapter 2.7)."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\([^\\]*)\\")
_SIMPLE = {
    "F": "|",
    "S": "^",
    "T": "&",
    "R": "~",
    "E": "\\",
    "P": "#",
    "H": "",
    "N": "",
    ".br": "\n",
    ".sp": "\n",
    ".fi": "",
    ".nf": "",
    ".ce": "\n",
}
_LINES = re.compile(r"\.sp\+?(\d{1,2})")
_INDENT = re.compile(r"\.(?:in|ti)[+-]?\d{1,2}")
_HEX = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
NULL = '""'
"""The HL7 null: the field is explicitly empty."""


def unescape(text: str) -> str:
    """``text`` with its escape sequences resolved; one that is unknown stays as it is."""
    return _ESCAPE.sub(_resolve, text) if "\\" in text else text


def _resolve(match: re.Match[str]) -> str:
    code = match[1]
    simple = _SIMPLE.get(code)
    if simple is not None:
        return simple
    if _HEX.fullmatch(code):
        raw = bytes.fromhex(code[1:])
        for codec in ("utf-8", "gb18030"):
            try:
                return raw.decode(codec)
            except UnicodeDecodeError:
                continue
    lines = _LINES.fullmatch(code)
    if lines:
        return "\n" * int(lines[1])
    return "" if _INDENT.fullmatch(code) else match[0]


_SPECIAL = re.compile(r"[\\|^&~\r\n]")


def escape(text: str) -> str:
    """``text`` as it may stand in a field."""
    if text.isalnum() or _SPECIAL.search(text) is None:
        return text
    for char, code in (("\\", "E"), ("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        text = (
            text.replace(char, f"\\{code}\\") if char != "\\" else text.replace("\\", "\\E\\")
        )
    return text.replace("\r\n", "\\.br\\").replace("\r", "\\.br\\").replace("\n", "\\.br\\")


def clean(text: str) -> str | None:
    """Escapes resolved and blanks (full-width ones too) trimmed; None if empty or null."""
    if "\\" in text:
        text = unescape(text)
    text = text.strip()
    return None if not text or text == NULL else text


def part(field: str, repetition: int = 0, component: int = 0, subcomponent: int = 0) -> str:
    """One part of a field as canonical text. ``repetition`` counts from 0, the others from 1;
    0 stands for the whole."""
    for separator, number in (("~", repetition + 1), ("^", component), ("&", subcomponent)):
        if number:
            parts = field.split(separator, number)
            field = parts[number - 1] if number <= len(parts) else ""
    return field
