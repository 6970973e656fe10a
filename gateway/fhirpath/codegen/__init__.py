"""From a FHIRPath syntax tree to the code of a Python function."""
