"""Elements of a DICOM data set as pieces of a recording: text, bytes, and the right charset."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.dicom import charset as charsets
from adapters.ecg.recording import cleaned
from adapters.tree import Piece

_TERMS = {"utf-8": "ISO_IR 192", "gb18030": "GB18030"}
_TEXT_KINDS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))


def recoded(found: Any, default: str) -> str:
    """Have texts read in the charset that their bytes are in; gives the remark if that is not
    the declared one. A file that declares none is in the source's."""
    declared = str(found.get("SpecificCharacterSet") or "").strip()
    known = charsets.of(declared, _foreign(found), default)
    if known.wrong:
        found.SpecificCharacterSet = _TERMS.get(known.codec, "GB18030")
        found.set_original_encoding(*found.original_encoding, found._character_set)
    if not known.wrong or not declared:
        return ""
    return (
        f"the file says that its texts are in {declared}; they are in {known.codec} and were read "
        "so: let its maker correct SpecificCharacterSet (0008,0005)"
    )


def _foreign(found: Any) -> list[bytes]:
    """The bytes of texts that are not plain ASCII, as they stand in the file."""
    texts: list[bytes] = []
    tags = list(found.keys())  # its items would be decoded on the way
    for tag in tags:
        element = found.get_item(tag)
        value = getattr(element, "value", None)
        if element.VR in _TEXT_KINDS and isinstance(value, bytes) and not value.isascii():
            texts.append(value.strip(b"\0 "))
    return texts


def coded(concept: Any) -> tuple[Piece, Piece, Piece]:
    """Code, meaning and scheme of an item of a code sequence."""
    return (
        piece(concept, "CodeValue"),
        piece(concept, "CodeMeaning"),
        piece(concept, "CodingSchemeDesignator"),
    )


def piece(holder: Any, keyword: str) -> Piece:
    """An element's text with its bytes; of a name the form in ideographs, if it has one."""
    if keyword not in holder:
        return Piece("")
    element = holder[keyword]
    value = element.value
    if value is None or (isinstance(value, (str, bytes)) and not value):
        return Piece("")
    if element.VR == "PN":
        text, size = _person_name(value)
    elif element.VM > 1:
        text = " ".join(str(part) for part in value)
        size = len(text)
    else:
        text = str(value).strip()
        size = len(text.encode(_codec(holder), "replace"))
    text = cleaned(text)
    start = int(element.file_tell or 0)
    return Piece(text, start, start + size) if start else Piece(text)


def _person_name(value: Any) -> tuple[str, int]:
    """A name in ideographs, if it has that form, and the bytes of the whole."""
    text = str(value.ideographic or value.alphabetic).replace("^", " ").strip()
    return text, len(value.original_string or text)


def _codec(holder: Any) -> str:
    """The codec of a data set's texts, as pydicom has found it."""
    found = holder._character_set
    return found if isinstance(found, str) else found[0]


def decimal_of(text: str) -> Decimal:
    """A number that a device may mean; ValueError for any other text."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not found.is_finite() or abs(found) > 10**12:
        raise ValueError(text)
    return found
