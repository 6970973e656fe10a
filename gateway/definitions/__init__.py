"""The R4 definitions and conformance/, as tables."""
