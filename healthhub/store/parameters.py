"""The search parameters that the hub knows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type (http://hl7.org/fhir/R4/searchparameter-registry.html).

    ``kind`` is FHIR's (token, reference, date, string, uri). A date parameter reads the row's
    clinical date. ``wide`` parameters have an index over all patients.
    """

    name: str
    kind: str
    path: str
    doc: str
    targets: tuple[str, ...] = ()
    wide: bool = False


_PERFORMERS = "Practitioner PractitionerRole Organization Patient"

# name kind path [targets] -- one line a parameter. A kind with "+" has an index over all
# patients. Paths: dots step into elements, lists are gone through, | is "or".
_TABLE = """
Patient
  identifier     identifier identifier          | A patient's identifier
  name           string+    name                | Any part of the name; Chinese names also by pinyin
  family         string+    name.family         | Family name
  given          string+    name.given          | Given name
  phone          phone+     telecom             | A phone number
  telecom        phone+     telecom             | A phone number or address of any system
  address        string+    address             | Any part of an address
  birthdate      date       birthDate           | Date of birth
  gender         token      gender              | Administrative gender
  active         token      active              | Whether the record is in use
  deceased       token      deceasedBoolean     | Whether the patient is known to have died
  link           reference  link.other          | Patients linked to it                   > Patient RelatedPerson
  organization   reference  managingOrganization | The custodian of the record            > Organization
Encounter
  identifier     identifier identifier          | A visit number
  status         token      status              | Status of the visit
  class          token      class               | Ambulatory, emergency, inpatient
  type           token      type                | Type of visit
  date           date       period              | When it took place
  location       reference  location.location   | Where                                   > Location
  participant    reference  participant.individual | Who took part                        > Practitioner PractitionerRole RelatedPerson
  practitioner   reference  participant.individual | The practitioner                     > Practitioner
  service-provider reference serviceProvider    | The institution                         > Organization
  part-of        reference  partOf              | The visit it is part of                 > Encounter
  diagnosis      reference  diagnosis.condition | The diagnosis                           > Condition Procedure
  reason-code    token+     reasonCode          | Coded reason
Condition
  identifier     identifier identifier          | Business identifier
  code           token+     code                | The condition
  category       token      category            | Problem list or encounter diagnosis
  clinical-status token     clinicalStatus      | Active, resolved, ...
  verification-status token verificationStatus  | Confirmed, provisional, ...
  encounter      reference  encounter           | The visit it was recorded in            > Encounter
  asserter       reference  asserter            | Who asserts it                          > Practitioner PractitionerRole Patient RelatedPerson
  severity       token      severity            | Severity
  recorded-date  date       recordedDate        | When it was recorded
Observation
  identifier     identifier identifier          | Business identifier
  code           token+     code                | What was observed
  category       token      category            | laboratory, vital-signs, ...
  status         token      status              | Status of the result
  date           date       effectiveDateTime|effectivePeriod|effectiveInstant | Clinically relevant time
  encounter      reference  encounter           | The visit                               > Encounter
  based-on       reference  basedOn             | The request                             > ServiceRequest MedicationRequest CarePlan
  performer      reference  performer           | Who did it                              > {performers}
  specimen       reference  specimen            | The specimen                            > Specimen
  device         reference  device              | The device                              > Device
  has-member     reference  hasMember           | Member of a panel                       > Observation
  derived-from   reference  derivedFrom         | What it was derived from                > Observation DocumentReference
  value-concept  token      valueCodeableConcept | A coded value
DiagnosticReport
  identifier     identifier identifier          | Report number
  code           token+     code                | The report
  category       token      category            | Service section
  status         token      status              | Status of the report
  date           date       effectiveDateTime|effectivePeriod | Clinically relevant time
  encounter      reference  encounter           | The visit                               > Encounter
  based-on       reference  basedOn             | The request                             > ServiceRequest
  result         reference  result              | A result of it                          > Observation
  specimen       reference  specimen            | The specimen                            > Specimen
  performer      reference  performer           | Who is responsible                      > {performers}
  results-interpreter reference resultsInterpreter | Who interpreted                      > Practitioner PractitionerRole
  conclusion     token      conclusionCode      | Coded conclusion
ServiceRequest
  identifier     identifier identifier          | Order number
  requisition    identifier requisition         | Number of the request form
  code           token+     code                | What is requested
  category       token      category            | Kind of service
  status         token      status              | Status
  intent         token      intent              | order, plan, ...
  priority       token      priority            | Urgency
  authored       date       authoredOn          | When it was signed
  encounter      reference  encounter           | The visit                               > Encounter
  requester      reference  requester           | Who asks                                > {performers}
  performer      reference  performer           | Who shall do it                         > {performers}
  specimen       reference  specimen            | The specimen                            > Specimen
MedicationRequest
  identifier     identifier identifier          | Prescription number
  code           token+     medicationCodeableConcept | The medicine
  status         token      status              | Status
  intent         token      intent              | order, plan, ...
  category       token      category            | Inpatient, outpatient, ...
  priority       token      priority            | Urgency
  authoredon     date       authoredOn          | When it was written
  encounter      reference  encounter           | The visit                               > Encounter
  requester      reference  requester           | The prescriber                          > {performers}
AllergyIntolerance
  identifier     identifier identifier          | Business identifier
  code           token+     code                | The substance
  category       token      category            | food, medication, ...
  clinical-status token     clinicalStatus      | active, resolved, ...
  verification-status token verificationStatus  | confirmed, ...
  criticality    token      criticality         | Potential harm
  type           token      type                | allergy or intolerance
  date           date       recordedDate        | When it was recorded
  recorder       reference  recorder            | Who recorded it                         > Practitioner PractitionerRole Patient
Procedure
  identifier     identifier identifier          | Business identifier
  code           token+     code                | The procedure
  category       token      category            | Its kind
  status         token      status              | Status
  date           date       performedDateTime|performedPeriod | When it was done
  encounter      reference  encounter           | The visit                               > Encounter
  performer      reference  performer.actor     | Who did it                              > {performers}
  based-on       reference  basedOn             | The request                             > ServiceRequest CarePlan
Immunization
  identifier     identifier identifier          | Business identifier
  vaccine-code   token+     vaccineCode         | The vaccine
  status         token      status              | completed, not-done, ...
  date           date       occurrenceDateTime  | When it was given
  lot-number     string     lotNumber           | Batch
  location       reference  location            | Where                                   > Location
  performer      reference  performer.actor     | Who gave it                             > {performers}
  status-reason  token      statusReason        | Why not done
Organization
  identifier     identifier identifier          | Its code
  name           string+    name|alias          | Its name
  active         token      active              | Whether it is in use
  type           token      type                | Its kind
  address        string+    address             | Any part of an address
  partof         reference  partOf              | The organisation it is part of          > Organization
Practitioner
  identifier     identifier identifier          | Staff or licence number
  name           string+    name                | Any part of the name
  family         string+    name.family         | Family name
  given          string+    name.given          | Given name
  active         token      active              | Whether the record is in use
  gender         token      gender              | Gender
  phone          phone+     telecom             | A phone number
Location
  identifier     identifier identifier          | Its code
  name           string+    name|alias          | Its name
  status         token      status              | active, ...
  type           token      type                | Its kind
  address        string+    address             | Any part of an address
  organization   reference  managingOrganization | Who runs it                            > Organization
  partof         reference  partOf              | The place it is part of                 > Location
Specimen
  identifier     identifier identifier          | Specimen number
  accession      identifier accessionIdentifier | Laboratory's number
  type           token      type                | Kind of material
  status         token      status              | Status
  collected      date       collection.collectedDateTime|collection.collectedPeriod | When it was taken
MedicationDispense
  identifier     identifier identifier          | Business identifier
  code           token+     medicationCodeableConcept | The medicine
  status         token      status              | Status
  whenhandedover date       whenHandedOver      | When it was handed over
  prescription   reference  authorizingPrescription | The prescription                    > MedicationRequest
DocumentReference
  identifier     identifier masterIdentifier|identifier | Document number
  type           token+     type                | Kind of document
  category       token      category            | Category
  status         token      status              | Status
  date           date       date                | When it was made
  encounter      reference  context.encounter   | The visit                               > Encounter
Appointment
  identifier     identifier identifier          | Booking number
  status         token      status              | Status
  date           date       start               | When it begins
  actor          reference  participant.actor   | Who or what takes part                  > Patient Practitioner Location
  service-type   token      serviceType         | The service
Coverage
  identifier     identifier identifier          | Policy number
  status         token      status              | Status
  type           token      type                | Kind of insurance
RelatedPerson
  identifier     identifier identifier          | Business identifier
  name           string+    name                | Any part of the name
  relationship   token      relationship        | Relationship
"""

