"""A partner's FHIR as it came: exact numbers, its ids in the hub's, references, owners, findings."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partner import (
    BASE,
    FEED,
    LIBRARY,
    RECEIVED,
    bundle,
    convert,
    converter,
    deleted,
    dump,
    hub_id,
    observation,
    patient,
)

from adapters.fhir import ADAPTER
from adapters.fhir.bundle import MOST_BYTES, MOST_ENTRIES, read
from healthhub.adapter_api import BadMessage
from healthhub.mapping.library import Library
from healthhub.model import validate

WHOLE = bundle(patient(), observation(at="2026-03-01T08:00:00+08:00", valueInteger=7))
URN = "urn:uuid:33333333-3333-4333-8333-333333333333"


def bodies(raw: bytes) -> dict[str, dict[str, Any]]:
    return {draft.type: draft.body for draft in convert(raw).drafts}


def codes(raw: bytes) -> list[tuple[str, str, str]]:
    return [(f.severity, f.code, f.where) for f in convert(raw).findings]


@pytest.mark.parametrize(
    ("reference", "becomes"),
    [
        ("Patient/123", f"Patient/{hub_id('Patient', '123')}"),
        ("Patient/123/_history/4", f"Patient/{hub_id('Patient', '123')}"),
        (f"{BASE}Patient/123", f"Patient/{hub_id('Patient', '123')}"),
        ("Organization/not-here", f"Organization/{hub_id('Organization', 'not-here')}"),
        ("https://other.example/fhir/Patient/123", "https://other.example/fhir/Patient/123"),
        ("urn:uuid:00000000-0000-4000-8000-000000000000", "urn:uuid:00000000-0000-4000-8000-000000000000"),
        ("#inside", "#inside"),
    ],
)  # fmt: skip
def test_a_reference_leads_to_the_hubs_own_id(reference: str, becomes: str) -> None:
    contained = [{"resourceType": "Organization", "id": "inside", "name": "检验科"}]
    told = observation(performer=[{"reference": reference}], contained=contained)
    found = bodies(bundle(patient(), told))["Observation"]
    assert found["performer"] == [{"reference": becomes}]
    assert found["contained"] == contained


def test_what_has_no_id_yet_is_known_by_its_urn() -> None:
    whole = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": URN, "resource": {k: v for k, v in patient().items() if k != "id"}},
            {"resource": observation(subject={"reference": URN})},
        ],
    }
    found = bodies(dump(whole))
    assert found["Patient"]["id"] == hub_id("Patient", URN)
    assert found["Observation"]["subject"]["reference"] == f"Patient/{found['Patient']['id']}"


def test_a_later_bundle_fits_to_an_earlier_one() -> None:
    [first] = convert(bundle(observation())).drafts
    [then] = convert(dump(patient())).drafts
    assert first.patient == then.patient == then.id


def test_the_partners_own_id_stays_as_identifier_and_its_version_goes() -> None:
    told = patient(
        meta={"versionId": "7", "lastUpdated": "2026-01-02T03:04:05Z", "tag": [{"code": "t"}]}
    )
    [draft] = convert(dump(told)).drafts
    assert draft.body["identifier"] == [
        {"system": "urn:healthhub:id:sample:fhir-Patient", "value": "123"}
    ]
    assert draft.body["meta"] == {
        "tag": [{"code": "t"}],
        "source": "urn:healthhub:source:sample#1",
    }
    assert draft.stamp.at.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "tag",
    [
        {"system": "https://healthhub.dev/fhir/record", "code": "golden"},
        {"code": "https://healthhub.dev/fhir/record|golden"},
        {"system": "urn:x", "code": "https://healthhub.dev/fhir/record|golden"},
    ],
)
def test_the_hubs_own_marks_are_not_the_partners_to_set(tag: dict[str, str]) -> None:
    told = patient(meta={"source": "urn:healthhub:source:other#9", "tag": [tag]})
    for raw in (dump(told), bundle(told)):
        [draft] = convert(raw).drafts
        assert draft.body["meta"] == {"source": "urn:healthhub:source:sample#1"}


@pytest.mark.parametrize(
    ("kind", "kept", "replaced"),
    [("replaced-by", "9", "123"), ("replaces", "123", "9"), ("seealso", "", "")],
)
def test_a_patient_that_replaces_another_is_one_with_it(
    kind: str, kept: str, replaced: str
) -> None:
    links = [{"other": {"reference": "Patient/9"}, "type": kind}]
    found = convert(bundle(patient(link=links))).merges
    wanted = [(hub_id("Patient", kept), hub_id("Patient", replaced))] if kept else []
    assert [(str(m.kept), str(m.replaced)) for m in found] == wanted


@pytest.mark.parametrize(
    "link", [{"type": "replaced-by"}, {"other": {"display": "x"}, "type": "replaces"}]
)
def test_a_link_that_names_nobody_joins_nobody(link: dict[str, Any]) -> None:
    found = convert(bundle(patient(link=[link])))
    assert found.merges == ()


def _document(own: str, subject: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": own,
        "status": "current",
        "subject": {"reference": subject},
        "content": [{"attachment": {"url": f"{BASE}Binary/b"}}],
    }


def test_a_binary_belongs_to_the_patient_of_what_refers_to_it() -> None:
    binary = {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": "eA=="}
    drafts = convert(bundle(binary, _document("d", "Patient/123"))).drafts
    assert {d.type for d in drafts} == {"Binary", "DocumentReference"}
    assert {str(d.patient) for d in drafts} == {hub_id("Patient", "123")}
    [document] = [d.body for d in drafts if d.type == "DocumentReference"]
    assert document["content"][0]["attachment"]["url"] == f"Binary/{hub_id('Binary', 'b')}"
    two = bundle(binary, _document("d", "Patient/123"), _document("e", "Patient/9"))
    for whose in (two, bundle(binary)):
        assert [f.code for f in convert(whose).findings] == ["no-patient"]


def test_decimals_keep_their_digits() -> None:
    raw = bundle(observation(valueQuantity={"value": 0})).replace(
        b'"value": 0', b'"value": 6.100'
    )
    value = bodies(raw)["Observation"]["valueQuantity"]["value"]
    assert (value, str(value)) == (Decimal("6.1"), "6.100")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (dump({**patient(), "id": None}), ("error", "invalid", "Patient")),
        (bundle(observation(subject={"reference": "Group/1"})), ("error", "no-patient", "Bundle.entry[0].resource")),
        (bundle(observation(status="finished")), ("error", "invalid", "Bundle.entry[0].resource")),
        (bundle({"resourceType": ["Patient"], "id": "1"}), ("error", "invalid", "Bundle.entry[0].resource")),
        (bundle({"resourceType": {}, "id": "1"}), ("error", "invalid", "Bundle.entry[0].resource")),
        (dump({"resourceType": "Consent", "id": "1"}), ("warning", "not-applied", "Consent")),
        (dump({"resourceType": "Account", "id": "1", "status": "active"}), ("warning", "not-applied", "Account")),
        (bundle(observation(at="2999-01-01T00:00:00Z")), ("warning", "bad-time", "Bundle.entry[0].resource")),
        (bundle(observation(at="0001-01-01T00:00:00+08:00")), ("warning", "bad-time", "Bundle.entry[0].resource")),
        (deleted("Binary/1", at="2026-01-01T00:00:00Z"), ("warning", "not-applied", "Bundle.entry[0]")),
        (dump({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": patient(), "request": {"method": "PUT", "url": "Patient/9"}}]}), ("error", "conflict", "Bundle.entry[0].resource")),
        (dump({"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": f"https://{n}.example/Patient/123", "resource": patient()} for n in "ab"]}), ("error", "conflict", "Bundle.entry[1].resource")),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told_with_its_place(
    raw: bytes, told: tuple[str, str, str]
) -> None:
    assert told in codes(raw)


def test_the_hubs_profile_warns_and_never_stops() -> None:
    told = patient("9", name=[{"use": "official"}])
    found = convert(bundle(told))
    assert [draft.type for draft in found.drafts] == ["Patient"]
    assert {f.severity for f in found.findings} == {"warning"}
    assert {f.code for f in found.findings} == {"profile"}
    assert all(f.where.startswith("Bundle.entry[0].resource") for f in found.findings)


@pytest.mark.parametrize(
    "kind", [t for t, k in LIBRARY.definition("national/fhir").take.items() if k.withdrawn]
)
def test_each_type_can_be_withdrawn_before_it_was_known(kind: str) -> None:
    stub, word = convert(deleted(f"{kind}/1", at="2026-01-01T00:00:00Z")).drafts
    assert (stub.stamp.authority, word.stamp.authority) == (0, 1)
    validate.check({**stub.body, **word.body})
    assert not codes(deleted(f"{kind}/1", at="2026-01-01T00:00:00Z"))


def test_an_explanation_names_the_bytes_of_the_resource() -> None:
    found = converter().explain(1, WHOLE, RECEIVED)
    [value] = [each for each in found if each.element == "valueInteger"]
    [(start, end)] = value.spans
    assert json.loads(WHOLE[start:end])["valueInteger"] == 7
    assert value.paths == ("Bundle.entry[1].resource",)
    assert value.rule.startswith("national/fhir/mapping.yaml:")


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (dump(patient()), 1),
        (dump(patient()) + b"\n" + dump(patient("2")) + b"\n\n", 2),
        (b"\xef\xbb\xbf" + dump(patient()) + b"\r\n" + dump(patient("2")), 2),
        (json.dumps(patient(), indent=1).encode(), 1),
        (json.dumps(patient(), indent=1).encode()[:-20], 1),
        (b"", 1),
    ],
)
def test_a_body_is_one_message_or_lines(body: bytes, count: int) -> None:
    assert len(list(ADAPTER.split(body))) == count


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"", "JSON object"),
        (b"[]", "JSON object"),
        (b"{}", "resourceType"),
        (b'{"resourceType": "Patient"', "missing"),
        (b'{"resourceType": "Patient", "id": }', "no JSON"),
        (b'{"resourceType": "Patient", "id": "1", "id": "2"}', "twice"),
        (b'{"resourceType": "Patient", "name": [{"text": "1", "text": "2"}]}', "twice"),
        (b'{"resourceType": "Patient", "x": NaN}', "no number"),
        (b'{"resourceType": "Patient", "x": 1e999999999}', "without measure"),
        (b'{"resourceType": "Patient", "x": ' + b"9" * 6000 + b"}", "without measure"),
        (b'{"resourceType": "Patient"} {}', "behind"),
        (b'{"resourceType": "Patient", "x": ' + b"[" * 100_000, "deep"),
        (b'{"resourceType": "Patient", "entry": [{}]}', "Bundle only"),
        (b'{"resourceType": "Bundle", "entry": {}}', "missing"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": 1}]}', "no object"),
        (b'{"resourceType": "Bundle", "entry": [' + b"{}," * MOST_ENTRIES + b"{}]}", "entries"),
        (b'{"resourceType": "Patient", "x": "\xff\xff"}', "neither UTF-8"),
        (b" " * (MOST_BYTES + 1), "fewer"),
    ],
)
def test_what_is_no_fhir_json_is_refused_by_byte(message: bytes, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        ADAPTER.envelope(message, FEED)
    assert told in refused.value.message
    assert refused.value.place.startswith("byte ")


def test_the_envelope_of_a_bundle_holds_only_what_can_be_printed() -> None:
    hostile = {
        "resourceType": "Bundle",
        "type": "a\0",
        "id": "\ud800",
        "entry": [{"resource": patient("\0")}],
    }
    found = ADAPTER.envelope(json.dumps(hostile).encode(), FEED)
    assert (found.kind, found.control, found.patient, found.numbers) == (
        "FHIR^Bundle",
        "",
        "",
        (),
    )
    told = ADAPTER.envelope(bundle(observation(), id="b-1", kind="batch"), FEED)
    assert (told.kind, told.control, told.patient) == ("FHIR^batch", "b-1", "123")
    assert told.numbers == ("123", "o1")


def test_the_spans_of_resources_are_their_bytes_in_any_charset() -> None:
    raw = json.dumps(json.loads(WHOLE), ensure_ascii=False, indent=2).encode("gb18030")
    for one in read(raw, "gb18030").given:
        start, end = one.span
        assert json.loads(raw[start:end].decode("gb18030")) == one.resource


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WHOLE)), cut=st.integers(0, 40), put=st.binary(max_size=6))
def test_a_damaged_bundle_is_taken_or_refused_never_a_crash(
    at: int, cut: int, put: bytes
) -> None:
    damaged = WHOLE[:at] + put + WHOLE[at + cut :]
    for piece in ADAPTER.split(damaged):
        try:
            envelope = ADAPTER.envelope(piece, FEED)
        except BadMessage as error:
            assert error.place.startswith("byte ")  # noqa: PT017
            continue
        assert (
            envelope.kind + envelope.control + envelope.patient + "".join(envelope.numbers)
        ).isprintable()
        for draft in convert(piece).drafts:
            validate.check(draft.body)
        for each in converter().explain(1, piece, RECEIVED):
            assert all(0 <= start <= end <= len(piece) for start, end in each.spans)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["resourceType", "id", "meta", "lastUpdated", "entry", "resource", "fullUrl",
                         "request", "response", "method", "url", "subject", "reference", "type",
                         "identifier", "category", "coding", "timestamp", "period"]),
        inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["Bundle", "Patient", "Observation", "Encounter"]), st.dictionaries(
    st.sampled_from(["id", "meta", "entry", "type", "subject", "identifier", "category", "period"]), JSON))  # fmt: skip
def test_whatever_stands_where_it_should_not_is_told(kind: str, said: dict[str, Any]) -> None:
    raw = json.dumps({"resourceType": kind, **said}).encode()
    try:
        envelope = ADAPTER.envelope(raw, FEED)
    except BadMessage:
        return
    told = envelope.kind + envelope.control + envelope.patient + "".join(envelope.numbers)
    assert told.isprintable()
    found = convert(raw)
    assert found.drafts or found.findings


def test_a_type_that_r4_has_not_is_refused_in_the_mapping(tmp_path: Any) -> None:
    (tmp_path / "m").mkdir()
    for take, told in (
        ("{Patiend: {}}", "no resource type"),
        ("{Patient: {owner: subject}}", "no element"),
    ):
        text = f'mapping: m\nversion: "1"\nadapter: fhir\ntake: {take}\n'
        (tmp_path / "m" / "mapping.yaml").write_text(text)
        with pytest.raises(Exception, match=told):
            Library(tmp_path).mapping("m")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(LIBRARY.definition("national/fhir").take)),
    st.dictionaries(
        st.sampled_from(["link", "category", "identifier", "name", "code", "period", "participant"]),
        st.sampled_from([[{}], {}, [{"coding": [{}]}], {"coding": [{}]}, [{"other": {}}], "x", [None]]),
    ),
)  # fmt: skip
def test_half_filled_elements_of_any_type_are_told_not_stumbled_over(
    kind: str, said: dict[str, Any]
) -> None:
    whole = {"resourceType": kind, "id": "1", "subject": {"reference": "Patient/1"}, **said}
    for body in (whole, {name: each for name, each in whole.items() if name != "subject"}):
        found = convert(dump(body))
        assert found.drafts or found.findings
