"""Invented DICOM objects, and the samples of the DICOM mappings: python -m tests.dicom.invented_objects."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    TwelveLeadECGWaveformStorage,
    UltrasoundImageStorage,
)

from healthhub.settings import PACKAGE_ROOT

MAPPINGS = PACKAGE_ROOT / "mappings"
ROOT = "1.2.156.10011.99.7"
CHARSET_UTF8 = "ISO_IR 192"


def uid(*parts: int) -> str:
    """A UID under an invented root."""
    return ".".join((ROOT, *map(str, parts)))


def ramp(side: int = 64, top: int = 4000) -> np.ndarray:
    """A picture that is darker to the left."""
    return np.tile(np.linspace(0, top, side, dtype="uint16"), (side, 1))


def with_pixels(ds: Dataset, pixels: np.ndarray, photometric: str = "MONOCHROME2") -> Dataset:
    """Give an object uncompressed pixels."""
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 0
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    return ds


def image(
    number: int = 1, series: int = 1, study: int = 1, modality: str = "CT", **more: Any
) -> Dataset:
    """An image of an invented resident, without pixels."""
    ds = Dataset()
    ds.SpecificCharacterSet = CHARSET_UTF8
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = uid(study, series, number)
    ds.StudyDate, ds.StudyTime = "20260301", "093000"
    ds.SeriesDate, ds.SeriesTime = "20260301", f"0935{series:02d}"
    ds.ContentDate, ds.ContentTime = "20260301", f"0936{number % 60:02d}.125"
    ds.AccessionNumber = f"YX2603010{study:02d}"
    ds.Modality = modality
    ds.Manufacturer, ds.ManufacturerModelName = "瑞观", "RG-64"
    ds.ReferringPhysicianName = "顾^临川"
    ds.StudyDescription, ds.SeriesDescription = "胸部CT平扫", "肺窗 1.0mm"
    ds.OperatorsName = "舒^望"
    ds.PatientName = "Shen^WangShu=沈^望舒"
    ds.PatientID = "0061163935"
    ds.PatientBirthDate, ds.PatientSex = "19800307", "F"
    other = Dataset()
    other.PatientID, other.TypeOfPatientID = "429004198003072420", "TEXT"
    ds.OtherPatientIDsSequence = [other]
    ds.BodyPartExamined = "CHEST"
    ds.StudyInstanceUID = uid(study)
    ds.SeriesInstanceUID = uid(study, series)
    ds.StudyID = f"S{study}"
    ds.SeriesNumber, ds.InstanceNumber = str(series), str(number)
    for name, value in more.items():
        setattr(ds, name, value)
    return ds


def written(ds: Dataset, syntax: str = ExplicitVRLittleEndian, charset: str = "") -> bytes:
    """The object as a file. ``charset``: the texts' bytes are in it, whatever is declared."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2")
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(uid(0))
    ds.file_meta = meta
    if charset:
        declared = ds.get("SpecificCharacterSet")
        ds.SpecificCharacterSet = charset
        return _declared(_saved(ds), charset, declared)
    return _saved(ds)


