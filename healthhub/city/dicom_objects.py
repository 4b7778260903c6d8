"""DICOM objects of the city's machines on their way to bytes: UIDs, names, files, wrong labels."""

from __future__ import annotations

import io
from hashlib import blake2b

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

GB18030 = "GB18030"
_COMPOUND = ("欧阳", "司马", "上官", "皇甫")
"""Surnames of two characters that the city's people have."""


def uid(*parts: object) -> str:
    """A UID of its own for what the parts name (PS3.5, B.2: 2.25 and a number)."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=15).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def in_parts(name: str) -> str:
    """A name as DICOM has it, family and given name apart; of a minority's it is one."""
    if "·" in name or len(name) < 2:
        return name
    family = 2 if name[:2] in _COMPOUND else 1
    return f"{name[:family]}^{name[family:]}"


def coded(value: str, scheme: str, meaning: str) -> Items:
    """A sequence of one code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Items([item])


def written(ds: Dataset) -> bytes:
    """The object as a file (PS3.10) in Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(ds.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("the city's machines"))
    ds.file_meta = meta
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def labelled(raw: bytes, charset: str) -> bytes:
    """A file whose texts are in GB18030 under another SpecificCharacterSet; empty: under none."""
    head = b"\x08\x00\x05\x00CS"
    old = head + len(GB18030 + " ").to_bytes(2, "little") + GB18030.encode() + b" "
    text = (charset + " " * (len(charset) % 2)).encode()
    new = head + len(text).to_bytes(2, "little") + text if charset else b""
    return raw.replace(old, new, 1)
