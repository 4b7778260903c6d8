"""Which charset a message is in: MSH-18 where it is right, the source's default otherwise."""

from __future__ import annotations

import codecs
import re

from healthhub.adapter_api import BadMessage
from healthhub.errors import SettingError

_SPELLINGS = {
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "GB18030": "gb18030",
    "GB180302000": "gb18030",
    "GB180302005": "gb18030",
    "GB180302022": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "GB231280": "gb18030",
    "GB23121980": "gb18030",
    "CP936": "gb18030",
    "MS936": "gb18030",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "BIG5": "big5",
    "KSX1001": "euc_kr",
    "ISOIR6": "ascii",
    "ISOIR100": "iso8859-1",
    "8859/1": "iso8859-1",
    "88591": "iso8859-1",
    "ISO88591": "iso8859-1",
    **{f"8859/{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
"""Table 0211 and what Chinese hospitals write instead; GB18030 covers GBK and GB2312."""
_CHINESE = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
_NOISE = re.compile(r"[\s_.-]+")


def declared(header: bytes, separator: bytes) -> str | None:
    """The codec that MSH-18 names. Some systems put it into MSH-17 or -19 (``CHN|UNICODE``),
    and a Chinese name before it may hold the separator as a trail byte: so look around."""
    for field in header.split(separator)[14:22]:
        text = field.decode("ascii", "ignore")
        for word in re.split(r"[~^]", text):
            codec = _SPELLINGS.get(_NOISE.sub("", word).upper())
            if codec is not None:
                return codec
    return None


def default(name: str) -> str:
    """The codec of a source's default charset; SettingError if there is no such."""
    known = _SPELLINGS.get(_NOISE.sub("", name).upper())
    if known is not None:
        return known
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise SettingError(
            f"there is no charset {name!r}; use utf-8 or gb18030", expression="charset"
        ) from None


def decode(raw: bytes, start: int, header: bytes, fallback: str) -> tuple[str, str]:
    """The message's text and the codec that read it, strictly: no byte is lost or guessed.

    Chinese in UTF-8 can pass for GBK, and is then another text: where MSH-18 names GBK, bytes
    that are UTF-8 throughout are read so.
    """
    codec = declared(header, header[3:4])
    body = raw[start:]
    if codec == "gb18030" and (text := _as_utf8(body)) is not None:
        return text, "utf-8"
    if codec is not None:
        try:
            return body.decode(codec), codec
        except UnicodeDecodeError:
            pass
    codec = default(fallback)
    try:
        return body.decode(codec), codec
    except UnicodeDecodeError as error:
        place = f"byte {start + error.start + 1}"
        raise BadMessage(
            f"{place} is not {codec}: send the message in {codec}, or name its charset in "
            "MSH-18 (UNICODE UTF-8, GB 18030-2000)",
            condition="102",
            place=place,
        ) from None


def _as_utf8(body: bytes) -> str | None:
    """The text, if all of it is UTF-8 and some of it Chinese."""
    if _CHINESE.search(body) is None:
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def mislabelled(text: str, codec: str) -> tuple[tuple[str, str], ...]:
    """The remark on a message (as it was decoded) whose MSH-18 names another charset than its
    bytes are in; none where the label is right or missing."""
    header = re.split(r"[\r\n]", text[:4096], maxsplit=1)[0].encode("utf-8")
    named = declared(header, header[3:4])
    if named is None or named == codec or text.isascii():
        return ()
    detail = f"MSH-18 names {named}, but the bytes are {codec} and were read so; correct MSH-18"
    return (("wrong-charset", detail),)
