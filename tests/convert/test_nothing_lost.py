"""Fields of the national base that were once lost, mixed up or taken from a wrong place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conversions import RECEIVED, Source

from healthhub.convert import Converter
from healthhub.mapping.library import Library
from healthhub.model.resource import Body

REAL = Library(Path(__file__).resolve().parents[2] / "mappings")
PID = "PID|1||P1^^^H^MR||陈^梅"
PV1 = "PV1|1|I" + "|" * 17 + "V1"


def made(kind: str, type_: str, *segments: str) -> Body:
    """The resource of a type, all that the message states of it together."""
    head = f"MSH|^~\\&|HIS|H|HUB|H|20240101080000||{kind}|1|P|2.8"
    raw = "\r".join((head, *segments)).encode()
    outcome = Converter("his", Source(mapping="national/hl7v2"), REAL).convert(1, raw, RECEIVED)
    assert not [finding for finding in outcome.findings if finding.severity == "error"]
    found: dict[object, Body] = {}
    for draft in outcome.drafts:
        if draft.type == type_:
            found[draft.id] = found.get(draft.id, {}) | draft.body
    assert len(found) == 1
    return next(iter(found.values()))


def at(value: Any, path: str) -> Any:
    """``reaction.0.severity`` of a resource; None where there is nothing."""
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = (value or {}).get(step)
    return value


OWN = "urn:healthhub:codes:jcyy"
ORDER = (PID, "ORC|NW|O1")
RXO = "RXO|A^Ampicillin|2||caps^capsule|F1^Capsule|^With food|^1 tablet twice daily||G||10|caps"
RXE = "RXE||N^Nicardipine|5||mg/hr^mg/hr||Titrate~No more than 15 mg/hr|||3|BG^Bag"


@pytest.mark.parametrize(
    ("kind", "type_", "segments", "path", "expected"),
    [
        # accidents: ACC-8 describes, ACC-9 says who brought the person in
        (
            "ADT^A01",
            "Observation",
            (PID, PV1, "ACC|20240101||Bridge|||||Fell from a bicycle|Police"),
            "valueString",
            "Fell from a bicycle",
        ),
        # referrals in words
        (
            "REF^I12",
            "ServiceRequest",
            ("RF1|A|R||||R1||||||||Spinal fracture||||||D1^Doe^Jane||||Check again", PID),
            "reasonCode.0.text",
            "Spinal fracture",
        ),
        (
            "REF^I12",
            "ServiceRequest",
            ("RF1|A|R||||R1", "PRD|RP|张^三", "PRD|RT|李^四|||||D4", PID, PV1),
            "requester.display",
            "张三",
        ),
        (
            "REF^I12",
            "ServiceRequest",
            ("RF1|A|R||||R1", "PRD|RP|张^三", "PRD|RT|李^四|||||D4", PID, PV1),
            "performer.0",
            {"display": "李四", "identifier": {"value": "D4"}},
        ),
        (
            "ADT^A01",
            "ServiceRequest",
            (PID, PV1, "RF1|A|R||||R1||||||||Spinal fracture"),
            "reasonCode.0.text",
            "Spinal fracture",
        ),
        (
            "ADT^A01",
            "Account",
            (PID + "|" * 13 + "AC1", "PV1|1|I" + "|" * 16 + "SELF|V1"),
            "type.coding.0.code",
            "SELF",
        ),
        # restrictions of access
        (
            "ADT^A01",
            "Patient",
            (PID, "ARV|1|A|DEM|PAT|Only the attending", PV1),
            "meta.security.0",
            {
                "system": "http://terminology.hl7.org/CodeSystem/v2-0717",
                "code": "DEM",
                "display": "Only the attending",
            },
        ),
        ("ADT^A01", "Patient", (PID, "ARV|1|D|DEM", PV1), "meta.security", None),
        ("ADT^A01", "Patient", (PID, "PD1" + "|" * 12 + "Y"), "meta.security.0.code", "R"),
        ("ADT^A01", "Encounter", (PID, PV1, "ARV|1|A|LOC"), "meta.security.0.code", "LOC"),
        # a note on the person
        (
            "ORU^R01",
            "Patient",
            (PID, "NTE|1||Deaf", "NTE|2||Speaks Yi"),
            "extension.0.valueAnnotation.text",
            "Deaf\nSpeaks Yi",
        ),
        # every reaction
        (
            "ADT^A01",
            "AllergyIntolerance",
            (PID, PV1, "AL1|1|DA|P^Penicillin|SV|Rash~Hives"),
            "reaction.0.manifestation",
            [{"text": "Rash"}, {"text": "Hives"}],
        ),
        (
            "ADT^A60",
            "AllergyIntolerance",
            (PID, PV1, "IAM|1|FA|N^Nut|||A|A1", "IAR|R^Rash|MI", "IAR|S^Shock|SV||Adrenaline"),
            "reaction.1.note.0.text",
            "Adrenaline",
        ),
        (
            "ADT^A60",
            "AllergyIntolerance",
            (PID, PV1, "IAM|1|FA|N^Nut|||A|A1", "IAR|R^Rash|MI", "IAR|S^Shock|SV||Adrenaline"),
            "reaction.1.severity",
            "severe",
        ),
        # what was asked for and what the pharmacy made of it are not mixed
        (
            "RDE^O11",
            "MedicationRequest",
            (*ORDER, "TQ1|1||TID", RXO, "RXR|PO", RXE, "TQ1|1||QD", "RXR|IV"),
            "dosageInstruction.0.text",
            "Titrate\nNo more than 15 mg/hr",
        ),
        (
            "RDE^O11",
            "MedicationRequest",
            (*ORDER, "TQ1|1||TID", RXO, "RXR|PO", RXE, "TQ1|1||QD", "RXR|IV"),
            "dosageInstruction.0.route.coding.1.code",
            "IV",
        ),
        (
            "RDE^O11",
            "MedicationRequest",
            (*ORDER, "TQ1|1||TID", RXO, "RXR|PO", RXE, "TQ1|1||QD", "RXR|IV"),
            "dosageInstruction.0.timing.code.coding.0.code",
            "QD",
        ),
        (
            "RDE^O11",
            "MedicationRequest",
            (*ORDER, "TQ1|1||TID", RXO, "RXR|PO", RXE),
            "dosageInstruction.0.route.coding.1.code",
            "PO",
        ),
        (
            "RDE^O11",
            "MedicationRequest",
            (*ORDER, RXO, RXE),
            "dosageInstruction.0.additionalInstruction",
            None,
        ),
        (
            "ORM^O01",
            "MedicationRequest",
            (*ORDER, RXO, "RXR|PO"),
            "dosageInstruction.0.text",
            "1 tablet twice daily",
        ),
        # who pays for a vaccination
        (
            "VXU^V04",
            "Immunization",
            (
                PID,
                "ORC|RE||F1",
                "RXA|0|1|20240101||140^Flu^CVX|0.5|mL",
                "OBX|1|CE|30963-3^Funding^LN|1|PHC70^Private^CDCPHINVS||||||F",
                "OBX|2|CE|64994-7^Eligibility^LN|2|V01^Not eligible^HL70064||||||F",
            ),
            "fundingSource.coding.0.code",
            "PHC70",
        ),
        (
            "VXU^V04",
            "Immunization",
            (
                PID,
                "ORC|RE||F1",
                "RXA|0|1|20240101||140^Flu^CVX|999||||||||||||00^Parental decision^NIP002||RE",
                "OBX|2|CE|64994-7^Eligibility^LN|2|V01^Not eligible^HL70064||||||F",
            ),
            "programEligibility.0.coding.0.code",
            "V01",
        ),
        (
            "VXU^V04",
            "Immunization",
            (
                PID,
                "ORC|RE||F1",
                "RXA|0|1|20240101||140^Flu^CVX|999||||||||||||00^Parental decision^NIP002||RE",
            ),
            "status",
            "not-done",
        ),
        # what is taken away is not there
        (
            "ADT^A08",
            "Encounter",
            (PID, PV1, "ROL|1|AD|AT|D1^Doe^Jane", "ROL|2|DE|AT|D2^Roe^Rick"),
            "participant.1",
            None,
        ),
        (
            "SIU^S14",
            "Appointment",
            (
                "SCH|A1|F1|||||||30|min|^^^20240101080000",
                PID,
                "RGS|1",
                "AIS|1|U|X^X-ray",
                "AIS|2|D|CT^CT",
                "AIP|1|D|D1^Doe^Jane",
                "AIL|1|D|W1",
            ),
            "serviceType",
            [{"coding": [{"system": OWN, "code": "X", "display": "X-ray"}], "text": "X-ray"}],
        ),
        (
            "SIU^S14",
            "Appointment",
            ("SCH|A1|F1|||||||30|min|^^^20240101080000", PID, "RGS|1", "AIP|1|D|D1^Doe^Jane"),
            "participant.1",
            None,
        ),
        (
            "ADT^A08",
            "Coverage",
            (PID, PV1, "IN1|1|P1^Plan|I1|Insurer" + "|" * 51 + "D"),
            "status",
            "cancelled",
        ),
        # values of other types are told in words, and an absent value is told or the value is
        (
            "ORU^R01",
            "Observation",
            (PID, "OBR|1|O1|F1|X^X", "OBX|1|XCN|Y^Y||D1^Doe^Jane||||||F"),
            "valueString",
            "Jane Doe",
        ),
        (
            "ORU^R01",
            "Observation",
            (PID, "OBR|1|O1|F1|X^X", "OBX|1|MO|Y^Y||12^CNY||||||F"),
            "valueString",
            "12 CNY",
        ),
        (
            "ORU^R01",
            "Observation",
            (PID, "OBR|1|O1|F1|X^X", "OBX|1|NM|Y^Y||5|g|||||X"),
            "dataAbsentReason",
            None,
        ),
        (
            "ORU^R01",
            "Observation",
            (PID, "OBR|1|O1|F1|X^X", "OBX|1|NM|Y^Y|||g|||||X"),
            "dataAbsentReason.coding.0.code",
            "not-performed",
        ),
        # a tube's own number
        (
            "OUL^R22",
            "Specimen",
            (PID, "SPM|1|S1|||BLD", "SAC|||T77", "OBR|1|O1|F1|X^Test"),
            "container.0.identifier.0.value",
            "T77",
        ),
    ],
)
def test_the_element_says_what_the_field_says(
    kind: str, type_: str, segments: tuple[str, ...], path: str, expected: object
) -> None:
    assert at(made(kind, type_, *segments), path) == expected