SHARED_PARAMETERS = (
    Parameter("_id", "token", "id", "Logical id"),
    Parameter("_lastUpdated", "date", "meta.lastUpdated", "When the version was stored"),
    Parameter("_tag", "token", "meta.tag", "Tag of the resource"),
    Parameter("_source", "uri", "meta.source", "The message it came from"),
)
CONTROL = ("_count", "_sort", "_include", "_total", "_cursor", "_format", "_pretty")

OWNERS: Mapping[str, str] = {
    "Coverage": "beneficiary",
    "Provenance": "",
    "Patient": "",
    "RelatedPerson": "patient",
    "AllergyIntolerance": "patient",
    "Immunization": "patient",
    "ImagingStudy": "subject",
    "Appointment": "participant.actor",
    "AppointmentResponse": "actor",
    "EpisodeOfCare": "patient",
    "Claim": "patient",
    "ClaimResponse": "patient",
    "ExplanationOfBenefit": "patient",
    "CoverageEligibilityRequest": "patient",
    "Consent": "patient",
    "Device": "patient",
    "DetectedIssue": "patient",
    "FamilyMemberHistory": "patient",
    "ImmunizationRecommendation": "patient",
    "ImmunizationEvaluation": "patient",
    "NutritionOrder": "patient",
    "Task": "for",
    "BodyStructure": "patient",
    "VisionPrescription": "patient",
    "SupplyDelivery": "patient",
    "SupplyRequest": "deliverTo",
    "Organization": "",
    "Practitioner": "",
    "PractitionerRole": "",
    "Location": "",
    "Group": "",
    "Person": "",
    "Binary": "",
    "Bundle": "",
}
"""Where a type names the patient that its row belongs to; ``subject`` unless said here."""


