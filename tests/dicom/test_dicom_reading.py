"""DICOM files of other makers, and broken ones: read, or refused with their place; never a crash."""

from __future__ import annotations

import io
import struct
import zlib
from base64 import b64decode
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset

from adapters.dicom import ADAPTER, kind_of, objects, part10
from healthhub.adapter_api import BadMessage, paths
from healthhub.adapter_api.record import Place, Record
from healthhub.convert.samples import SampleSource
from tests.dicom import invented_objects as made

FEED = SampleSource("national/dicom", "gb18030")
DATA = Path(pydicom.data.__file__).parent
CHARSETS = DATA / "charset_files"
FILES = DATA / "test_files"


def first(raw: bytes, name: str, charset: str = "gb18030") -> str:
    return objects.find(raw, charset).tree.first(name)


def amiss(raw: bytes, charset: str = "gb18030") -> list[str]:
    return [text for _, text in objects.find(raw, charset).tree.amiss]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("chrX1", "王小東"),  # ISO_IR 192
        ("chrX2", "王小东"),  # GB18030
        ("chrH31", "山田太郎"),  # ISO 2022 IR 87
        ("chrH32", "山田太郎"),  # ISO 2022 IR 13 and IR 87
        ("chrI2", "洪吉洞"),  # ISO 2022 IR 149
        ("chrKoreanMulti", "김희중"),
        ("chrJapMulti", "やまだたろう"),
        ("chrArab", "قباني لنزار"),
        ("chrFren", "Buc Jérôme"),
        ("chrFrenMulti", "Buc Jérôme"),
        ("chrGerm", "Äneas Rüdiger"),
        ("chrGreek", "Διονυσιος"),
        ("chrHbrw", "שרון דבורה"),
        ("chrRuss", "Люкceмбypг"),
    ],
)
def test_a_name_is_read_in_the_charset_that_its_file_declares(file: str, name: str) -> None:
    raw = (CHARSETS / f"{file}.dcm").read_bytes()
    assert first(raw, "PatientName") == name
    assert amiss(raw) == []


def test_an_item_may_declare_a_charset_of_its_own() -> None:
    tree = objects.find((CHARSETS / "chrSQEncoding.dcm").read_bytes(), "gb18030").tree
    written = [node.text for node in tree.whole.named["PatientName"]]
    assert "山田太郎" in written
    assert tree.amiss == []


def named(charset: str, declared: str | None, name: str = "沈^望舒") -> bytes:
    """An object whose texts are in one charset, and which declares another."""
    ds = made.image(1, PatientName=name, SpecificCharacterSet=declared)
    if declared is None:
        del ds.SpecificCharacterSet
    return made.written(ds, charset=charset)


