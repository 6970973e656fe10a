"""The SQLAlchemy tables, a module for each group: what is kept, and by which key it is found.

Times are `Instant`: microseconds since 1970 in UTC, one order on every database. A column named `partition` is
`partition_key(person, id)`, is part of every key of its table and never null, so that a region can partition by it; it
moves with the person. `rid` alone finds a resource's rows.
"""

from gateway.tables.answers import deferred, export, export_item
from gateway.tables.columns import EPOCH, Instant, Number, from_micros, metadata, partition_key, to_micros
from gateway.tables.imports import bulk_import, bulk_import_file, bulk_import_part
from gateway.tables.installation import definition, meta
from gateway.tables.log import audit, audit_seal, change
from gateway.tables.messages import inbox, inbox_body, inbox_item, snapshot
from gateway.tables.persons import awaited, identifier, person, person_patient, takes_part
from gateway.tables.resources import contributor, locator, resource, resource_version, rid
from gateway.tables.search import (
    Ordered,
    search_date,
    search_number,
    search_position,
    search_quantity,
    search_reference,
    search_string,
    search_text,
    search_text_words,
    search_token,
    search_uri,
)
from gateway.tables.statements import bearing, link, map_archive, naming, statement
from gateway.tables.work import job, watch

__all__ = [
    "EPOCH",
    "Instant",
    "Number",
    "Ordered",
    "audit",
    "audit_seal",
    "awaited",
    "bearing",
    "bulk_import",
    "bulk_import_file",
    "bulk_import_part",
    "change",
    "contributor",
    "deferred",
    "definition",
    "export",
    "export_item",
    "from_micros",
    "identifier",
    "inbox",
    "inbox_body",
    "inbox_item",
    "job",
    "link",
    "locator",
    "map_archive",
    "meta",
    "metadata",
    "naming",
    "partition_key",
    "person",
    "person_patient",
    "resource",
    "resource_version",
    "rid",
    "search_date",
    "search_number",
    "search_position",
    "search_quantity",
    "search_reference",
    "search_string",
    "search_text",
    "search_text_words",
    "search_token",
    "search_uri",
    "snapshot",
    "statement",
    "takes_part",
    "to_micros",
    "watch",
]
