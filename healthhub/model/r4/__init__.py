"""The definitions of FHIR R4 (4.0.1), as data."""
