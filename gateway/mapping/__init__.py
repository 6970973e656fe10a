"""FHIR Mapping Language, compiled; packages of maps, run and explained."""
