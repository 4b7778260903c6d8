"""HL7 annotated ECG: leads, measurements and statements; hostile and broken XML; long ones."""

from __future__ import annotations

import base64

import pytest
from aecg_writer import sequence, write
from converted import (
    FEED,
    RECEIVED,
    convert,
    converter,
    leads,
    measured,
    only,
    refused_at,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ecg import ADAPTER, aecg
from adapters.ecg.aecg import MOST_TEXT
from adapters.ecg.recording import EXCERPT_SECONDS, MOST_BYTES, MOST_LEADS
from healthhub.adapter_api import BadMessage
from healthhub.convert.samples import SampleSource
from healthhub.errors import TooLarge
from healthhub.receive import files

TWO = (("MDC_ECG_LEAD_I", [1, -2, 3]), ("MDC_ECG_LEAD_AVR", [40, 50, 60]))
MINIMAL = b"""<!-- the smallest document of the implementation guide's kind: no declaration -->
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="61d1a24f-b47e-41aa-ae95-f8ac302f4eeb"/><code code="93000"/>
<effectiveTime><center value="20021122091000"/></effectiveTime>
<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
<id root="2.16.840.1.113883.3.456" extension="SBJ-123"/></trialSubject></subject>
</subjectAssignment></componentOf></timepointEvent></componentOf>
<component><series><code code="RHYTHM"/><component><sequenceSet>
<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">
<head value="20021122091000"/><increment value="0.002" unit="s"/></value></sequence></component>
<component><sequence><code code="MDC_ECG_LEAD_II" codeSystem="2.16.840.1.113883.6.24"/>
<value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/><scale value="2.5" unit="uV"/>
<digits>-2 -2 -2 -3 </digits></value></sequence></component>
</sequenceSet></component></series></component></AnnotatedECG>"""


@given(st.lists(st.integers(-9999, 9999), min_size=1, max_size=60), st.integers(1, 9))
def test_samples_are_counted_block_by_block(values: list[int], block: int) -> None:
    text = " " + "\n ".join(map(str, values)) + "  "
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aecg, "_BLOCK", block)
        assert aecg._count(text) == len(values)
        assert aecg._count(text + "x") is None
        assert aecg._count(text + "1-") is None


def test_the_smallest_document_is_read() -> None:
    [lead] = leads(MINIMAL).values()
    assert (lead["data"], lead["factor"], lead["period"]) == ("-2 -2 -2 -3", 2.5, 2)
    found = convert(MINIMAL)
    assert only(found, "Observation")["effectiveDateTime"] == "2002-11-22T09:10:00+08:00"
    assert only(found, "Patient")["identifier"][0]["value"] == "SBJ-123"


def test_leads_measurements_and_statements_are_read() -> None:
    raw = write(TWO)
    assert {name: lead["data"] for name, lead in leads(raw).items()} == {
        "MDC_ECG_ELEC_POTL_I": "1 -2 3",
        "MDC_ECG_ELEC_POTL_AVR": "40 50 60",
    }
    assert measured(raw) == {
        "8867-4": ("75", "bpm"),
        "8625-6": ("160", "ms"),
        "8636-3": ("424", "ms"),
        "8632-2": ("-12", "deg"),
    }
    report = only(convert(raw), "DiagnosticReport")
    assert (report["conclusion"], report["status"]) == ("窦性心律；正常心电图", "preliminary")


def test_explain_names_the_digits_of_a_lead_in_any_charset() -> None:
    declared = '<?xml version="1.0" encoding="GB18030"?>\n'
    raw = write(TWO, declared=declared).decode().encode("gb18030")
    told = {each.element: each for each in converter().explain(1, raw, RECEIVED)}
    for number, digits in enumerate((b"1 -2 3", b"40 50 60")):
        data = told[f"component[{number}].valueSampledData.data"]
        assert raw[slice(*data.spans[0])] == digits
        assert data.paths == (f"/ecg/lead[{number + 1}]/@data",)
    assert raw[slice(*told["name[0].text"].spans[0])].decode("gb18030") == "陈望舒"


def test_a_resident_number_as_the_subject_is_an_identity_number() -> None:
    raw = write(TWO, subject="42900419640312201X")
    kinds = {i["system"] for i in only(convert(raw), "Patient")["identifier"]}
    assert kinds <= {"urn:oid:2.16.156.10011.1.3", "urn:healthhub:id:sample:patient"}
    assert len(kinds) == 1