def _saved(ds: Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _declared(raw: bytes, marker: str, declared: str | None) -> bytes:
    """The file with another SpecificCharacterSet than that in which it was written."""
    value = marker + " " * (len(marker) % 2)
    old = b"\x08\x00\x05\x00CS" + len(value).to_bytes(2, "little") + value.encode()
    assert raw.count(old) == 1
    if declared is None:
        return raw.replace(old, b"")
    text = declared + " " * (len(declared) % 2)
    return raw.replace(
        old, b"\x08\x00\x05\x00CS" + len(text).to_bytes(2, "little") + text.encode()
    )


def ct_first() -> bytes:
    """The first image of a series, with its pixels and what a doctor would look at it with."""
    ds = with_pixels(image(), ramp())
    ds.WindowCenter, ds.WindowWidth = "2000", "3000"
    return written(ds)


def ct_of_hospital_a() -> bytes:
    """As hospital A's PACS sends: the order's number and the visit's in their places."""
    ds = image(2, PlacerOrderNumberImagingServiceRequest="V0061163935001_J")
    ds.AdmissionID = "V0061163935001"
    ds.AccessionNumber = "YXV0061163935001"
    ds.RequestedProcedureDescription = "胸部CT平扫"
    return written(ds)


def dx_of_hospital_b() -> bytes:
    """As hospital B's PACS sends: GBK and no word of it, Chinese where codes belong."""
    ds = image(1, 1, 8, "DX", PatientName="段^语桐", PatientID="079633701")
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.PatientSex, ds.PatientBirthDate = "2", "20010728"
    ds.OtherPatientIDsSequence = []
    ds.PatientComments = "429004200107289480"
    ds.AccessionNumber, ds.AdmissionID = "J07963370100101", "1"
    ds.StudyDescription, ds.SeriesDescription = "胸部正位片", "胸部正位"
    ds.BodyPartExamined = "XXXX"
    del ds.SpecificCharacterSet
    raw = written(ds, charset="GB18030")
    return raw.replace(b"XXXX", "胸部".encode("gb18030"))


def dx_in_gb18030() -> bytes:
    """Chinese in GB18030, and so declared; the name in one writing only."""
    ds = image(1, 1, 2, "DX", PatientName="王^昀", SpecificCharacterSet="GB18030")
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.StudyDescription, ds.SeriesDescription = "胸部正位", "后前位"
    ds.ViewPosition, ds.ImageLaterality = "PA", "U"
    return written(ds)


def us_wrong_charset() -> bytes:
    """GB18030 under the name of Latin-1, as an old ultrasound device writes."""
    ds = image(1, 1, 3, "US", PatientName="欧阳^镕", SpecificCharacterSet="ISO_IR 100")
    ds.SOPClassUID = UltrasoundImageStorage
    ds.StudyDescription, ds.BodyPartExamined = "肝胆胰脾彩超", "LIVER"
    return written(ds, charset="GB18030")


def key_images() -> bytes:
    """A Key Object Selection that flags two images of another series."""
    ds = image(1, 9, 1, "KO", SOPClassUID=KeyObjectSelectionDocumentStorage)
    ds.SeriesDescription = "关键图像"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "113000", "DCM"
    title.CodeMeaning = "Of Interest"
    ds.ConceptNameCodeSequence = [title]
    flagged = []
    for number in (2, 17):
        one = Dataset()
        one.ReferencedSOPClassUID = CTImageStorage
        one.ReferencedSOPInstanceUID = uid(1, 1, number)
        flagged.append(one)
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(1, 1), flagged
    evidence = Dataset()
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = uid(1), [series]
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return written(ds)


def ecg() -> bytes:
    """An object that is no image."""
    ds = image(1, 1, 4, "ECG", SOPClassUID=TwelveLeadECGWaveformStorage)
    ds.StudyDescription, ds.SeriesDescription = "十二导联心电图", ""
    del ds.BodyPartExamined
    return written(ds)


def bad_dates() -> bytes:
    """Dates that no calendar has, a modality that nobody knows, a jpeg that is none."""
    ds = image(1, 1, 5, "ZZ")
    ds.StudyDate, ds.PatientBirthDate, ds.ContentDate = "20260231", "19000101", "20261340"
    del ds.SeriesDate, ds.SeriesTime
    ds = with_pixels(ds, ramp(8))
    ds.PixelData = encapsulate([b"\xff\xd8no image"])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return written(ds, "1.2.840.10008.1.2.4.50")


def no_patient() -> bytes:
    """An object that says of whom it is by name alone."""
    return written(image(1, 1, 6, PatientID="", OtherPatientIDsSequence=[]))


def no_study() -> bytes:
    """An object without the UID of its study."""
    ds = image(1, 1, 7)
    del ds.StudyInstanceUID
    return written(ds)


def cut_off() -> bytes:
    """A file that lost its end on the way."""
    return ct_first()[:-1000]


SAMPLES: dict[str, Callable[[], bytes]] = {
    "national/dicom/samples/ct-first": ct_first,
    "national/dicom/samples/dx-gb18030": dx_in_gb18030,
    "national/dicom/samples/us-wrong-charset.gb18030": us_wrong_charset,
    "national/dicom/samples/key-images": key_images,
    "national/dicom/samples/ecg": ecg,
    "national/dicom/samples/bad-dates": bad_dates,
    "national/dicom/samples/no-patient": no_patient,
    "national/dicom/samples/no-study": no_study,
    "national/dicom/samples/cut-off": cut_off,
    "hospital-a-pacs/samples/ct": ct_of_hospital_a,
    "hospital-b-pacs/samples/dx.gb18030": dx_of_hospital_b,
}

if __name__ == "__main__":
    for name, make in SAMPLES.items():
        (MAPPINGS / f"{name}.dcm").write_bytes(make())
