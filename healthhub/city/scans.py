"""A study of X-rays or slices as DICOM objects: images with their pixels, and what a doctor has marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    KeyObjectSelectionDocumentStorage,
)

from healthhub.city import pictures
from healthhub.city.charts import Chart
from healthhub.city.dicom_objects import GB18030, coded, in_parts, uid
from healthhub.city.moments import Moment, digits8, digits14

SLICES = (92, 100, 96)
"""How large the body is in each slice, in percent."""
MARKED = 2
"""The slice that the doctor marks."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """A machine and the department that it stands in."""

    maker: str
    model: str
    place: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What was done. ``picture`` names a drawing, ``number`` the study among all of the city;
    ``visit``, ``order`` and ``accession`` are the hospital's numbers, empty where there are none."""

    number: str
    picture: str
    name: str
    part: str
    modality: str
    chart: Chart
    at: Moment
    doctor: str
    scanner: Scanner
    accession: str
    visit: str = ""
    order: str = ""

    @property
    def count(self) -> int:
        """How many images it has."""
        return len(SLICES) if self.modality == "CT" else 1


def images(scan: Scan) -> Iterator[Dataset]:
    """Each image of the study's one series, but for the part of the body: how that is written is
    the house's."""
    for number in range(1, scan.count + 1):
        ds = _head(scan, number, scan.modality, "横断面 5mm" if scan.count > 1 else scan.name)
        ct = scan.modality == "CT"
        ds.SOPClassUID = CTImageStorage if ct else DigitalXRayImageStorageForPresentation
        if not ct:
            ds.ViewPosition = "PA" if "正位" in scan.name else "LL"
        percent = SLICES[number - 1] if ct else 90 + sum(map(ord, scan.number)) % 4 * 4
        _pixels(ds, pictures.drawn(scan.picture, percent))
        yield ds


def marked(scan: Scan) -> Dataset:
    """A Key Object Selection: the slice that the report speaks of."""
    ds = _head(scan, 1, "KO", "关键图像", series=2)
    ds.SOPClassUID = KeyObjectSelectionDocumentStorage
    ds.ConceptNameCodeSequence = coded("113000", "DCM", "Of Interest")
    one = Dataset()
    one.ReferencedSOPClassUID = CTImageStorage
    one.ReferencedSOPInstanceUID = uid(scan.number, 1, MARKED)
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(scan.number, 1), [one]
    evidence = Dataset()
    evidence.StudyInstanceUID = uid(scan.number)
    evidence.ReferencedSeriesSequence = [series]
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return ds


def _head(scan: Scan, number: int, modality: str, title: str, series: int = 1) -> Dataset:
    """What every object of the study says."""
    at, chart = digits14(scan.at), scan.chart
    taken = digits14(scan.at + 10 * series + number)
    ds = Dataset()
    ds.SpecificCharacterSet = GB18030
    ds.SOPInstanceUID = uid(scan.number, series, number)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(scan.number), uid(scan.number, series)
    ds.StudyDate, ds.StudyTime = digits8(scan.at), at[8:]
    ds.ContentDate, ds.ContentTime = taken[:8], taken[8:]
    ds.AccessionNumber, ds.StudyID = scan.accession, scan.accession[-8:]
    ds.Modality = modality
    ds.Manufacturer, ds.ManufacturerModelName = scan.scanner.maker, scan.scanner.model
    ds.InstitutionName = scan.scanner.place
    ds.ReferringPhysicianName = in_parts(scan.doctor)
    ds.StudyDescription, ds.SeriesDescription = scan.name, title
    ds.PatientName, ds.PatientID = in_parts(chart.name), chart.number
    ds.PatientBirthDate, ds.PatientSex = chart.birth, chart.resident.sex
    ds.SeriesNumber, ds.InstanceNumber = str(series), str(number)
    if scan.visit:
        ds.AdmissionID = scan.visit
    if scan.order:
        ds.PlacerOrderNumberImagingServiceRequest = scan.order
        ds.RequestedProcedureDescription = scan.name
    return ds


def _pixels(ds: Dataset, raw: bytes) -> None:
    ds.Rows = ds.Columns = pictures.SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.WindowCenter, ds.WindowWidth = "128", "256"
    ds.PixelData = raw
    ds["PixelData"].VR = "OB"