def test_a_long_recording_keeps_its_beginning_and_its_original() -> None:
    """Over a minute: 10 s in the Observation, all of it beside a DocumentReference."""
    raw = write([("MDC_ECG_LEAD_II", list(range(250 * 61)))])
    found = convert(raw)
    observation = only(found, "Observation")
    [lead] = leads(raw).values()
    assert len(lead["data"].split()) == 250 * EXCERPT_SECONDS
    assert "开头 10 秒" in observation["note"][0]["text"]
    document, binary = only(found, "DocumentReference"), only(found, "Binary")
    assert base64.b64decode(binary["data"]) == raw
    assert document["content"][0]["attachment"]["url"] == f"Binary/{binary['id']}"
    assert observation["derivedFrom"] == [{"reference": f"DocumentReference/{document['id']}"}]


def test_a_minute_is_not_long() -> None:
    found = convert(write([("MDC_ECG_LEAD_II", list(range(250 * 60)))]))
    assert {draft.type for draft in found.drafts} == {
        "Patient",
        "Device",
        "Observation",
        "DiagnosticReport",
    }


WHOLE = write(TWO)
ROOT = b"<AnnotatedECG "
BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (WHOLE.replace(ROOT, BOMB + ROOT), "DOCTYPE"),
        (WHOLE.replace(ROOT, b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + ROOT), "DOCTYPE"),
        (WHOLE.replace(b"1 -2 3", b"1 &x; 3"), "undefined entity"),
        (WHOLE.replace(b"1 -2 3", b"1 x 3"), "a sample is no number"),
        (WHOLE.replace(b"1 -2 3", b"NaN 1 2"), "a sample is no number"),
        (WHOLE.replace(b"1 -2 3", b" "), "no digits"),
        (WHOLE.replace(b'unit="s"', b'unit="h"'), "no time between"),
        (WHOLE.replace(b'value="0.004"', b'value="-1"'), "no time between"),
        (WHOLE[:1500], "no well-formed XML"),
        (b"<ClinicalDocument/>", "no AnnotatedECG"),
        (write([]), "no lead"),
        (write([("MDC_ECG_LEAD_I", [1])] * (MOST_LEADS + 1)), "leads; divide"),
        (WHOLE + b" " * MOST_TEXT, "divide"),
        (b"MSH|^~\\&|A", "no DICOM file, SCP-ECG record or AnnotatedECG"),
        (b"", "no DICOM file"),
        (b"PK\x03\x04" + b"\0" * 400, "unpacked"),
    ],
)  # fmt: skip
def test_what_is_hostile_or_broken_is_refused_with_its_place(raw: bytes, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(raw, FEED)
    assert told in refused.value.message
    assert refused.value.place


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE)), cut=st.integers(0, 80), put=st.binary(max_size=8))
def test_a_damaged_document_is_read_or_refused_never_a_crash(
    at: int, cut: int, put: bytes
) -> None:
    raw = WHOLE[:at] + put + WHOLE[at + cut :]
    if refused_at(raw):
        return
    convert(raw)
    for each in converter().explain(1, raw, RECEIVED):
        for start, end in each.spans:
            assert 0 <= start <= end <= len(raw)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_answered(raw: bytes) -> None:
    assert b"reject" in ADAPTER.acknowledge(raw, "reject", "no", None, FEED)
    with pytest.raises(BadMessage):
        ADAPTER.read(raw, FEED)


def test_a_file_longer_than_any_recording_is_not_read(tmp_path: object) -> None:
    path = tmp_path / "long.dcm"  # type: ignore[operator]
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(TooLarge, match=r"long\.dcm"):
        list(files.messages([path], ADAPTER))


def test_a_lead_that_nobody_has_named_is_kept_and_flagged() -> None:
    found = convert(WHOLE.replace(b'code="MDC_ECG_LEAD_AVR"', b'code=""'))
    parts = only(found, "Observation")["component"]
    assert [(f.code, f.value) for f in found.findings] == [("unknown-code", "lead 2")]
    assert (parts[1]["code"]["text"], parts[1]["valueSampledData"]["data"]) == (
        "lead 2",
        "40 50 60",
    )


def test_a_vendors_own_code_is_kept_beside_its_name() -> None:
    raw = WHOLE.replace(b"MDC_ECG_LEAD_AVR", b"MINDRAY_LEAD_X9")
    found = convert(raw)
    assert [(f.code, f.value) for f in found.findings] == [("unknown-code", "MINDRAY_LEAD_X9")]
    assert sequence("A", [1]) != ""
    assert SampleSource("national/ecg").zone == "Asia/Shanghai"
