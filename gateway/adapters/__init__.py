"""Transports: each knows its wire and nothing of FHIR."""