@cache
def _all() -> dict[str, tuple[Parameter, ...]]:
    table: dict[str, list[Parameter]] = {}
    resource_type = ""
    for line in _TABLE.format(performers=_PERFORMERS).strip().splitlines():
        if not line.startswith(" "):
            table[line] = []
            resource_type = line
            continue
        left, doc = line.rsplit(" | ", 1)
        name, kind, path = left.split(None, 2)
        doc, _, targets = doc.partition(">")
        table[resource_type].append(
            Parameter(
                name,
                kind.removesuffix("+"),
                path.strip(),
                doc.strip(),
                tuple(targets.split()),
                kind.endswith("+"),
            )
        )
    return {kind: (*_owner(kind), *found) for kind, found in table.items()}


def _owner(resource_type: str) -> tuple[Parameter, ...]:
    path = OWNERS.get(resource_type, "subject")
    if not path:
        return ()
    patient = Parameter("patient", "reference", path, "The patient", ("Patient",))
    if path != "subject":
        return (patient,)
    return (patient, Parameter("subject", "reference", path, "The subject", ("Patient",)))


def parameters(resource_type: str) -> tuple[Parameter, ...]:
    """The type's parameters, those of all types last; empty for a type without a search."""
    found = _all().get(resource_type)
    return () if found is None else (*found, *SHARED_PARAMETERS)


def searchable() -> tuple[str, ...]:
    """The types that can be searched."""
    return tuple(_all())
