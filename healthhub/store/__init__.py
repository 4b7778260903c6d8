"""FHIR versions and search indexes in PostgreSQL."""
