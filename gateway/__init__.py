"""Samverka: a FHIR R4 interoperability gateway. See ARCHITECTURE.md for the way of the data and the floors."""

__version__ = "0.1.0"
