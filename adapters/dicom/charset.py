"""Which charset an object's texts are in: SpecificCharacterSet where it is right, else what the
bytes themselves and the source's default say (PS3.3 C.12.1.1.2, PS3.5 section 6.1).

Chinese systems write GB18030 under ISO_IR 100, under ISO_IR 192, or under nothing at all. What
was declared wrongly is decoded rightly where that is sure, and told; nothing is guessed byte by
byte, and a text that no charset explains is left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SINGLE = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "iso8859-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 166": "tis-620",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gb18030",
}
"""Defined terms without code extensions. GB18030 covers GBK."""
_EXTENDED = {
    "6": "ascii",
    "100": "iso8859-1",
    "101": "iso8859-2",
    "109": "iso8859-3",
    "110": "iso8859-4",
    "144": "iso8859-5",
    "127": "iso8859-6",
    "126": "iso8859-7",
    "138": "iso8859-8",
    "148": "iso8859-9",
    "203": "iso8859-15",
    "166": "tis-620",
    "13": "shift_jis",
    "87": "iso2022_jp_2",
    "159": "iso2022_jp_2",
    "149": "euc_kr",
    "58": "gb18030",
}
"""``ISO 2022 IR n``: with code extensions, switched to by escape sequences."""
_ESCAPES = {
    b"(B": "ascii",
    b"(J": "shift_jis",
    b")I": "shift_jis",
    b"-A": "iso8859-1",
    b"-B": "iso8859-2",
    b"-C": "iso8859-3",
    b"-D": "iso8859-4",
    b"-F": "iso8859-7",
    b"-G": "iso8859-6",
    b"-H": "iso8859-8",
    b"-L": "iso8859-5",
    b"-M": "iso8859-9",
    b"-T": "tis-620",
    b"-b": "iso8859-15",
    b"$B": "iso2022_jp_2",
    b"$@": "iso2022_jp_2",
    b"$(D": "iso2022_jp_2",
    b"$)C": "euc_kr",
    b"$)A": "gb18030",
}
_ESCAPE = re.compile(rb"\x1b(\$[()][A-D]|\$[@B]|[()][ABIJ]|-[A-HLMTb])")
_HAN = re.compile("[\u3400-\u9fff]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_CHINESE = ("gb18030", "gbk", "gb2312", "cp936")


@dataclass(frozen=True, slots=True)
class Charset:
    """How an object's texts are decoded. ``wrong`` tells what was declared instead."""

    codec: str
    extended: bool = False
    wrong: str = ""

    def decode(self, value: bytes) -> str | None:
        """The text; None when these bytes are no text in this charset."""
        try:
            if self.extended or b"\x1b" in value:
                return _switched(value, self.codec)
            return value.decode(self.codec)
        except UnicodeDecodeError:
            return None


def of(declared: str, texts: Iterable[bytes], default: str) -> Charset:
    """The charset of an object: what it ``declared`` (with ``\\`` between several), the bytes of
    its texts that are not plain ASCII, the source's default."""
    named = _declared(declared)
    held = list(texts)
    if not held:
        return named or Charset("ascii")
    if (
        named is not None
        and not _too_lenient(named, held, default)
        and all(named.decode(text) is not None for text in held)
    ):
        return named
    for codec in dict.fromkeys(("utf-8", _plain(default), "gb18030")):
        if all(_decodes(text, codec) for text in held):
            return Charset(codec, wrong=declared or "none")
    best = named or Charset(_plain(default))
    return Charset(best.codec, best.extended, declared or "none")


def _declared(text: str) -> Charset | None:
    """The charset that is declared; None if the term is none of PS3.3's."""
    terms = [" ".join(re.split(r"[\s_-]+", term.upper().strip())) for term in text.split("\\")]
    codecs_: list[str] = []
    extended = len(terms) > 1
    for term in terms:
        if term.startswith("ISO 2022 IR "):
            extended = True
            codec = _EXTENDED.get(term[12:])
        else:
            codec = _SINGLE.get(term.replace("ISO IR ", "ISO_IR "))
        if codec is None:
            return None
        codecs_.append(codec)
    first = codecs_[0]
    if len(terms) == 1 and extended and first == "iso2022_jp_2":
        first = "ascii"
    return Charset(first, extended)


def _too_lenient(named: Charset, held: list[bytes], default: str) -> bool:
    """Whether a Latin charset, which explains every byte, hides a Chinese text: the bytes are
    UTF-8, or the source sends Chinese and all its bytes above ASCII come as GB2312 pairs."""
    if not named.codec.startswith("iso8859") or any(b"\x1b" in text for text in held):
        return False
    if all(_decodes(text, "utf-8") for text in held):
        return True
    if _plain(default) != "gb18030" or not all(_decodes(text, "gb18030") for text in held):
        return False
    runs = [run for text in held for run in _HIGH.findall(text)]
    return any(_decodes(run, "gb2312") and _HAN.search(run.decode("gb2312")) for run in runs)


def _plain(name: str) -> str:
    known = codecs.lookup(name).name
    return "gb18030" if known in _CHINESE else known


def _decodes(text: bytes, codec: str) -> bool:
    try:
        text.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _switched(value: bytes, codec: str) -> str:
    """A text with escape sequences (ISO/IEC 2022 as PS3.5 section 6.1.2.5 narrows it)."""
    pieces: list[str] = []
    at = 0
    escape = b""
    for match in _ESCAPE.finditer(value):
        pieces.append(_piece(value[at : match.start()], codec, escape))
        codec, escape, at = _ESCAPES.get(match[1], codec), match[0], match.end()
    pieces.append(_piece(value[at:], codec, escape))
    return "".join(pieces)


def _piece(part: bytes, codec: str, escape: bytes) -> str:
    if not part:
        return ""
    if codec == "iso2022_jp_2":
        return (escape + part + b"\x1b(B").decode(codec)
    return part.decode(codec)
