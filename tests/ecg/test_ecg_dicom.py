"""DICOM waveforms: pydicom's own sample file, invented ones in Chinese, and what is refused."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
import pydicom
import pytest
from converted import (
    FEED,
    RECEIVED,
    convert,
    converter,
    converter_of,
    leads,
    measured,
    only,
    refused_at,
)
from dicom_writer import MEASURED, channel, group, write
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from adapters.ecg import ADAPTER
from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.record import Branch
from healthhub.convert.samples import SampleSource

PUBLIC = Path(str(get_testdata_file("waveform_ecg.dcm", download=False)))
"""A 12-lead ECG of a Mortara ELI 250, anonymised, in pydicom's test files (MIT licence)."""
ONE = [(1, "I", [1, -2, 3, -4, 5]), (2, "II", [10, 20, 30, 40, 50])]


def test_the_public_file_is_read_to_the_sample() -> None:
    raw = PUBLIC.read_bytes()
    found = leads(raw)
    assert list(found) == [
        f"MDC_ECG_ELEC_POTL_{name}"
        for name in ("I", "II", "III", "AVR", "AVL", "AVF", *(f"V{n}" for n in range(1, 7)))
    ]
    expected = pydicom.dcmread(PUBLIC).waveform_array(0)
    for number, lead in enumerate(found.values()):
        values = np.array(lead["data"].split(), dtype=float) * float(lead["factor"])
        assert np.array_equal(values, expected[:, number])
        assert (lead["period"], lead["origin"]["code"]) == (1, "uV")
    assert measured(raw) == {
        "8637-1": ("982", "ms"),
        "8625-6": ("161", "ms"),
        "8633-0": ("75", "ms"),
        "8634-8": ("368", "ms"),
        "8636-3": ("370", "ms"),
        "8626-4": ("74", "deg"),
        "8632-2": ("52", "deg"),
        "8638-9": ("57", "deg"),
    }
    converted = convert(raw)
    assert converted.findings == ()
    assert only(converted, "DiagnosticReport")["conclusion"] == "RITMO SINUSALE；ECG NORMALE"
    assert only(converted, "Patient")["birthDate"] == "1971-01-23"


def test_its_samples_and_texts_are_explained_by_their_bytes() -> None:
    raw = PUBLIC.read_bytes()
    told = {each.element: each for each in converter().explain(1, raw, RECEIVED)}
    start, end = told["component[0].valueSampledData.data"].spans[0]
    assert struct.unpack_from("<12h", raw, start)[:2] == (80, 90)
    assert end - start == 10_000 * 12 * 2
    born = told["birthDate"].spans[0]
    assert raw[slice(*born)] == b"19710123"
    interval = next(
        e for e in told.values() if str(e.value).startswith("{'value': Decimal('161")
    )
    assert b"161" in [raw[slice(*span)] for span in interval.spans]


@pytest.mark.parametrize("charset", ["GB18030", "ISO_IR 192", ""])
def test_chinese_names_are_read_in_the_charset_of_the_file_or_the_source(charset: str) -> None:
    raw = write([group(ONE)], MEASURED, charset or "GB18030")
    feed = FEED
    if not charset:
        raw = raw.replace(
            b"\x08\x00\x05\x00CS\x08\x00GB18030 ", b"\x08\x00\x05\x00CS\x08\x00        "
        )
        feed = SampleSource("national/ecg", charset="gb18030")
    tree = cast(Branch, ADAPTER.read(raw, feed).segments[0])
    name = tree.below(_number("patient/name"))[0]
    assert name.fields[_number(".")] == "陈 望舒"
    assert [s.fields[_number(".")] for s in tree.below(_number("statement"))] == [
        "窦性心律",
        "正常心电图",
    ]


def test_a_charset_that_is_not_the_declared_one_is_told_and_the_name_is_right() -> None:
    said = b"\x08\x00\x05\x00CS\x08\x00GB18030 "
    raw = write([group(ONE)], MEASURED).replace(said, said[:8] + b"ISO_IR 6")
    found = converter_of("gb18030").convert(1, raw, RECEIVED)
    assert only(found, "Patient")["name"][0]["text"] == "陈望舒"
    assert [f.code for f in found.findings] == ["wrong-charset"]


def _number(path: str) -> int:
    from healthhub.adapter_api import paths

    return paths.number(path)


def test_a_file_without_explicit_types_is_read() -> None:
    found = leads(write([group(ONE)], syntax=ImplicitVRLittleEndian))
    assert found["MDC_ECG_ELEC_POTL_I"]["data"] == "1 -2 3 -4 5"


