"""SCP-ECG: whatever the standard lets a cart write is read to the sample; what is damaged is
refused with section and byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from converted import FEED, RECEIVED, convert, converter, leads, measured, only, refused_at
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scp_writer import (
    PATIENT,
    Record,
    beats,
    crc,
    decimated,
    device,
    measurements,
    statements,
    tag,
)

from adapters.ecg import ADAPTER
from adapters.ecg.recording import MOST_SAMPLES
from healthhub.adapter_api import BadMessage

SAMPLES = st.lists(st.integers(-8000, 8000), min_size=3, max_size=120)
SMALL = st.lists(st.integers(-4, 4), min_size=3, max_size=120)


def texts(samples: Sequence[int]) -> str:
    return " ".join(map(str, samples))


def data(raw: bytes) -> list[str]:
    return [lead["data"] for lead in leads(raw).values()]


@settings(max_examples=120, deadline=None)
@given(one=SAMPLES | SMALL, order=st.sampled_from([0, 1, 2]), coded=st.booleans(), other=SMALL)
def test_any_samples_come_back_whatever_they_are_coded_in(
    one: list[int], order: int, coded: bool, other: list[int]
) -> None:
    raw = Record([(1, one), (7, other)], order=order, coded=coded).write()
    found = leads(raw)
    assert found["MDC_ECG_ELEC_POTL_I"]["data"] == texts(one)
    assert found["MDC_ECG_ELEC_POTL_V5"]["data"] == texts(other)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, -1, 700, -700]), min_size=3, max_size=80))
@example([700] * 20)
def test_a_table_of_the_records_own_is_used(values: list[int]) -> None:
    codes = {0: "0", 1: "10", -1: "110", 700: "1110111011101110", -700: "1111"}
    raw = Record([(1, values)], order=0, codes=codes).write()
    assert data(raw) == [texts(values)]


@settings(max_examples=60, deadline=None)
@given(
    beat=st.lists(st.integers(-300, 300), min_size=40, max_size=40),
    rest=st.lists(st.integers(-9, 9), min_size=200, max_size=200),
    order=st.sampled_from([0, 1, 2]),
)
def test_a_reference_beat_is_put_back_at_each_qrs_of_its_type(
    beat: list[int], rest: list[int], order: int
) -> None:
    """Amplitudes of 5 µV in the beat, 2.5 µV in the rest: one step of it is two of the rest."""
    places = [(0, 11, 31, 50), (1, 60, 80, 99), (0, 121, 141, 160)]
    record = Record([(1, rest)], order=order, flags=5)
    record.more = {
        4: beats(80, 21, places, [(11, 50), (60, 99), (121, 160)]),
        5: record.data([beat], 5000, 2000, 0),
    }
    expected = list(rest)
    for start in (10, 120):
        for at in range(40):
            expected[start + at] += 2 * beat[at]
    assert data(record.write()) == [texts(expected)]
    assert {lead["factor"] for lead in leads(record.write()).values()} == {2.5}


@settings(max_examples=60, deadline=None)
@given(
    slope=st.integers(-3, 3),
    zone=st.tuples(st.integers(5, 60), st.integers(1, 40)),
    order=st.sampled_from([0, 1, 2]),
)
def test_decimated_samples_are_drawn_out_and_protected_ones_are_exact(
    slope: int, zone: tuple[int, int], order: int
) -> None:
    """A straight line decimated by 4 is the same line again, save where its ends are held."""
    samples = [slope * n for n in range(160)]
    start, end = zone[0], zone[0] + zone[1]
    for number in range(start - 1, end):
        samples[number] += (-1) ** number * 200
    stored = decimated(samples, [(start, end)], 4)
    record = Record([(2, samples)], order=order, interval=8000, bimodal=1)
    kept = record.data([stored], 2500, 8000, 1)
    record.more = {
        4: beats(80, 21, [(0, start, start, end)], [(start, end)]),
        5: record.data([[0] * 40], 2500, 2000, 0),
        6: kept,
    }
    raw = record.write()
    [lead] = leads(raw).values()
    found = [int(text) for text in lead["data"].split()]
    assert len(found) == len(samples)
    assert lead["period"] == 2
    assert found[start - 1 : end] == samples[start - 1 : end]
    held = 2 * abs(slope) + 1
    assert all(abs(a - b) <= held for a, b in zip(found, samples, strict=True))
    assert "双模" in only(convert(raw), "Observation")["note"][0]["text"]


def test_what_else_a_record_says_is_read() -> None:
    more = {7: measurements(), 8: statements("窦性心律", "正常心电图", confirmed=True)}
    raw = Record([(1, [1, 2, 3])], more=more).write()
    found = convert(raw)
    person, report = only(found, "Patient"), only(found, "DiagnosticReport")
    assert (person["name"][0]["text"], person["gender"], person["birthDate"]) == (
        "陈望舒",
        "female",
        "1958-03-07",
    )
    assert only(found, "Device")["serialNumber"] == "SN0042"
    assert (report["status"], report["conclusion"]) == ("final", "窦性心律；正常心电图")
    assert report["issued"] == "2026-03-02T09:40:00+08:00"
    assert only(found, "Observation")["effectiveDateTime"] == "2026-03-02T08:15:30+08:00"
    assert measured(raw) == {
        "8637-1": ("800", "ms"),
        "8625-6": ("160", "ms"),
        "8633-0": ("92", "ms"),
        "8634-8": ("380", "ms"),
        "8626-4": ("48", "deg"),
        "8632-2": ("-12", "deg"),
        "8867-4": ("75", "/min"),
        "8636-3": ("424", "ms"),
    }
    envelope = ADAPTER.envelope(raw, FEED)
    assert (envelope.kind, envelope.patient) == ("ECG^SCP", "P100471")
    assert found.findings == ()


def test_a_confirmed_record_outweighs_the_machines_whichever_comes_first() -> None:
    drafts = [
        next(
            d
            for d in convert(
                Record([(1, [1, 2, 3])], more={8: statements("早搏", confirmed=done)}).write()
            ).drafts
            if d.type == "Observation"
        )
        for done in (False, True)
    ]
    assert drafts[0].id == drafts[1].id
    assert drafts[0].body["status"] == "preliminary"
    assert drafts[1].body["status"] == "final"
    assert drafts[1].stamp.authority > drafts[0].stamp.authority


def test_leads_that_began_later_are_put_at_their_time() -> None:
    record = Record([(1, [5] * 6), (2, [7] * 4)], flags=0)
    lines = struct.pack("<IIB", 1, 6, 1) + struct.pack("<IIB", 3, 6, 2)
    record.more = {3: bytes((2, 0)) + lines}
    assert data(record.write()) == ["5 5 5 5 5 5", "E E 7 7 7 7"]


def test_an_unknown_lead_is_kept_and_flagged() -> None:
    found = convert(Record([(1, [1, 2, 3]), (200, [4, 5, 6])]).write())
    parts = only(found, "Observation")["component"]
    assert [(f.code, f.value) for f in found.findings] == [("unknown-code", "5.6.3-9-200")]
    assert parts[1]["code"]["coding"][0]["code"] == "5.6.3-9-200"
    assert parts[1]["valueSampledData"]["data"] == "4 5 6"


def test_explain_names_the_bytes_of_each_leads_samples() -> None:
    raw = Record([(1, list(range(50))), (2, [9] * 50)], coded=False, order=0).write()
    told = converter().explain(1, raw, RECEIVED)
    spans = [s.spans[0] for s in told if s.element.endswith("valueSampledData.data")]
    assert [struct.unpack("<50h", raw[a:b]) for a, b in spans] == [tuple(range(50)), (9,) * 50]
    [name] = [s for s in told if s.element == "name[0].text"] or [None]
    [born] = [s for s in told if s.element == "birthDate"]
    assert struct.unpack("<HBB", raw[slice(*born.spans[0])]) == (1958, 3, 7)
    assert name is not None


def damaged(raw: bytes) -> BadMessage:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(raw, FEED)
    assert refused.value.place
    return refused.value


WHOLE = Record(
    [(1, list(range(60))), (2, [3] * 60)], more={7: measurements(), 8: statements("窦")}
).write()


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_a_record_cut_off_anywhere_is_refused(length: int) -> None:
    damaged(WHOLE[:length])


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), bits=st.integers(1, 255))
def test_a_flipped_bit_is_told_by_the_checksum(at: int, bits: int) -> None:
    spoiled = bytearray(WHOLE)
    spoiled[at] ^= bits
    damaged(bytes(spoiled))


def test_the_section_whose_checksum_is_wrong_is_named() -> None:
    spoiled = bytearray(WHOLE)
    at = WHOLE.index("陈".encode())
    spoiled[at] ^= 1
    refused = damaged(bytes(spoiled))
    assert refused.place.startswith("section 1, byte ")
    assert "checksum" in refused.message


@settings(max_examples=150, deadline=None)
@given(at=st.integers(22, len(WHOLE) - 1), put=st.binary(min_size=1, max_size=6))
def test_nonsense_under_right_checksums_is_read_or_refused_never_a_crash(
    at: int, put: bytes
) -> None:
    spoiled = bytearray(WHOLE)
    spoiled[at : at + len(put)] = put
    del spoiled[len(WHOLE) :]
    raw = sealed(bytes(spoiled))
    if refused_at(raw):
        return
    convert(raw)
    for each in converter().explain(1, raw, RECEIVED):
        for start, end in each.spans:
            assert 0 <= start <= end <= len(raw)


def sealed(raw: bytes) -> bytes:
    """A record with its checksums made right again, as far as its pointers can be followed."""
    made = bytearray(raw)
    for at in range(22, 22 + 120, 10):
        number, size, index = struct.unpack_from("<HII", made, at)
        start = index - 1 if number else 6
        size = size if number else struct.unpack_from("<I", made, 10)[0]
        if size >= 16 and start >= 6 and start + size <= len(made):
            made[start : start + 2] = struct.pack(
                "<H", crc(bytes(made[start + 2 : start + size]))
            )
    made[6:8] = struct.pack(
        "<H", crc(bytes(made[8 : 6 + struct.unpack_from("<I", made, 10)[0]]))
    )
    made[:2] = struct.pack("<H", crc(bytes(made[2:])))
    return bytes(made)


def spoiled(**said: object) -> bytes:
    return Record([(1, [1, 2, 3, 4])], **said).write()  # type: ignore[arg-type]


LEADS = {3: bytes((1, 4)) + struct.pack("<IIB", 1, MOST_SAMPLES + 5, 1)}


@pytest.mark.parametrize(
    ("raw", "place", "told"),
    [
        (spoiled(more=LEADS), "section 3, byte ", "divide"),
        (spoiled(more={3: bytes((1, 4)) + struct.pack("<IIB", 9, 2, 1)}), "section 3, byte ", "from sample 9 to 2"),
        (spoiled(more={3: bytes((1, 4)) + struct.pack("<IIB", 1, 400, 1)}), "section 6, byte ", "after"),
        (spoiled(more={3: bytes((9, 4))}), "section 3, byte ", "ends before"),
        (spoiled(order=3), "section 6, byte ", "differences of order 3"),
        (spoiled(interval=0), "section 6, byte ", "no time"),
        (spoiled(nanovolts=0), "section 6, byte ", "no amplitude"),
        (spoiled(flags=5), "section 3, byte ", "reference beat"),
        (spoiled(bimodal=1), "section 6, byte ", "decimated"),
        (spoiled(more={2: struct.pack("<H", 0)}), "section 2, byte ", "no Huffman table"),
        (spoiled(more={2: struct.pack("<HHBBBhI", 1, 1, 40, 40, 1, 0, 0)}), "section 2, byte ", "impossible"),
        (spoiled(patient=[tag(0, b"\xff\xfe\xc3")]), "section 1, byte ", "not utf-8"),
        (spoiled(patient=[*PATIENT[:5], tag(14, device(0x27)), tag(0, b"\x81\x20")]), "section 1, byte ", "not gb18030"),
    ],
)  # fmt: skip
def test_what_no_cart_may_write_is_refused_with_its_place(
    raw: bytes, place: str, told: str
) -> None:
    refused = damaged(raw)
    assert refused.place.startswith(place)
    assert told in refused.message


def test_a_missing_section_is_named() -> None:
    record = Record([(1, [1, 2, 3])])
    contents = record.sections()
    del contents[6]
    record.sections = lambda: contents  # type: ignore[method-assign]
    assert "section 6 (the rhythm) is missing" in damaged(record.write()).message
