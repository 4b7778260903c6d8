"""What is known of an object before it is converted: its kind, its UIDs, whose it is and when."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.dicom.kinds import kind_of
from adapters.dicom.part10 import shown
from adapters.dicom.tree import Tree
from healthhub.adapter_api import BadMessage, Feed
from healthhub.clock import parse_hl7
from healthhub.model.message import Envelope

REST_SECONDS = 5
"""So long an object may wait for others of its study, which are then written together."""
_UID = re.compile(r"[0-9.]{1,64}")
_NEEDED = (
    ("SOPClassUID", 0x00080016),
    ("SOPInstanceUID", 0x00080018),
    ("StudyInstanceUID", 0x0020000D),
    ("SeriesInstanceUID", 0x0020000E),
)
_MOMENTS = (
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)


def envelope(tree: Tree, feed: Feed) -> Envelope:
    """The envelope; BadMessage names the UID that is missing or wrong."""
    kind = kind_of(tree.first("SOPClassUID") or tree.first("MediaStorageSOPClassUID"))
    if kind == "directory":
        raise BadMessage(
            "this is the directory of a medium (DICOMDIR), no object; send the files it lists",
            condition="200",
            place=shown(0x00020002),
        )
    for name, tag in _NEEDED:
        value = tree.first(name)
        if not _UID.fullmatch(value):
            what = "is no UID (digits and points, 64 at most)" if value else "is missing"
            raise BadMessage(
                f"{shown(tag)} {what}; without it the object belongs to no study",
                condition="102" if value else "101",
                place=shown(tag),
            )
    numbers = (
        tree.first("StudyInstanceUID"),
        tree.first("SeriesInstanceUID"),
        tree.first("AccessionNumber"),
        tree.first("StudyID"),
    )
    return Envelope(
        f"DCM^{kind}",
        tree.first("SOPInstanceUID"),
        tree.first("PatientID"),
        _moment(tree, feed),
        tuple(dict.fromkeys(number for number in numbers if number)),
        rest=REST_SECONDS,
    )


def time_of(tree: Tree) -> str:
    """When the object was made, as text for the mapping; empty if it does not say."""
    for day, time in _MOMENTS:
        if text := tree.first(day).replace(".", ""):
            clock = tree.first(time).replace(":", "") if tree.first(time) else ""
            return text + clock + (tree.first("TimezoneOffsetFromUTC") if clock else "")
    return ""


def _moment(tree: Tree, feed: Feed) -> datetime | None:
    text = time_of(tree)
    return parse_hl7(text, ZoneInfo(feed.zone)) if text else None
