"""Everything kept: inbox, statements, resources, search rows, change log, audit."""
