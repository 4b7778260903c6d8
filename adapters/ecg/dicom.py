"""DICOM waveforms (PS3.3, A.34: 12-lead, general and ambulatory ECG) to recordings.

pydicom reads the file; each value knows where it stands in it. What makes a small file large
(deflated transfer syntax), or a stream endless, is refused before it is read.
"""

from __future__ import annotations

import struct
import warnings
from array import array
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from adapters.dicom import charset as charsets
from adapters.ecg import recording
from adapters.ecg.recording import Lead, Measurement, Recording, plain, too_much
from adapters.tree import Piece, Tree
from healthhub.adapter_api import BadMessage

MARK = b"DICM"
DEFLATED = b"1.2.840.10008.1.2.1.99"
META_BYTES = 4096
"""The file's meta group, which names the transfer syntax, lies within its first bytes."""
ELECTROCARDIOGRAMS = {
    "1.2.840.10008.5.1.4.1.1.9.1.1": "12-lead ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.2": "general ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.3": "ambulatory ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.4": "general 32-bit ECG",
}
_TYPES = {
    "SB": ("b", 1),
    "UB": ("B", 1),
    "SS": ("h", 2),
    "US": ("H", 2),
    "SL": ("i", 4),
    "UL": ("I", 4),
}
"""Waveform Sample Interpretation (5400,1006) as array spells it; A-law and mu-law are of sound."""
_DERIVED = "DERIVED"
_TERMS = {"utf-8": "ISO_IR 192", "gb18030": "GB18030"}
_TEXT_KINDS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_TEXTS = {
    "SOPInstanceUID": "id",
    "StudyInstanceUID": "study",
    "AccessionNumber": "order",
    "AdmissionID": "visit",
    "InstitutionName": "institution",
    "InstitutionalDepartmentName": "department",
    "ReferringPhysicianName": "referrer",
    "OperatorsName": "technician",
    "PatientID": "patient/id",
    "PatientName": "patient/name",
    "PatientBirthDate": "patient/birth",
    "PatientSex": "patient/sex",
    "Manufacturer": "device/manufacturer",
    "ManufacturerModelName": "device/model",
    "DeviceSerialNumber": "device/serial",
    "SoftwareVersions": "device/software",
}
_BROKEN = (
    AttributeError,
    BytesLengthException,
    EOFError,
    IndexError,
    InvalidDicomError,
    InvalidOperation,
    KeyError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on bytes that are no data set."""


def looks_like(raw: bytes) -> bool:
    """Whether bytes are a DICOM file (PS3.10, 7.1)."""
    return raw[128:132] == MARK


def read(raw: bytes, charset: str) -> Tree:
    """The recording; raises BadMessage with element or byte."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _dataset(raw)
            return _Reader(found, len(raw), _recoded(found, charset)).recording()
        except _BROKEN:
            raise BadMessage(
                "the DICOM file cannot be read: it is damaged or was cut off; send it again",
                condition="102",
                place="data set",
            ) from None


def _dataset(raw: bytes) -> Any:
    # pydicom would inflate the whole at once, whatever it grows to.
    if DEFLATED in raw[132:META_BYTES]:
        raise BadMessage(
            "the file is deflated; send it in Explicit VR Little Endian",
            condition="102",
            place="(0002,0010)",
        )
    found = pydicom.dcmread(BytesIO(raw))
    kind = str(found.get("SOPClassUID", ""))
    if kind not in ELECTROCARDIOGRAMS:
        raise BadMessage(
            "the file is no electrocardiogram; send images and other objects to the DICOM feed",
            condition="200",
            place="(0008,0016)",
        )
    return found


def _recoded(found: Any, default: str) -> str:
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


class _Reader:
    """One data set being read."""

    def __init__(self, dataset: Any, size: int, remark: str) -> None:
        self._set = dataset
        self._remark = remark
        self._made = Recording("DICOM", size)

    def recording(self) -> Tree:
        """The tree of the data set."""
        for keyword, path in _TEXTS.items():
            self._made.say(path, _piece(self._set, keyword))
        self._made.say("time", self._time())
        seconds = Decimal(0)
        for number, group in enumerate(self._set.get("WaveformSequence") or (), 1):
            if str(group.get("WaveformOriginality", "")).upper() == _DERIVED and number > 1:
                continue  # the mean beat, which the rhythm holds
            seconds = max(seconds, self._group(group, f"(5400,0100)[{number}]"))
        for note in self._set.get("WaveformAnnotationSequence") or ():
            self._annotation(note)
        tree = self._made.finish(seconds)
        if self._remark:
            tree.amiss.append(("wrong-charset", self._remark))
        return tree

    def _time(self) -> Piece:
        """When it was taken, with the zone if the file states one."""
        zone = str(self._set.get("TimezoneOffsetFromUTC", "") or "")
        whole = _piece(self._set, "AcquisitionDateTime")
        if whole.text:
            stated = "+" in whole.text or "-" in whole.text
            return whole if stated else whole._replace(text=whole.text + zone)
        for name in ("Acquisition", "Content", "Study"):
            day, time = _piece(self._set, name + "Date"), _piece(self._set, name + "Time")
            if day.text:
                text = day.text + time.text + (zone if time.text else "")
                return Piece(text, day.start, day.end)
        return Piece("")

    def _group(self, group: Any, place: str) -> Decimal:
        """A multiplex group: its leads; gives its seconds."""
        channels = list(group.get("ChannelDefinitionSequence") or ())
        count, per = int(group.NumberOfWaveformSamples), int(group.NumberOfWaveformChannels)
        frequency = Decimal(str(group.SamplingFrequency))
        if not 0 < frequency <= 100_000 or not count or not per or len(channels) != per:
            raise _wrong(
                "it has no samples, no frequency, or not as many channels as it says", place
            )
        if per > recording.MOST_LEADS:
            raise too_much(f"there are more than {recording.MOST_LEADS} leads", place)
        values = self._values(group, count * per, place)
        element = group["WaveformData"]
        start = int(element.file_tell or 0)
        period = Decimal(1000) / frequency
        shown = recording.kept(count, period, place)
        missing = self._sample(group, group, "WaveformPaddingValue")
        for number, channel in enumerate(channels):
            samples = values[number : shown * per : per]
            data = recording.written(samples, missing)
            span = (start, start + len(element.value)) if start else (0, 0)
            lead = _lead(channel, number + 1, plain(period), Piece(data, *span))
            limits = (
                self._sample(group, channel, f"Channel{which}Value")
                for which in ("Minimum", "Maximum")
            )
            lower, upper = (Piece("" if found is None else str(found)) for found in limits)
            self._made.lead(replace(lead, lower=lower, upper=upper))
        return count / frequency

    def _values(self, group: Any, wanted: int, place: str) -> Sequence[int]:
        """All samples of a group as they lie, channel by channel in each moment."""
        kind = str(group.WaveformSampleInterpretation)
        code, width = _TYPES.get(kind, ("", 0))
        if not code or int(group.WaveformBitsAllocated) != width * 8:
            raise _wrong(f"its samples are {kind} of {group.WaveformBitsAllocated} bits", place)
        data = bytes(group.WaveformData)
        if wanted * width > len(data):
            raise _wrong(f"it says {wanted} samples and holds {len(data) // width}", place)
        values = array(code)
        values.frombytes(data[: wanted * width])
        if width > 1 and self._set.original_encoding[1] is False:
            values.byteswap()
        return values

    def _sample(self, group: Any, holder: Any, keyword: str) -> int | None:
        """A value that is written as a sample is: of padding, or the least and the greatest."""
        found = holder.get(keyword)
        if not isinstance(found, bytes) or not found:
            return found if isinstance(found, int) else None
        width = int(group.WaveformBitsAllocated) // 8
        little = self._set.original_encoding[1] is not False
        signed = str(group.WaveformSampleInterpretation).startswith("S")
        return int.from_bytes(found[:width], "little" if little else "big", signed=signed)

    def _annotation(self, note: Any) -> None:
        """A statement, or a measurement of the whole."""
        text = _piece(note, "UnformattedTextValue")
        if text.text:
            self._made.say("statement", text)
            return
        concept = (note.get("ConceptNameCodeSequence") or [None])[0]
        value = _piece(note, "NumericValue")
        channels = list(note.get("ReferencedWaveformChannels") or ())
        if concept is None or not value.text or value.text == "0" or any(channels[1::2]):
            return  # nothing measured, or measured in one channel alone
        unit = (note.get("MeasurementUnitsCodeSequence") or [None])[0]
        code, name, system = _coded(concept)
        said = _piece(unit, "CodeValue") if unit is not None else Piece("")
        self._made.measurement(Measurement(code, name, system, value, said))


def _lead(channel: Any, number: int, period: str, data: Piece) -> Lead:
    """A channel's definition; without a sensitivity its samples have no unit (PS3.3, C.10.9)."""
    source = (channel.get("ChannelSourceSequence") or [None])[0]
    code, name, system = _coded(source) if source is not None else (Piece(""),) * 3
    label = _piece(channel, "ChannelLabel")
    unit = (channel.get("ChannelSensitivityUnitsSequence") or [None])[0]
    sensitivity = _piece(channel, "ChannelSensitivity")
    factor = _number(sensitivity.text or "1")
    factor *= _number(_piece(channel, "ChannelSensitivityCorrectionFactor").text or "1")
    baseline = _piece(channel, "ChannelBaseline")
    origin = baseline._replace(text=plain(_number(baseline.text or "0")))
    return Lead(
        code=code,
        name=name if name.text else (label if label.text else Piece(f"channel {number}")),
        system=system,
        origin=origin,
        unit=_piece(unit, "CodeValue") if unit is not None else Piece(""),
        period=Piece(period),
        factor=sensitivity._replace(text=plain(factor)),
        data=data,
        text=label,
    )


def _coded(concept: Any) -> tuple[Piece, Piece, Piece]:
    return (
        _piece(concept, "CodeValue"),
        _piece(concept, "CodeMeaning"),
        _piece(concept, "CodingSchemeDesignator"),
    )


def _piece(holder: Any, keyword: str) -> Piece:
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


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not found.is_finite() or abs(found) > 10**12:
        raise ValueError(text)
    return found


def _wrong(what: str, place: str) -> BadMessage:
    return BadMessage(
        f"a waveform cannot be read: {what}; send the recording again",
        condition="102",
        place=place,
    )
