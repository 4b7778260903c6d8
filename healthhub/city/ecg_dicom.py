"""An electrocardiogram as a DICOM 12-lead waveform (PS3.3, A.34.3), texts in GB18030."""

from __future__ import annotations

from array import array
from itertools import chain

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import TwelveLeadECGWaveformStorage

from healthhub.city import heart
from healthhub.city.dicom_objects import coded, in_parts, uid, written
from healthhub.city.ecg_order import Ordered
from healthhub.city.heart import MICROVOLTS, Tracing
from healthhub.city.moments import digits8, digits14

_LEADS = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64}
"""Numbers of the limb leads in ISO/IEEE 11073-10102; V1 is 3, and so on."""
_MEASURED = (
    ("8867-4", "LN", "Heart rate", "/min", "rate"),
    ("2:15872", "MDC", "PR interval global", "ms", "pr"),
    ("2:16156", "MDC", "QRS duration global", "ms", "qrs"),
    ("2:16160", "MDC", "QT interval global", "ms", "qt"),
    ("2:15880", "MDC", "QTc interval global", "ms", "qtc"),
    ("2:16132", "MDC", "QRS axis", "deg", "axis"),
)


def write(ordered: Ordered, tracing: Tracing) -> bytes:
    """The file."""
    chart, at = ordered.chart, digits14(ordered.at)
    ds = Dataset()
    ds.SpecificCharacterSet = "GB18030"
    ds.SOPClassUID = TwelveLeadECGWaveformStorage
    ds.SOPInstanceUID = uid(ordered.number, 1, 1)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(ordered.number), uid(ordered.number, 1)
    ds.Modality = "ECG"
    ds.StudyDate, ds.StudyTime = digits8(ordered.at), at[8:]
    ds.AcquisitionDateTime, ds.TimezoneOffsetFromUTC = at, "+0800"
    ds.AccessionNumber, ds.AdmissionID = ordered.order, ordered.visit
    ds.Manufacturer, ds.ManufacturerModelName = ordered.device.maker, ordered.device.model
    ds.DeviceSerialNumber = ordered.device.serial
    ds.InstitutionName, ds.OperatorsName = ordered.place, in_parts(ordered.technician)
    ds.PatientID, ds.PatientName = chart.number, in_parts(chart.name)
    ds.PatientBirthDate, ds.PatientSex = chart.birth, chart.resident.sex
    ds.WaveformSequence = Items([_group(tracing)])
    ds.WaveformAnnotationSequence = Items([*_statements(tracing), *_measured(tracing)])
    return written(ds)


def _group(tracing: Tracing) -> Dataset:
    """The multiplex group, its channels interleaved."""
    made = Dataset()
    made.MultiplexGroupTimeOffset, made.WaveformOriginality = "0", "ORIGINAL"
    made.NumberOfWaveformChannels = len(tracing.leads)
    made.NumberOfWaveformSamples = heart.SAMPLES
    made.SamplingFrequency = str(heart.RATE)
    made.ChannelDefinitionSequence = Items([_channel(name) for name in tracing.leads])
    made.WaveformBitsAllocated, made.WaveformSampleInterpretation = 16, "SS"
    together = array("h", chain.from_iterable(zip(*tracing.leads.values(), strict=True)))
    made.WaveformData = together.tobytes()
    return made


def _channel(name: str) -> Dataset:
    made = Dataset()
    number = _LEADS.get(name) or 2 + int(name[1:])
    made.ChannelSourceSequence = coded(f"2:{number}", "MDC", f"Lead {name}")
    made.ChannelSensitivity, made.ChannelSensitivityCorrectionFactor = str(MICROVOLTS), "1"
    made.ChannelSensitivityUnitsSequence = coded("uV", "UCUM", "microvolt")
    made.ChannelBaseline, made.WaveformBitsStored = "0", 16
    return made


def _statements(tracing: Tracing) -> list[Dataset]:
    return [_note(text) for text in tracing.said]


def _measured(tracing: Tracing) -> list[Dataset]:
    notes: list[Dataset] = []
    for code, scheme, name, unit, field in _MEASURED:
        note = _note()
        note.ConceptNameCodeSequence = coded(code, scheme, name)
        note.NumericValue = str(getattr(tracing, field))
        note.MeasurementUnitsCodeSequence = coded(unit, "UCUM", unit)
        notes.append(note)
    return notes


def _note(text: str = "") -> Dataset:
    made = Dataset()
    made.AnnotationGroupNumber, made.ReferencedWaveformChannels = 0, [1, 0]
    if text:
        made.UnformattedTextValue = text
    return made
