"""A small picture of an image object: one frame, windowed as its maker says, as JPEG.

Decoded by pydicom with numpy and Pillow: uncompressed, RLE, JPEG and JPEG 2000; what these
cannot decode (JPEG-LS, video) has no picture. The size of the frame is known before a byte of it
is decoded.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom import config
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from adapters.dicom.part10 import File

MOST_SIDE = 512
MOST_FRAME = 128 * 2**20
"""Bytes of one frame, decoded."""
QUALITY = 80

config.settings.reading_validation_mode = config.IGNORE
Image.MAX_IMAGE_PIXELS = 64 * 2**20
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its errors quote what it read


def jpeg(raw: bytes, file: File) -> bytes:
    """The picture; empty where there is none to be had of these bytes."""
    if file.pixels is None or file.deflated is not None:
        return b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            dataset = pydicom.dcmread(io.BytesIO(raw), force=True)
            if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
                dataset.file_meta.TransferSyntaxUID = UID(file.syntax)
            return _jpeg(dataset)
        except Exception:  # noqa: BLE001 - pixel data can be anything; no picture is then made
            return b""


def _jpeg(dataset: Any) -> bytes:
    samples = int(dataset.get("SamplesPerPixel", 1))
    size = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated) // 8
    if not 0 < size <= MOST_FRAME:
        return b""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    pixels = pixel_array(dataset, index=frames // 2)
    image = Image.fromarray(_coloured(dataset, pixels, samples))
    image.thumbnail((MOST_SIDE, MOST_SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _coloured(dataset: Any, pixels: Any, samples: int) -> Any:
    """Eight bits for each grey or colour, as they are to be seen."""
    if samples > 1:
        return _eight(pixels, dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, dataset)
        return (coloured >> 8).astype("uint8") if coloured.itemsize > 1 else coloured
    grey = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset, index=0)
    grey = np.asarray(grey, dtype="float32")
    low, high = _window(grey, windowed=_has_window(dataset))
    grey = np.clip((grey - low) / max(high - low, 1e-6), 0, 1) * 255
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    return grey.astype("uint8")


def _has_window(dataset: Any) -> bool:
    return "WindowCenter" in dataset or "VOILUTSequence" in dataset


def _window(grey: Any, *, windowed: bool) -> tuple[float, float]:
    """What is black and what is white. Without a window of the maker's own, a few pixels at
    either end (a burnt-in mark, a metal clip) do not count."""
    if windowed:
        return float(grey.min()), float(grey.max())
    low, high = np.percentile(grey, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(grey.min()), float(grey.max()))


def _eight(pixels: Any, dataset: Any) -> Any:
    bits = int(dataset.get("BitsStored", 8))
    return (pixels >> (bits - 8)).astype("uint8") if bits > 8 else pixels.astype("uint8")
