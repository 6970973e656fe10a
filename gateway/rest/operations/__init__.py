"""One module per FHIR operation, named after its code."""