@pytest.mark.parametrize(
    "declared", [None, "", "ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "GBK2000"]
)
@pytest.mark.parametrize("name", ["沈^望舒", "欧阳^镕", "王^㐀"])
def test_gb18030_under_another_name_is_read_and_told(declared: str | None, name: str) -> None:
    raw = named("GB18030", declared, name)
    assert first(raw, "PatientName") == name.replace("^", "")
    told = amiss(raw)
    assert len(told) == 1
    assert "the texts are in gb18030" in told[0]


@pytest.mark.parametrize("declared", [None, "ISO_IR 100", "GB18030", "ISO 2022 IR 58"])
def test_utf_8_under_another_name_is_read_and_told(declared: str | None) -> None:
    raw = named("ISO_IR 192", declared)
    assert first(raw, "PatientName") == "沈望舒"
    assert "the texts are in utf-8" in amiss(raw)[0]


@pytest.mark.parametrize("declared", ["GB18030", "GBK", "gb18030 "])
def test_what_is_declared_rightly_is_not_remarked_upon(declared: str) -> None:
    raw = named("GB18030", declared)
    assert (first(raw, "PatientName"), amiss(raw)) == ("沈望舒", [])


def test_iso_2022_ir_58_switches_by_escape_sequences() -> None:
    declared = b"\\ISO 2022 IR 58 "
    ds = made.image(1, PatientName="X", SpecificCharacterSet="")
    for element in list(ds):
        if element.VR in ("PN", "LO", "SH") and not str(element.value).isascii():
            del ds[element.tag]
    ds.PatientName = "Zhang^XiaoDong=AAAABB^CCCCDDEE="
    raw = made.written(ds)
    raw = raw.replace(b"AAAABB", b"\x1b$)A\xd5\xc5").replace(
        b"CCCCDDEE", b"\x1b$)A\xd0\xa1\xb6\xab"
    )
    raw = raw.replace(
        b"\x08\x00\x05\x00CS\x00\x00",
        b"\x08\x00\x05\x00CS" + struct.pack("<H", len(declared)) + declared,
    )
    assert (first(raw, "PatientName"), amiss(raw)) == ("张小东", [])


def test_a_german_name_in_latin_1_stays_german_at_a_source_that_sends_chinese() -> None:
    raw = (CHARSETS / "chrGerm.dcm").read_bytes()
    assert amiss(raw, "gb18030") == []


def test_a_text_in_no_charset_is_left_out_and_told_by_tag_and_byte() -> None:
    raw = named("GB18030", "GB18030").replace("沈".encode("gb18030"), b"\xff\xff")
    at = raw.index(b"\xff\xff") + 1
    assert first(raw, "PatientName") == ""
    assert any(f"(0010,0010) PatientName at byte {at}" in text for text in amiss(raw))


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("CT_small", "image"),
        ("MR_small_implicit", "image"),
        ("MR_small_bigendian", "image"),
        ("image_dfl", "image"),
        ("reportsi", "report"),
        ("test-SR", "report"),
        ("waveform_ecg", "waveform"),
        ("rtplan", "other"),
        ("rtstruct", "other"),
    ],
)
def test_the_kind_of_an_object_is_told_by_its_sop_class(file: str, kind: str) -> None:
    raw = (FILES / f"{file}.dcm").read_bytes()
    tree = objects.find(raw, "utf-8").tree
    assert kind_of(tree.first("SOPClassUID")) == kind


def test_a_class_that_nobody_knows_is_other_and_key_objects_are_no_reports() -> None:
    assert kind_of("1.3.12.2.1107.5.9.1") == "other"
    assert kind_of("1.2.840.10008.5.1.4.1.1.88.59") == "key-images"
    assert kind_of("") == "other"


READ_ALIKE = [
    "MR_small",
    "MR_small_expb",
    "MR_small_implicit",
    "MR_small_bigendian",
    "CT_small",
    "test-SR",
    "waveform_ecg",
    "rtplan",
    "badVR",
    "UN_sequence",
    "nested_priv_SQ",
]


@pytest.mark.parametrize("file", READ_ALIKE)
def test_elements_are_those_that_pydicom_reads(file: str) -> None:
    raw = (FILES / f"{file}.dcm").read_bytes()
    theirs = pydicom.dcmread(io.BytesIO(raw), stop_before_pixels=True, force=True)
    ours = part10.read(raw)
    assert [e.tag for e in ours.elements] == [int(element) for element in theirs._dict]
    for element in ours.elements:
        mine = element.items
        if mine is not None:
            assert len(mine) == len(theirs[element.tag].value)
            for item, dataset in zip(mine, theirs[element.tag].value, strict=True):
                assert [e.tag for e in item] == [int(element) for element in dataset._dict]


