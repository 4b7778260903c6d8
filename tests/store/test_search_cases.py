"""Each kind of search parameter with its prefixes and modifiers, case by case from the text of
the specification (http://hl7.org/fhir/R4/search.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import psycopg
import pytest
from serving import copied

from healthhub.errors import HubError, InvalidRequest, UnknownParameter
from healthhub.model import ids
from healthhub.store import direct, search
from healthhub.store.database import connect

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
BASE = "http://hub.test/fhir"
TREE = "http://hub.test/tree"


def concept(code: str, system: str = LOINC, **more: Any) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code, **more}]}


def quantity(value: float, unit: str, comparator: str = "") -> dict[str, Any]:
    """A Quantity in a UCUM unit."""
    made = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return made | ({"comparator": comparator} if comparator else {})


def of(type_: str, fhir_id: str, **elements: Any) -> dict[str, Any]:
    """A resource."""
    return {"resourceType": type_, "id": fhir_id, **elements}


def to(reference: str) -> dict[str, str]:
    """A reference."""
    return {"reference": reference}


def pressure(fhir_id: str, systolic: int, diastolic: int) -> dict[str, Any]:
    """A blood pressure."""
    parts = [("8480-6", systolic), ("8462-4", diastolic)]
    return of(
        "Observation",
        fhir_id,
        code=concept("85354-9"),
        subject=to("Patient/b"),
        component=[
            {"code": concept(code), "valueQuantity": quantity(value, "mm[Hg]")}
            for code, value in parts
        ],
    )


def dated(fhir_id: str, **when: Any) -> dict[str, Any]:
    """A procedure with a date."""
    return of("Procedure", fhir_id, status="completed", subject=to("Patient/a"), **when)


WORLD: list[dict[str, Any]] = [
    of(
        "Patient",
        "a",
        identifier=[
            {
                "type": concept("MR", "http://terminology.hl7.org/CodeSystem/v2-0203", display="Medical record number"),
                "system": "urn:mr",
                "value": "446053",
            }
        ],
        name=[{"family": "van der Berg", "given": ["Eve", "Anne-Marie"]}],
        gender="female",
        active=True,
        birthDate="1970-03-30",
        address=[{"city": "Amsterdam", "country": "NL"}],
        telecom=[{"system": "phone", "value": "555-0101"}, {"system": "email", "value": "eve@x.test"}],
        managingOrganization=to("Organization/north"),
        generalPractitioner=[to("Practitioner/house")],
    ),
    of("Patient", "b", name=[{"text": "欧阳小明"}], gender="male", deceasedDateTime="2026-02-01"),
    of("Patient", "golden", name=[{"text": "欧阳小明"}], active=True),
    of("Organization", "north", name="North Hospital", partOf=to("Organization/trust")),
    of("Organization", "trust", name="The Trust", alias=["Müller Group"]),
    of("Practitioner", "house", name=[{"family": "House"}]),
    of("Encounter", "e", status="finished", subject=to("Patient/a"), length=quantity(90, "min"), serviceProvider=to("Organization/north"), period={"start": "2026-01-01", "end": "2026-01-05"}),
    of("Encounter", "open", status="in-progress", subject=to("Patient/b"), period={"start": "2026-02-01"}),
    of("Observation", "g54", status="final", code=concept("2339-0", display="Glucose"), subject=to("Patient/a"), encounter=to("Encounter/e"), valueQuantity=quantity(5.4, "mmol/L"), effectiveDateTime="2026-01-02T10:00:00+08:00"),
    of("Observation", "g972", status="final", code=concept("2339-0"), subject=to("Patient/b"), valueQuantity=quantity(9.72, "mg/dL"), effectiveDateTime="2026-02-02"),
    of("Observation", "low", status="preliminary", code={"text": "Troponin, very sensitive"}, subject=to("Patient/b"), valueQuantity=quantity(0.01, "ug/L", "<")),
    of("Observation", "group", status="final", code=concept("x", "urn:local"), subject=to("Group/a"), valueString="No Growth after 48 h", performer=[to("Organization/north")]),
    of("Observation", "coded", status="final", code={"coding": [{"code": "bare"}]}, subject=to("Patient/a"), valueCodeableConcept=concept("neg", "urn:r")),
    pressure("bp1", 140, 80),
    pressure("bp2", 80, 140),
    of("Condition", "c1", code=concept("root.leaf", TREE), subject=to("Patient/a"), encounter=to("Encounter/e"), onsetAge=quantity(52, "a"), recordedDate="2026-01-02", onsetDateTime="2020"),
    of("Condition", "c2", code=concept("root", TREE), subject=to("Patient/b"), recordedDate="2026-01-03", onsetDateTime="2019-05"),
    of("Condition", "c3", code=concept("other", TREE), subject=to("Patient/b"), severity=concept("mild", "urn:s")),
    of("RiskAssessment", "r100", status="final", subject=to("Patient/a"), prediction=[{"probabilityDecimal": 0.8}]),
    of("RiskAssessment", "r9", status="final", subject=to("Patient/a"), prediction=[{"probabilityDecimal": 0.09}, {"probabilityRange": {"low": {"value": 0.4}, "high": {"value": 0.6}}}]),
    dated("day", performedDateTime="2013-01-14"),
    dated("morning", performedDateTime="2013-01-14T10:00:00+08:00"),
    dated("month", performedDateTime="2013-01"),
    dated("span", performedPeriod={"start": "2013-01-10", "end": "2013-01-20"}),
    dated("onward", performedPeriod={"start": "2013-01-21"}),
    dated("until", performedPeriod={"end": "2013-01-13"}),
    of("CodeSystem", "tree", url=TREE, status="active", content="complete", concept=[{"code": "root", "concept": [{"code": "root.leaf"}, {"code": "root.twig", "concept": [{"code": "bud"}]}]}, {"code": "other"}]),
    of("ValueSet", "roots", url="http://hub.test/vs/roots", status="active", compose={"include": [{"system": TREE, "filter": [{"property": "concept", "op": "is-a", "value": "root"}]}]}),
    of("ValueSet", "two", url="http://hub.test/vs/two", status="draft", version="2", compose={"include": [{"system": TREE, "concept": [{"code": "other"}, {"code": "root"}]}]}),
    of("List", "l", status="current", mode="working", entry=[{"item": to("Condition/c1")}, {"item": to("Condition/c3")}, {"item": to("Patient/a")}, {"item": to("Condition/c2"), "deleted": True}]),
    of("Provenance", "p", target=[to("Observation/g54")], agent=[{"who": to("Practitioner/house")}], recorded="2026-01-02T10:00:00Z"),
    of("Appointment", "both", status="booked", participant=[{"actor": to("Patient/b"), "status": "accepted"}, {"actor": to("Patient/a"), "status": "accepted"}, {"actor": {"identifier": {"system": "urn:loc", "value": "room1"}}, "status": "accepted"}]),
    of("DocumentReference", "d", status="current", subject=to("Patient/a"), relatesTo=[{"code": "replaces", "target": to("DocumentReference/old")}, {"code": "signs", "target": to("DocumentReference/other")}]),
    of("Task", "t", status="requested", intent="order", focus=to("http://elsewhere.test/fhir/ServiceRequest/9")),
]  # fmt: skip


@pytest.fixture(scope="module")
def world(server_dsn: str, template: str) -> Iterator[psycopg.Connection]:
    """A connection to a store that holds WORLD; Patient/golden stands for Patient/b."""
    with copied(server_dsn, template) as database, connect(database) as connection:
        for body in WORLD:
            direct.update(connection, body["resourceType"], body["id"], body)
        connection.execute(
            "insert into person (person_key) values (%s)", (ids.row_id("Patient", "golden"),)
        )
        connection.execute(
            "insert into person_link (patient_key, person_key, rule, evidence, model, decided_by)"
            " values (%s, %s, 'r', '{}', 'm', 'test')",
            (ids.row_id("Patient", "b"), ids.row_id("Patient", "golden")),
        )
        connection.commit()
        yield connection


NAMES = {ids.row_id(body["resourceType"], body["id"]): body["id"] for body in WORLD}


def page(connection: psycopg.Connection, address: str) -> search.SearchPage:
    """A page of an address such as ``Patient?name=eve``."""
    kind, _, query = address.partition("?")
    params = parse_qsl(query, keep_blank_values=True)
    return search.run(connection, kind, params, BASE)


def found(connection: psycopg.Connection, address: str) -> str:
    """The ids found, in the order of the alphabet."""
    return " ".join(sorted(NAMES[each.id] for each in page(connection, address).matches))


CASES = [
    # number: implicit precision, prefixes, ranges
    ("RiskAssessment?probability=0.8", "r100"),
    ("RiskAssessment?probability=gt0.8", ""),
    ("RiskAssessment?probability=ge0.8", "r100"),
    ("RiskAssessment?probability=0.80", "r100"),
    ("RiskAssessment?probability=0.85", ""),
    ("RiskAssessment?probability=lt0.1", "r9"),
    ("RiskAssessment?probability=1", "r100"),
    ("RiskAssessment?probability=gt0.5", "r100 r9"),
    ("RiskAssessment?probability=sa0.5", "r100"),
    ("RiskAssessment?probability=eb0.5", "r9"),
    ("RiskAssessment?probability=ap0.085", "r9"),
    ("RiskAssessment?probability=ne0.8", "r9"),
    ("RiskAssessment?probability=8e-1", "r100"),
    ("RiskAssessment?probability=0.8,0.09", "r100 r9"),
    # date: the table of prefixes, days in months, periods with open ends
    ("Procedure?date=2013-01-14", "day morning"),
    ("Procedure?date=eq2013-01-14", "day morning"),
    ("Procedure?date=2013-01", "day month morning span"),
    ("Procedure?date=2013", "day month morning span"),
    ("Procedure?date=ne2013-01-14", "month onward span until"),
    ("Procedure?date=gt2013-01-14", "month onward span"),
    ("Procedure?date=lt2013-01-14", "month span until"),
    ("Procedure?date=ge2013-01-14", "day month morning onward span"),
    ("Procedure?date=le2013-01-14", "day month morning span until"),
    ("Procedure?date=sa2013-01-14", "onward"),
    ("Procedure?date=eb2013-01-14", "until"),
    ("Procedure?date=ge2013-03-14", "onward"),
    ("Procedure?date=ge2013-01-14T10:00:00%2b08:00&date=lt2013-01-14T11:00:00%2b08:00", "day month morning span"),
    ("Procedure?date=2013-01-14T02:00:00Z", "morning"),
    ("Procedure?date=2013-01-14T10:00", "morning"),
    ("Encounter?date=ge2026-03", "open"),
    ("Condition?onset-date=2020", "c1"),
    ("Condition?onset-date=le2019-05", "c2"),
    ("Condition?recorded-date=2026-01-03", "c2"),
    ("Patient?death-date=2026-02", "b"),
    # string: start, case, accents, words joined; :exact, :contains
    ("Patient?family=van", "a"),
    ("Patient?family=VAN DER", "a"),
    ("Patient?family=berg", ""),
    ("Patient?family:contains=berg", "a"),
    ("Patient?family:exact=van der Berg", "a"),
    ("Patient?family:exact=Van der Berg", ""),
    ("Patient?given=anne", "a"),
    ("Patient?name=ouyang", "b golden"),
    ("Patient?name=eve,ouyang", "a b golden"),
    ("Patient?given=eve&given=anne", "a"),
    ("Patient?given=eve&given=bob", ""),
    ("Patient?address=ams", "a"),
    ("Patient?address-city=amsterdam", "a"),
    ("Patient?phonetic=ouyangxiaoming", "b golden"),
    ("Patient?phonetic=hows", ""),
    ("Practitioner?phonetic=hous", "house"),
    ("Organization?name=muller", "trust"),
    ("Observation?value-string=no growth", "group"),
    # token: code, system|code, |code, system|; modifiers
    ("Observation?code=2339-0", "g54 g972"),
    (f"Observation?code={LOINC}|2339-0", "g54 g972"),
    ("Observation?code=urn:local|2339-0", ""),
    ("Observation?code=|bare", "coded"),
    ("Observation?code=|2339-0", ""),
    ("Observation?code=urn:local|", "group"),
    ("Observation?code=2339-0,x", "g54 g972 group"),
    ("Observation?code=2339-0&code=x", ""),
    ("Observation?status=http://hl7.org/fhir/observation-status|preliminary", "low"),
    ("Observation?status=urn:other|preliminary", ""),
    ("Observation?status=|preliminary", ""),
    ("Observation?status:not=final", "bp1 bp2 low"),
    ("Observation?code:text=tropo", "low"),
    ("Observation?code:text=gluc", "g54"),
    ("Observation?code:text=sensitive", ""),
    ("Patient?gender:not=male", "a golden"),
    ("Patient?gender:not=male,female", "golden"),
    ("Patient?gender:missing=true", "golden"),
    ("Patient?gender:missing=false", "a b"),
    ("Patient?active=true", "a golden"),
    ("Patient?active=http://terminology.hl7.org/CodeSystem/special-values|true", "a golden"),
    ("Patient?deceased=true", "b"),
    ("Patient?deceased=false", "a golden"),
    ("Patient?identifier=urn:mr|446053", "a"),
    ("Patient?identifier=446053", "a"),
    ("Patient?identifier=urn:mr|", "a"),
    ("Patient?identifier=|446053", ""),
    ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053", "a"),
    ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|446053", ""),
    ("Patient?telecom=phone|5550101", "a"),
    ("Patient?telecom=email|5550101", ""),
    ("Patient?email=eve@x.test", "a"),
    ("Patient?phone=eve@x.test", ""),
    ("Condition?code:in=http://hub.test/vs/roots", "c1 c2"),
    ("Condition?code:in=ValueSet/two", "c2 c3"),
    ("Condition?code:in=http://hub.test/vs/two|2", "c2 c3"),
    ("Condition?code:not-in=http://hub.test/vs/roots", "c3"),
    (f"Condition?code:below={TREE}|root", "c1 c2"),
    (f"Condition?code:below={TREE}|root.leaf", "c1"),
    (f"Condition?code:above={TREE}|root.leaf", "c1 c2"),
    (f"Condition?code:above={TREE}|bud", "c2"),
    # reference: id, Type/id, url, :Type, :identifier, chains
    ("Observation?subject=Patient/a", "coded g54"),
    ("Observation?subject=a", "coded g54 group"),
    ("Observation?subject:Patient=a", "coded g54"),
    ("Observation?subject:Group=a", "group"),
    ("Observation?patient=a", "coded g54"),
    (f"Observation?subject={BASE}/Patient/a", "coded g54"),
    ("Observation?subject=http://elsewhere.test/fhir/Patient/a", ""),
    ("Observation?subject=Patient/a/_history/1", "coded g54"),
    ("Task?focus=http://elsewhere.test/fhir/ServiceRequest/9", "t"),
    ("Task?focus=ServiceRequest/9", ""),
    ("Appointment?patient=a", "both"),
    ("Appointment?patient=b", "both"),
    ("Appointment?actor:identifier=urn:loc|room1", "both"),
    ("Appointment?actor:identifier=room2", ""),
    ("Observation?patient:missing=true", "group"),
    ("Observation?patient.name=eve", "coded g54"),
    ("Observation?subject:Patient.family=van", "coded g54"),
    ("Observation?subject.gender=male", "bp1 bp2 g972 low"),
    ("Observation?patient.organization.partof.name=the", "coded g54"),
    ("Observation?encounter.service-provider.name=north", "g54"),
    ("Observation?performer:Organization.name=north", "group"),
    ("Observation?patient.identifier=urn:mr|446053&code=2339-0", "g54"),
    ("Appointment?patient.name=eve", "both"),
    ("Patient?general-practitioner.name=house", "a"),
    # golden patients, directly and in chains
    ("Observation?patient=golden", "bp1 bp2 g972 low"),
    ("Observation?patient.active=true", "bp1 bp2 coded g54 g972 low"),
    ("Observation?patient._id=golden", "bp1 bp2 g972 low"),
    ("Appointment?patient=golden", "both"),
    ("Appointment?patient._id=golden", "both"),
    ("Patient?_has:Observation:patient:code=8480-6", ""),
    ("Patient?_has:Observation:patient:component-code=8480-6", "b golden"),
    ("Patient?_has:Observation:patient:status=preliminary&active=true", "golden"),
    # _has, nested, and on other types
    ("Patient?_has:Observation:patient:code=2339-0", "a b golden"),
    ("Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/house", "a"),
    ("Encounter?_has:Condition:encounter:code=root.leaf", "e"),
    ("Encounter?_has:Condition:encounter:code=root", ""),
    ("Encounter?status=finished&_has:Observation:encounter:code=2339-0", "e"),
    ("Organization?_has:Encounter:service-provider:status=finished", "north"),
    ("Observation?patient._has:Condition:patient:code=root.leaf", "coded g54"),
    # quantity: units, conversion, comparators in the resource
    (f"Observation?value-quantity=5.4|{UCUM}|mmol/L", "g54"),
    (f"Observation?value-quantity=5400|{UCUM}|umol/L", "g54"),
    (f"Observation?value-quantity=gt5|{UCUM}|mmol/L", "g54"),
    (f"Observation?value-quantity=97.2|{UCUM}|mg/L", "g972"),
    (f"Observation?value-quantity=lt0.1|{UCUM}|g/L", "g972 low"),
    ("Observation?value-quantity=5.4||mmol/L", "g54"),
    ("Observation?value-quantity=5.4", "g54"),
    ("Observation?value-quantity=5.40", "g54"),
    ("Observation?value-quantity=5.44", ""),
    ("Observation?value-quantity=ap5", "g54"),
    (f"Observation?value-quantity=lt0.005|{UCUM}|ug/L", "low"),
    (f"Observation?value-quantity=eb0.005|{UCUM}|ug/L", ""),
    ("Observation?value-quantity=5.4|urn:other|mmol/L", ""),
    ("Observation?combo-value-quantity=140", "bp1 bp2"),
    (f"Encounter?length=gt1|{UCUM}|h", "e"),
    (f"Condition?onset-age=gt600|{UCUM}|mo", "c1"),
    # composite: both in one element
    ("Observation?component-code-value-quantity=8480-6$140", "bp1"),
    (f"Observation?component-code-value-quantity={LOINC}|8480-6$gt100|{UCUM}|mm[Hg]", "bp1"),
    ("Observation?component-code-value-quantity=8480-6$lt100", "bp2"),
    (f"Observation?component-code-value-quantity=8480-6$18.665|{UCUM}|kPa", "bp1"),
    ("Observation?combo-code-value-quantity=2339-0$gt5.4", "g972"),
    ("Observation?combo-code-value-quantity=8462-4$140", "bp2"),
    ("Observation?code-value-quantity=2339-0$gt5", "g54 g972"),
    ("Observation?code-value-concept=bare$neg", "coded"),
    ("Observation?code-value-string=x$no", "group"),
    ("DocumentReference?relationship=DocumentReference/old$replaces", "d"),
    ("DocumentReference?relationship=DocumentReference/old$signs", ""),
    # uri
    ("ValueSet?url=http://hub.test/vs/two", "two"),
    ("ValueSet?url=http://hub.test/vs", ""),
    ("ValueSet?url:below=http://hub.test/vs", "roots two"),
    ("ValueSet?url:below=http://hub.test/v", ""),
    ("ValueSet?url:above=http://hub.test/vs/two/2026", "two"),
    # what all types have
    ("Condition?_id=c1,c2", "c1 c2"),
    ("Condition?_list=l", "c1 c3"),
    ("Patient?_list=l", "a"),
    ("?_type=Patient,Organization", "a b golden north trust"),
    ("?_id=a,north", "a north"),
    ("?_type=Condition&_list=l", "c1 c3"),
    ("Condition?_lastUpdated=gt2020&severity:missing=false", "c3"),
    ("Condition?_lastUpdated=lt2020", ""),
]  # fmt: skip


@pytest.mark.parametrize(("address", "names"), CASES, ids=[case[0][:90] for case in CASES])
def test_a_search_finds_what_the_specification_says(
    world: psycopg.Connection, address: str, names: str
) -> None:
    assert found(world, address) == names


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("Observation?code:fuzzy=x", UnknownParameter),
        ("Observation?date:exact=2020", UnknownParameter),
        ("Observation?date=2013-13", InvalidRequest),
        ("Observation?value-quantity=much", InvalidRequest),
        ("Observation?value-quantity=5|mg", InvalidRequest),
        ("Observation?code-value-quantity=x", InvalidRequest),
        ("Observation?code-value-quantity=x$y", InvalidRequest),
        ("RiskAssessment?probability=high", InvalidRequest),
        ("Condition?code:in=http://hub.test/vs/none", InvalidRequest),
        ("Condition?code:below=root", InvalidRequest),
        ("Condition?_list=none", InvalidRequest),
        ("Condition?_list=$current-problems", UnknownParameter),
        ("Patient?identifier:of-type=MR|446053", InvalidRequest),
        ("Patient?_has:Observation:code:status=final", InvalidRequest),
        ("Patient?_has:Observation:patient:colour=x", UnknownParameter),
        ("Observation?code.name=x", UnknownParameter),
        ("Observation?patient.colour=x", UnknownParameter),
        ("Observation?subject:Nurse=a", UnknownParameter),
        ("Observation?patient:missing=perhaps", InvalidRequest),
        ("Location?near=1|2", UnknownParameter),
        ("Patient?_text=x", UnknownParameter),
        ("Patient?_filter=x", UnknownParameter),
        ("Patient?_sort=gender", InvalidRequest),
        ("Patient?_total=perhaps", InvalidRequest),
        ("Patient?_total=none&_total=none", InvalidRequest),
        ("Patient?_summary=text", InvalidRequest),
        ("Patient?_type=Patient", InvalidRequest),
        ("?_count=5", InvalidRequest),
        ("?_type=Nurse", InvalidRequest),
        ("?name=x&_type=Patient", UnknownParameter),
        ("Patient?_revinclude=*", InvalidRequest),
        ("Patient?_include=Patient:name", InvalidRequest),
        ("Patient?_include=Observation:encounter", InvalidRequest),
        ("Patient?_include:exact=Patient:organization", InvalidRequest),
        ("Observation?patient.organization.partof.partof.partof.partof.partof.partof.name=x", InvalidRequest),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(
    world: psycopg.Connection, address: str, error: type[HubError]
) -> None:
    with pytest.raises(error):
        page(world, address)


@pytest.mark.parametrize(
    ("address", "included"),
    [
        ("Observation?_id=g54&_include=Observation:encounter", "e"),
        ("Observation?_id=g54&_include=Observation:subject:Patient", "a"),
        ("Observation?_id=g54&_include=Observation:subject:Group", ""),
        ("Observation?_id=g54&_include=Observation:*", "a e"),
        ("Observation?_id=g54&_include=*", "a e"),
        ("Observation?_id=g54&_include=Observation:encounter&_include:iterate=Encounter:service-provider", "e north"),
        ("Observation?_id=g54&_include=Observation:encounter&_include:iterate=Encounter:service-provider&_include:iterate=Organization:partof", "e north trust"),
        ("Observation?_id=g54&_revinclude=Provenance:target", "p"),
        ("Encounter?_id=e&_revinclude=Observation:encounter&_revinclude=Condition:encounter", "c1 g54"),
        ("Encounter?_id=e&_revinclude=Observation:encounter&_revinclude:iterate=Provenance:target", "g54 p"),
        ("Encounter?_id=e&_revinclude=Condition:*", "c1"),
        ("Patient?_id=golden&_revinclude=Condition:patient", "c2 c3"),
        ("Patient?_id=a&_include=Patient:organization&_include=Patient:general-practitioner", "house north"),
    ],
)  # fmt: skip
def test_includes_bring_along(world: psycopg.Connection, address: str, included: str) -> None:
    brought = page(world, address).included
    assert " ".join(sorted(NAMES[each.id] for each in brought)) == included


@pytest.mark.parametrize(
    ("address", "order"),
    [
        ("Condition?_sort=recorded-date", "c1 c2 c3"),
        ("Condition?_sort=-recorded-date", "c2 c1 c3"),
        ("Condition?_sort=onset-date", "c2 c1 c3"),
        ("Condition?_sort=-onset-date,recorded-date", "c1 c2 c3"),
        ("Organization?_sort=name", "trust north"),
        ("Organization?_sort=-name", "trust north"),
        ("RiskAssessment?_sort=-probability", "r100 r9"),
        ("RiskAssessment?_sort=probability", "r9 r100"),
        ("Observation?value-quantity:missing=false&component-code:missing=true&_sort=-value-quantity", "g972 g54 low"),
    ],
)  # fmt: skip
def test_matches_are_sorted(world: psycopg.Connection, address: str, order: str) -> None:
    assert " ".join(NAMES[each.id] for each in page(world, address).matches) == order


@pytest.mark.parametrize(
    ("place", "kind", "names"),
    [
        ("Patient/a", "Observation", "coded g54"),
        ("Patient/golden", "Observation", "bp1 bp2 g972 low"),
        ("Patient/a", "Appointment", "both"),
        ("Encounter/e", "Observation", "g54"),
        ("Encounter/e", "Condition", "c1"),
        ("Practitioner/house", "Patient", "a"),
    ],
)
def test_a_compartment_holds_what_names_its_owner(
    world: psycopg.Connection, place: str, kind: str, names: str
) -> None:
    params = [(search.COMPARTMENT, place)]
    matches = search.run(world, kind, params, BASE).matches
    assert " ".join(sorted(NAMES[each.id] for each in matches)) == names


@pytest.mark.parametrize(
    "sort",
    [
        "_id",
        "-_id",
        "_lastUpdated",
        "date",
        "-date",
        "-_lastUpdated,-date",
        "-value-quantity,date",
        "value-string,-_id",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_give_each_match_once(world: psycopg.Connection, sort: str, size: int) -> None:
    whole = [each.id for each in page(world, f"Observation?_sort={sort}&_count=100").matches]
    seen, cursor = [], None
    for _ in range(20):
        more = f"&_cursor={cursor}" if cursor else ""
        part = page(world, f"Observation?_sort={sort}&_count={size}{more}")
        seen += [each.id for each in part.matches]
        cursor = part.next
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) == 7


def test_a_total_counts_all_and_no_more(world: psycopg.Connection) -> None:
    assert page(world, "Observation?_total=accurate&_count=2").total == 7
    assert page(world, "Observation?_count=0").total == 7
    assert page(world, "Observation?_summary=count&status=final").total == 4
    assert page(world, "Observation?_count=2").total is None
