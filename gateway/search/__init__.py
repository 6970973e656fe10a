"""FHIR search: resources to index rows, queries to SQL."""