def test_a_place_is_the_bytes_of_the_elements_value() -> None:
    raw = made.ct_first()
    record = ADAPTER.read(raw, FEED)
    for path, expected in (
        ("PatientID", b"0061163935"),
        ("PatientName", "Shen^WangShu=沈^望舒".encode()),
        ("OtherPatientIDsSequence/PatientID", b"42900419800307242"),
    ):
        start, end = ADAPTER.locate(raw, FEED, Place(0, paths.number(path), 0))
        assert raw[start:end].startswith(expected)
        assert record.name is not None
        assert record.name(Place(0, paths.number(path), 0)) == f"/{path}"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "empty"),
        (b"MSH|^~\\&|A", "no DICOM object"),
        (b"%PDF-1.7 " + b"0" * 200, "no DICOM object"),
        ((FILES / "MR_truncated.dcm").read_bytes(), "cut off within (7FE0,0010) PixelData"),
        ((FILES / "rtplan_truncated.dcm").read_bytes(), "cut off within (300A,00B0)"),
        ((FILES / "dicomdirtests" / "DICOMDIR").read_bytes(), "DICOMDIR"),
        (made.no_study(), "(0020,000D) StudyInstanceUID is missing"),
        (made.written(made.image(1, SeriesInstanceUID="")), "(0020,000E) SeriesInstanceUID"),
        (b"[]", "no object"),
        (b'{"00080018":', "no JSON"),
        (b'{"00080018":{"vr":"UI","Value":["1.2"]}}', "(0008,0016) SOPClassUID is missing"),
    ],
)
def test_what_is_no_object_is_refused_with_its_place(raw: bytes, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(raw, FEED)
    assert told in refused.value.message
    assert refused.value.place


def test_a_uid_that_is_none_is_refused() -> None:
    raw = made.written(made.image(1)).replace(
        made.uid(1, 1, 1).encode(), b"1.2.156.x0011.99.7.1.1.1"
    )
    with pytest.raises(BadMessage, match="is no UID"):
        ADAPTER.envelope(raw, FEED)


def test_an_object_without_preamble_is_read_and_told() -> None:
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
        ds = made.image(1)
        out = io.BytesIO()
        implicit = syntax.endswith(".1.2")
        ds.save_as(out, implicit_vr=implicit, little_endian=True)
        raw = out.getvalue()
        assert raw[:2] == b"\x08\x00"
        record = ADAPTER.read(raw, FEED)
        assert [code for code, _ in record.mended] == ["repaired"]
        assert first(raw, "PatientName") == "沈望舒"


def test_a_deflated_bomb_is_refused_and_a_sound_one_read() -> None:
    head = made.written(made.image(1), "1.2.840.10008.1.2.1.99")
    assert first(head, "PatientName") == "沈望舒"
    at = head.index(b"1.2.840.10008.1.2.1.99") + 22
    at += next(n for n in range(200) if _inflates(head[at + n :]))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(80)) + packer.flush()
    with pytest.raises(BadMessage, match="unpacks to more"):
        ADAPTER.envelope(head[:at] + bomb, FEED)


def _inflates(data: bytes) -> bool:
    try:
        return b"ISO_IR" in zlib.decompress(data, -15)
    except zlib.error:
        return False


def test_sequences_beyond_all_depth_are_refused() -> None:
    inner = Dataset()
    inner.PatientID = "1"
    for _ in range(part10.MOST_DEPTH + 2):
        outer = Dataset()
        outer.RequestAttributesSequence = [inner]
        inner = outer
    ds = made.image(1, RequestAttributesSequence=[inner])
    with pytest.raises(BadMessage, match="sequences 32 deep"):
        ADAPTER.envelope(made.written(ds), FEED)


def picture(raw: bytes) -> Image.Image | None:
    node = objects.find(raw, "utf-8").tree.root.child("Rendered")
    data = b64decode(node.text) if node is not None else b""
    return Image.open(io.BytesIO(data)) if data else None


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        ("CT_small", "L"),
        ("MR_small_RLE", "L"),
        ("MR_small_bigendian", "L"),
        ("JPEG2000", "L"),
        ("693_J2KI", "L"),
        ("SC_rgb_jpeg_dcmtk", "RGB"),
        ("SC_rgb_rle_16bit_2frame", "RGB"),
        ("SC_ybr_full_422_uncompressed", "RGB"),
        ("examples_ybr_color", "RGB"),
        ("examples_palette", "RGB"),
        ("examples_jpeg2k", "RGB"),
        ("liver_1frame", "L"),
    ],
)
def test_other_makers_images_have_a_small_picture(file: str, mode: str) -> None:
    found = picture((FILES / f"{file}.dcm").read_bytes())
    assert found is not None
    assert found.format == "JPEG"
    assert found.mode == mode
    assert max(found.size) <= 512
    grey = np.asarray(found.convert("L"))
    assert file == "liver_1frame" or int(grey.max()) - int(grey.min()) > 60, (
        "a picture, not one grey"
    )


