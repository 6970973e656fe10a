"""XML, ER7, CSV and JSON as one node tree with source positions."""
