"""Who is who: identifiers, persons, the gateway's own ids."""
