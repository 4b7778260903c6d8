"""Writes DICOM waveforms with pydicom, of invented people."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

KIND = "1.2.840.10008.5.1.4.1.1.9.1.1"


def coded(value: str, scheme: str, meaning: str) -> Items:
    """A sequence of one code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Items([item])


def channel(offset: int, name: str, **said: Any) -> Dataset:
    """A channel by its lead's number in the standard's list."""
    made = Dataset()
    made.ChannelSourceSequence = coded(f"2:{offset}", "MDC", f"Lead {name}")
    made.ChannelSensitivity = "2.5"
    made.ChannelSensitivityUnitsSequence = coded("uV", "UCUM", "microvolt")
    made.ChannelSensitivityCorrectionFactor = "1"
    made.ChannelBaseline = "0"
    made.WaveformBitsStored = 16
    for keyword, value in said.items():
        setattr(made, keyword, value)
    return made


def group(
    leads: Sequence[tuple[int, str, Sequence[int]]], rate: float = 250, **said: Any
) -> Dataset:
    """A multiplex group, its channels interleaved."""
    made = Dataset()
    made.MultiplexGroupTimeOffset = "0"
    made.WaveformOriginality = "ORIGINAL"
    made.NumberOfWaveformChannels = len(leads)
    made.NumberOfWaveformSamples = len(leads[0][2])
    made.SamplingFrequency = str(rate)
    made.ChannelDefinitionSequence = Items([channel(n, name) for n, name, _ in leads])
    made.WaveformBitsAllocated = 16
    made.WaveformSampleInterpretation = "SS"
    together = array(
        "h", [value for row in zip(*(s for _, _, s in leads), strict=True) for value in row]
    )
    made.WaveformData = together.tobytes()
    for keyword, value in said.items():
        setattr(made, keyword, value)
    return made


def note(
    text: str = "", code: tuple[str, str, str] | None = None, value: str = "", unit: str = ""
) -> Dataset:
    """A statement or a measurement."""
    made = Dataset()
    made.AnnotationGroupNumber = 0
    made.ReferencedWaveformChannels = [1, 0]
    if text:
        made.UnformattedTextValue = text
    if code:
        made.ConceptNameCodeSequence = coded(*code)
        made.NumericValue = value
        made.MeasurementUnitsCodeSequence = coded(unit, "UCUM", unit)
    return made


def write(
    groups: Sequence[Dataset],
    notes: Sequence[Dataset] = (),
    charset: str = "GB18030",
    syntax: UID = ExplicitVRLittleEndian,
    said: Mapping[str, Any] | None = None,
) -> bytes:
    """A file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(KIND)
    meta.MediaStorageSOPInstanceUID = UID("1.2.156.112605.1.20260302081530.7")
    meta.TransferSyntaxUID = syntax
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    if charset:
        made.SpecificCharacterSet = charset
    made.SOPClassUID, made.SOPInstanceUID = KIND, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID = "1.2.156.112605.1.20260302081530"
    made.Modality = "ECG"
    made.AcquisitionDateTime = "20260302081530"
    made.AccessionNumber = "ECG2603020017"
    made.Manufacturer, made.ManufacturerModelName, made.DeviceSerialNumber = (
        "星迦",
        "XJ-12",
        "SN0042",
    )
    made.InstitutionName = "江城市第一人民医院"
    made.PatientName, made.PatientID = "陈^望舒", "P100471"
    made.PatientBirthDate, made.PatientSex = "19580307", "F"
    if notes:
        made.WaveformAnnotationSequence = Items(notes)
    made.WaveformSequence = Items(groups)
    for keyword, value in (said or {}).items():
        setattr(made, keyword, value)
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


MEASURED = (
    note("窦性心律"),
    note("正常心电图"),
    note(code=("2:15872", "MDC", "PR interval global"), value="160", unit="ms"),
    note(code=("2:16160", "MDC", "QT interval global"), value="380", unit="ms"),
    note(code=("8867-4", "LN", "Heart rate"), value="75", unit="/min"),
)
