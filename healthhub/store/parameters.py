"""The search parameters that the hub knows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type (http://hl7.org/fhir/R4/searchparameter-registry.html).

    ``kind`` is FHIR's, with two finer ones: identifier and phone are tokens to the world.
    ``bit`` marks in a row that the resource has a value (:missing); 0 for those of all types.
    ``slot`` numbers the dates of a type: 0 is the row's clinical date.
    """

    name: str
    kind: str
    path: str
    doc: str
    targets: tuple[str, ...] = ()
    bit: int = 0
    slot: int = 0


_PERFORMERS = "Practitioner PractitionerRole Organization Patient"

# One line a parameter: name, kind, path | what it means > types that it may refer to. Paths: dots
# step into elements, lists are gone through, | is "or". The first date of a type is its clinical
# date. Rows hold positions within a type, so a new line goes to the type's end.
_TABLE = """
Patient
  identifier     identifier identifier          | A patient's identifier
  name           string     name                | Any part of the name; Chinese names also by pinyin
  family         string     name.family         | Family name
  given          string     name.given          | Given name
  phone          phone      telecom             | A phone number
  telecom        phone      telecom             | A phone number or address of any system
  address        string     address             | Any part of an address
  birthdate      date       birthDate           | Date of birth
  gender         token      gender              | Administrative gender
  active         token      active              | Whether the record is in use
  deceased       token      deceasedBoolean     | Whether the patient is known to have died
  link           reference  link.other          | Patients linked to it                   > Patient RelatedPerson
  organization   reference  managingOrganization | The custodian of the record            > Organization
  email          phone      telecom             | An e-mail address
  death-date     date       deceasedDateTime    | When the patient died
  general-practitioner reference generalPractitioner | The family doctor                  > Practitioner PractitionerRole Organization
  language       token      communication.language | A language of communication
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
  reason-code    token      reasonCode          | Coded reason
  participant-type token    participant.type    | Role of who took part
  reason-reference reference reasonReference    | The reason                              > Condition Observation Procedure
  appointment    reference  appointment         | The booking                             > Appointment
Condition
  identifier     identifier identifier          | Business identifier
  code           token      code                | The condition
  category       token      category            | Problem list or encounter diagnosis
  clinical-status token     clinicalStatus      | Active, resolved, ...
  verification-status token verificationStatus  | Confirmed, provisional, ...
  encounter      reference  encounter           | The visit it was recorded in            > Encounter
  asserter       reference  asserter            | Who asserts it                          > Practitioner PractitionerRole Patient RelatedPerson
  severity       token      severity            | Severity
  recorded-date  date       recordedDate        | When it was recorded
  onset-date     date       onsetDateTime|onsetPeriod | When it began
  abatement-date date       abatementDateTime|abatementPeriod | When it ended
  body-site      token      bodySite            | Where in the body
Observation
  identifier     identifier identifier          | Business identifier
  code           token      code                | What was observed
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
  component-code token      component.code      | What a component tells
  combo-code     token      code|component.code | What was observed, as a whole or a component
  value-string   string     valueString         | A value in words
  method         token      method              | Method
  data-absent-reason token  dataAbsentReason    | Why there is no value
  part-of        reference  partOf              | What it is part of                      > Procedure Immunization ImagingStudy
DiagnosticReport
  identifier     identifier identifier          | Report number
  code           token      code                | The report
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
  issued         date       issued              | When it was issued
ServiceRequest
  identifier     identifier identifier          | Order number
  requisition    identifier requisition         | Number of the request form
  code           token      code                | What is requested
  category       token      category            | Kind of service
  status         token      status              | Status
  intent         token      intent              | order, plan, ...
  priority       token      priority            | Urgency
  authored       date       authoredOn          | When it was signed
  encounter      reference  encounter           | The visit                               > Encounter
  requester      reference  requester           | Who asks                                > {performers}
  performer      reference  performer           | Who shall do it                         > {performers}
  specimen       reference  specimen            | The specimen                            > Specimen
  occurrence     date       occurrenceDateTime|occurrencePeriod | When it is to be done
  based-on       reference  basedOn             | What it follows from                    > ServiceRequest CarePlan MedicationRequest
  body-site      token      bodySite            | Where in the body
MedicationRequest
  identifier     identifier identifier          | Prescription number
  code           token      medicationCodeableConcept | The medicine
  status         token      status              | Status
  intent         token      intent              | order, plan, ...
  category       token      category            | Inpatient, outpatient, ...
  priority       token      priority            | Urgency
  authoredon     date       authoredOn          | When it was written
  encounter      reference  encounter           | The visit                               > Encounter
  requester      reference  requester           | The prescriber                          > {performers}
  medication     reference  medicationReference | The medicine as a resource              > Medication
AllergyIntolerance
  identifier     identifier identifier          | Business identifier
  code           token      code                | The substance
  category       token      category            | food, medication, ...
  clinical-status token     clinicalStatus      | active, resolved, ...
  verification-status token verificationStatus  | confirmed, ...
  criticality    token      criticality         | Potential harm
  type           token      type                | allergy or intolerance
  date           date       recordedDate        | When it was recorded
  recorder       reference  recorder            | Who recorded it                         > Practitioner PractitionerRole Patient
  onset          date       onsetDateTime       | When it began
  last-date      date       lastOccurrence      | When it last occurred
  manifestation  token      reaction.manifestation | How it shows
  severity       token      reaction.severity   | Severity of a reaction
Procedure
  identifier     identifier identifier          | Business identifier
  code           token      code                | The procedure
  category       token      category            | Its kind
  status         token      status              | Status
  date           date       performedDateTime|performedPeriod | When it was done
  encounter      reference  encounter           | The visit                               > Encounter
  performer      reference  performer.actor     | Who did it                              > {performers}
  based-on       reference  basedOn             | The request                             > ServiceRequest CarePlan
  reason-code    token      reasonCode          | Why it was done
  location       reference  location            | Where                                   > Location
  part-of        reference  partOf              | The procedure it is part of             > Procedure
Immunization
  identifier     identifier identifier          | Business identifier
  vaccine-code   token      vaccineCode         | The vaccine
  status         token      status              | completed, not-done, ...
  date           date       occurrenceDateTime  | When it was given
  lot-number     string     lotNumber           | Batch
  location       reference  location            | Where                                   > Location
  performer      reference  performer.actor     | Who gave it                             > {performers}
  status-reason  token      statusReason        | Why not done
  target-disease token      protocolApplied.targetDisease | What it protects from
  manufacturer   reference  manufacturer        | The maker                               > Organization
Organization
  identifier     identifier identifier          | Its code
  name           string     name|alias          | Its name
  active         token      active              | Whether it is in use
  type           token      type                | Its kind
  address        string     address             | Any part of an address
  partof         reference  partOf              | The organisation it is part of          > Organization
Practitioner
  identifier     identifier identifier          | Staff or licence number
  name           string     name                | Any part of the name
  family         string     name.family         | Family name
  given          string     name.given          | Given name
  active         token      active              | Whether the record is in use
  gender         token      gender              | Gender
  phone          phone      telecom             | A phone number
Location
  identifier     identifier identifier          | Its code
  name           string     name|alias          | Its name
  status         token      status              | active, ...
  type           token      type                | Its kind
  address        string     address             | Any part of an address
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
  code           token      medicationCodeableConcept | The medicine
  status         token      status              | Status
  whenhandedover date       whenHandedOver      | When it was handed over
  prescription   reference  authorizingPrescription | The prescription                    > MedicationRequest
DocumentReference
  identifier     identifier masterIdentifier|identifier | Document number
  type           token      type                | Kind of document
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
  name           string     name                | Any part of the name
  relationship   token      relationship        | Relationship
CodeSystem
  url            token      url                 | Its canonical address
  version        token      version             | Its business version
  name           string     name                | Its computer-friendly name
  status         token      status              | draft, active, retired
ValueSet
  url            token      url                 | Its canonical address
  version        token      version             | Its business version
  name           string     name                | Its computer-friendly name
  status         token      status              | draft, active, retired
ConceptMap
  url            token      url                 | Its canonical address
  version        token      version             | Its business version
  name           string     name                | Its computer-friendly name
  status         token      status              | draft, active, retired
StructureDefinition
  url            token      url                 | Its canonical address
  version        token      version             | Its business version
  name           string     name                | Its computer-friendly name
  status         token      status              | draft, active, retired
  type           token      type                | The type it constrains
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
    "CodeSystem": "",
    "ValueSet": "",
    "ConceptMap": "",
    "StructureDefinition": "",
}
"""Where a type names the patient that its row belongs to; ``subject`` unless said here."""


@cache
def _all() -> dict[str, tuple[Parameter, ...]]:
    table: dict[str, list[Parameter]] = {}
    resource_type = ""
    for line in _TABLE.format(performers=_PERFORMERS).strip().splitlines():
        if not line.startswith(" "):
            resource_type = line
            table[resource_type] = list(_owner(resource_type))
            continue
        left, doc = line.rsplit(" | ", 1)
        name, kind, path = left.split(None, 2)
        doc, _, targets = doc.partition(">")
        found = table[resource_type]
        found.append(
            Parameter(
                name,
                kind,
                path.strip(),
                doc.strip(),
                tuple(targets.split()),
                1 << len(found),
                sum(other.kind == "date" for other in found) if kind == "date" else 0,
            )
        )
    return {kind: tuple(found) for kind, found in table.items()}


def _owner(resource_type: str) -> tuple[Parameter, ...]:
    path = OWNERS.get(resource_type, "subject")
    if not path:
        return ()
    patient = Parameter("patient", "reference", path, "The patient", ("Patient",), 1)
    if path != "subject":
        return (patient,)
    return (patient, replace(patient, name="subject", doc="The subject", bit=2))


def parameters(resource_type: str) -> tuple[Parameter, ...]:
    """The type's parameters, those of all types last; empty for a type without a search."""
    found = _all().get(resource_type)
    return () if found is None else (*found, *SHARED_PARAMETERS)


def searchable() -> tuple[str, ...]:
    """The types that can be searched."""
    return tuple(_all())
