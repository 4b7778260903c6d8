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

from adapters.ecg import recording
from adapters.ecg.elements import coded, decimal_of, piece, recoded
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
    OSError,
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
            return _Reader(found, len(raw), recoded(found, charset)).recording()
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


class _Reader:
    """One data set being read."""

    def __init__(self, dataset: Any, size: int, remark: str) -> None:
        self._set = dataset
        self._remark = remark
        self._made = Recording("DICOM", size)

    def recording(self) -> Tree:
        """The tree of the data set."""
        for keyword, path in _TEXTS.items():
            self._made.say(path, piece(self._set, keyword))
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
        whole = piece(self._set, "AcquisitionDateTime")
        if whole.text:
            stated = "+" in whole.text or "-" in whole.text
            return whole if stated else whole._replace(text=whole.text + zone)
        for name in ("Acquisition", "Content", "Study"):
            day, time = piece(self._set, name + "Date"), piece(self._set, name + "Time")
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
        element = group["WaveformData"]
        start = int(element.file_tell or 0)
        period = Decimal(1000) / frequency
        shown = recording.kept(count, period, place)
        values = self._values(group, count * per, shown * per, place)
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

    def _values(self, group: Any, wanted: int, shown: int, place: str) -> Sequence[int]:
        """The first samples of a group as they lie, channel by channel in each moment, if all
        that are ``wanted`` are there."""
        kind = str(group.WaveformSampleInterpretation)
        code, width = _TYPES.get(kind, ("", 0))
        if not code or int(group.WaveformBitsAllocated) != width * 8:
            raise _wrong(f"its samples are {kind} of {group.WaveformBitsAllocated} bits", place)
        data = memoryview(group.WaveformData)
        if wanted * width > len(data):
            raise _wrong(f"it says {wanted} samples and holds {len(data) // width}", place)
        values = array(code)
        values.frombytes(data[: shown * width])
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
        text = piece(note, "UnformattedTextValue")
        if text.text:
            self._made.say("statement", text)
            return
        concept = (note.get("ConceptNameCodeSequence") or [None])[0]
        value = piece(note, "NumericValue")
        channels = list(note.get("ReferencedWaveformChannels") or ())
        if concept is None or not value.text or value.text == "0" or any(channels[1::2]):
            return  # nothing measured, or measured in one channel alone
        unit = (note.get("MeasurementUnitsCodeSequence") or [None])[0]
        code, name, system = coded(concept)
        said = piece(unit, "CodeValue") if unit is not None else Piece("")
        self._made.measurement(Measurement(code, name, system, value, said))


def _lead(channel: Any, number: int, period: str, data: Piece) -> Lead:
    """A channel's definition; without a sensitivity its samples have no unit (PS3.3, C.10.9)."""
    source = (channel.get("ChannelSourceSequence") or [None])[0]
    code, name, system = coded(source) if source is not None else (Piece(""),) * 3
    label = piece(channel, "ChannelLabel")
    unit = (channel.get("ChannelSensitivityUnitsSequence") or [None])[0]
    sensitivity = piece(channel, "ChannelSensitivity")
    factor = decimal_of(sensitivity.text or "1")
    factor *= decimal_of(piece(channel, "ChannelSensitivityCorrectionFactor").text or "1")
    baseline = piece(channel, "ChannelBaseline")
    origin = baseline._replace(text=plain(decimal_of(baseline.text or "0")))
    return Lead(
        code=code,
        name=name if name.text else (label if label.text else Piece(f"channel {number}")),
        system=system,
        origin=origin,
        unit=piece(unit, "CodeValue") if unit is not None else Piece(""),
        period=Piece(period),
        factor=sensitivity._replace(text=plain(factor)),
        data=data,
        text=label,
    )


def _wrong(what: str, place: str) -> BadMessage:
    return BadMessage(
        f"a waveform cannot be read: {what}; send the recording again",
        condition="102",
        place=place,
    )
