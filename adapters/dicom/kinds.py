"""What kind of object a SOP class names, so that each object goes to whoever can read it."""

from __future__ import annotations

from typing import Literal

from pydicom.uid import UID

Kind = Literal[
    "image",
    "waveform",
    "key-images",
    "report",
    "document",
    "presentation",
    "directory",
    "other",
]

_STORAGE = "1.2.840.10008.5.1.4.1.1."
KEY_OBJECT_SELECTION = _STORAGE + "88.59"
_FAMILIES: tuple[tuple[str, Kind], ...] = (
    (_STORAGE + "9.", "waveform"),
    (_STORAGE + "88.", "report"),
    (_STORAGE + "104.", "document"),
    (_STORAGE + "11.", "presentation"),
    ("1.2.840.10008.1.3.10", "directory"),
)
"""PS3.4 table B.5-1: the classes of a family begin alike."""
_NO_PICTURE = ("Raw Data", "Registration", "Fiducials", "Plan", "Measurements", "Mapping")


def kind_of(sop_class: str) -> Kind:
    """The kind of an object from its SOP Class UID.

    ``waveform`` (ECG, haemodynamics, audio) is read by the adapter ``ecg``; this one only lists
    it in its study. A class that the dictionary does not know (a vendor's) is ``other``.
    """
    if sop_class == KEY_OBJECT_SELECTION:
        return "key-images"
    for beginning, kind in _FAMILIES:
        if sop_class.startswith(beginning):
            return kind
    name = UID(sop_class).name
    shown = "Image Storage" in name or name.startswith("RT Image") or "Segmentation" in name
    return "image" if shown and not any(word in name for word in _NO_PICTURE) else "other"
