"""FHIRPath, compiled to Python."""