@pytest.mark.parametrize(
    "raw",
    [
        (FILES / "MR_small_jpeg_ls_lossless.dcm").read_bytes(),
        (FILES / "JPGExtended.dcm").read_bytes(),
        made.bad_dates(),
    ],
    ids=["JPEG-LS", "JPEG of 12 bits", "no JPEG at all"],
)
def test_what_cannot_be_decoded_has_no_picture(raw: bytes) -> None:
    assert picture(raw) is None


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_window_says_what_is_white(photometric: str, windowed: bool, dtype: str) -> None:
    pixels = (made.ramp(128, 240)).astype(dtype)
    ds = made.with_pixels(made.image(1), pixels, photometric)
    if windowed:
        ds.WindowCenter, ds.WindowWidth = "60", "40"
    found = picture(made.written(ds))
    assert found is not None
    left, middle, right = (int(np.asarray(found)[64, x]) for x in (2, 64, 125))
    if photometric == "MONOCHROME1":
        left, middle, right = 255 - left, 255 - middle, 255 - right
    assert left < 20
    assert right > 235
    assert middle > 235 if windowed else 100 < middle < 155


def test_a_large_image_is_made_small_and_a_huge_frame_is_not_decoded() -> None:
    found = picture(made.written(made.with_pixels(made.image(1), made.ramp(1400))))
    assert found is not None
    assert found.size == (512, 512)
    ds = made.with_pixels(made.image(1), np.zeros((8, 8), "uint16"))
    ds.Rows = ds.Columns = 65000
    assert picture(made.written(ds)) is None


RAWS = [
    made.ct_first(),
    made.us_wrong_charset(),
    made.key_images(),
    (FILES / "MR_small_implicit.dcm").read_bytes()[:3000],
    (FILES / "JPEG2000.dcm").read_bytes(),
]


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, len(RAWS) - 1),
    at=st.integers(0, 1400),
    cut=st.integers(0, 40),
    put=st.binary(max_size=12)
    | st.sampled_from(
        [b"\xff" * 4, b"\xfe\xff\x00\xe0", b"SQ\0\0\xff\xff\xff\xff", b"\x1b$)A", b"\\" * 9]
    ),
)
@example(which=0, at=132, cut=0, put=b"\xff" * 8)
def test_a_damaged_object_is_read_or_refused_never_a_crash(
    which: int, at: int, cut: int, put: bytes
) -> None:
    raw = RAWS[which]
    damaged = raw[:at] + put + raw[at + cut :]
    place, record = _read(damaged)
    if record is None:
        assert place
        return
    for number in (paths.number("PatientName"), paths.number("SeriesInstanceUID")):
        start, end = ADAPTER.locate(damaged, FEED, Place(0, number, 0))
        assert 0 <= start <= end <= len(damaged)
    assert record.kind.startswith("DCM^")
    picture(damaged)


def _read(raw: bytes) -> tuple[str, Record | None]:
    try:
        return "", ADAPTER.read(raw, FEED)
    except BadMessage as refused:
        return refused.place, None


def test_json_says_the_same_as_the_file() -> None:
    ds = made.image(1)
    raw = ds.to_json().encode()
    ours, files = objects.find(raw, "utf-8").tree, objects.find(made.written(ds), "utf-8").tree
    said = {(n.name, n.text) for n in ours.nodes if n.texts}
    assert said >= {
        (n.name, n.text)
        for n in files.nodes
        if n.texts and n.start and n.name != "SpecificCharacterSet"
    }
    envelope = ADAPTER.envelope(raw, FEED)
    assert (envelope.patient, envelope.control) == ("0061163935", made.uid(1, 1, 1))
    start, end = ADAPTER.locate(raw, FEED, Place(0, paths.number("PatientID"), 0))
    assert raw[start:end] == b'"0061163935"'


def test_an_array_of_objects_is_cut_byte_for_byte() -> None:
    one, two = (made.image(n).to_json().encode() for n in (1, 2))
    assert list(ADAPTER.split(b" [" + one + b" , " + two + b"]\n")) == [one, two]
    assert list(ADAPTER.split(made.ct_first())) == [made.ct_first()]


def test_the_samples_are_what_the_script_makes() -> None:
    for name, make in made.SAMPLES.items():
        assert (made.MAPPINGS / f"{name}.dcm").read_bytes() == make(), name
