"""What R4's search parameters leave open or have wrong, and how the hub settles it."""

from __future__ import annotations

from collections.abc import Mapping

WITHOUT_SEARCH = {
    "_text": "search in narratives is not offered; search by the elements themselves",
    "_content": "full-text search is not offered; search by the elements themselves",
    "_query": "named queries are not offered",
    "_filter": "_filter is not offered; write AND as repeated parameters, OR as commas",
    "near": "distances are not offered; search by address-city or address-postalcode",
    "_contained": "contained resources are not searched by themselves",
    "_containedType": "contained resources are not searched by themselves",
    "age": "R4 defines no expression for it; search by birthdate",
    "birthOrderBoolean": "R4 defines no expression for it",
    "chromosome-variant-coordinate": "three values of one element are not correlated here",
    "chromosome-window-coordinate": "three values of one element are not correlated here",
    "referenceseqid-variant-coordinate": "three values of one element are not correlated here",
    "referenceseqid-window-coordinate": "three values of one element are not correlated here",
}
"""Parameters of R4 that are refused, each with what to do instead."""

CORRECTED = {
    "DocumentReference-relationship": [
        ["DocumentReference-relatesto", "target"],
        ["DocumentReference-relation", "code"],
    ]
}
"""Components whose paths R4 4.0.1 has the wrong way round (R5 has them right)."""

ILLEGIBLE = frozenset({
    ("date", "Age"), ("date", "Range"), ("date", "string"), ("reference", "Attachment"),
})  # fmt: skip
"""Types that R4's expressions reach although no search of the kind is defined on them
(Procedure.performedAge has no date)."""

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

CLINICAL = {
    "Patient": "birthdate",
    "Condition": "recorded-date",
    "ServiceRequest": "authored",
    "MedicationRequest": "authoredon",
    "MedicationDispense": "whenhandedover",
    "MedicationAdministration": "effective-time",
    "MedicationStatement": "effective",
    "Specimen": "collected",
    "Goal": "start-date",
    "Task": "authored-on",
    "ImagingStudy": "started",
    "Media": "created",
    "Claim": "created",
    "ClaimResponse": "created",
    "ExplanationOfBenefit": "created",
    "ChargeItem": "occurrence",
    "Communication": "sent",
    "CommunicationRequest": "authored",
    "QuestionnaireResponse": "authored",
    "NutritionOrder": "datetime",
    "Provenance": "recorded",
    "SupplyRequest": "date",
    "Slot": "start",
    "Bundle": "timestamp",
    "DetectedIssue": "identified",
    "DocumentManifest": "created",
    "DeviceRequest": "authored-on",
    "Person": "birthdate",
    "RelatedPerson": "birthdate",
}
"""The clinical date of a type (where a row has its place in time): ``date`` unless said here."""