def test_the_other_order_of_bytes_is_read() -> None:
    raw = write([group(ONE)], charset="ISO_IR 192")
    made = pydicom.dcmread(BytesIO(raw))
    data = np.frombuffer(made.WaveformSequence[0].WaveformData, "<i2").astype(">i2").tobytes()
    made.WaveformSequence[0].WaveformData = data
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    swapped = BytesIO()
    pydicom.dcmwrite(swapped, made, little_endian=False, implicit_vr=False, force_encoding=True)
    found = leads(swapped.getvalue())
    assert found["MDC_ECG_ELEC_POTL_I"]["data"] == "1 -2 3 -4 5"


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from([("SB", "b", 8), ("UB", "B", 8), ("SS", "h", 16), ("US", "H", 16), ("SL", "i", 32)]),
    values=st.lists(st.integers(0, 100), min_size=2, max_size=30),
    baseline=st.sampled_from(["0", "-1.5", "12"]),
)  # fmt: skip
def test_any_kind_of_sample_is_read(
    kind: tuple[str, str, int], values: list[int], baseline: str
) -> None:
    name, code, bits = kind
    data = struct.pack(f"<{len(values)}{code}", *values)
    made = group(
        [(2, "II", values)],
        WaveformSampleInterpretation=name,
        WaveformBitsAllocated=bits,
        WaveformData=data + b"\0" * (len(data) % 2),
        ChannelDefinitionSequence=Sequence([channel(2, "II", ChannelBaseline=baseline)]),
    )
    [lead] = leads(write([made])).values()
    assert lead["data"] == " ".join(map(str, values))
    assert float(lead["origin"]["value"]) == float(baseline)


def test_padding_is_no_sample_and_limits_are_kept() -> None:
    limited = channel(2, "II")
    for tag, value in ((0x54000110, -2000), (0x54000112, 2000)):
        limited.add_new(tag, "OW", struct.pack("<h", value))
    made = group([(2, "II", [5, -32768, 7])], ChannelDefinitionSequence=Sequence([limited]))
    made.add_new(0x5400100A, "OW", struct.pack("<h", -32768))
    [lead] = leads(write([made])).values()
    assert lead["data"] == "5 E 7"
    assert (lead["lowerLimit"], lead["upperLimit"]) == (-2000, 2000)


def test_a_mean_beat_beside_the_rhythm_is_no_lead() -> None:
    made = write([group(ONE), group(ONE, WaveformOriginality="DERIVED")])
    assert len(leads(made)) == 2


def test_leads_of_several_groups_are_all_there() -> None:
    """A three-channel cart records its leads one group after the other."""
    made = write([group(ONE), group([(3, "V1", [7, 8, 9, 10, 11])])])
    assert list(leads(made)) == [f"MDC_ECG_ELEC_POTL_{n}" for n in ("I", "II", "V1")]


def test_control_characters_in_a_text_are_left_out() -> None:
    found = convert(
        write([group(ONE)], charset="ISO_IR 192").replace(
            b"ECG2603020017", b"ECG26\x00302\x01017"
        )
    )
    [order] = only(found, "Observation")["basedOn"]
    assert order["identifier"]["value"] == "ECG26302017"


def refused(raw: bytes) -> BadMessage:
    with pytest.raises(BadMessage) as told:
        ADAPTER.envelope(raw, FEED)
    assert told.value.place
    return told.value


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (write([group(ONE)], said={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}), "no electrocardiogram"),
        (write([group(ONE)], syntax=DeflatedExplicitVRLittleEndian), "deflated"),
        (write([group(ONE, NumberOfWaveformSamples=4_000_000_000)]), "longer than 16000000; divide"),
        (write([group(ONE, NumberOfWaveformSamples=6)]), "says 12 samples and holds 10"),
        (write([group(ONE, SamplingFrequency="0")]), "no frequency"),
        (write([group(ONE, SamplingFrequency="1e9")]), "no frequency"),
        (write([group(ONE, NumberOfWaveformChannels=3)]), "as many channels"),
        (write([group(ONE, WaveformSampleInterpretation="MB")]), "MB of 16 bits"),
        (write([]), "no lead"),
        (write([group(ONE)])[:900], "as many channels"),
        (write([group(ONE)])[:180], "no electrocardiogram"),
        (write([group(ONE)])[:-4], "says 10 samples and holds 8"),
        (write([group(ONE)]).replace(b"DS\x04\x00250 ", b"DS\x04\x00fast"), "damaged or was cut off"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(raw: bytes, told: str) -> None:
    assert told in refused(raw).message


WHOLE = write([group(ONE)], MEASURED)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE)), cut=st.integers(0, 60), put=st.binary(max_size=8))
def test_a_damaged_file_is_read_or_refused_never_a_crash(at: int, cut: int, put: bytes) -> None:
    raw = WHOLE[:at] + put + WHOLE[at + cut :]
    if refused_at(raw):
        return
    convert(raw)
    for each in converter().explain(1, raw, RECEIVED):
        for start, end in each.spans:
            assert 0 <= start <= end <= len(raw)
