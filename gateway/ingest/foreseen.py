"""What ingest would say of a record that is only tried: of its identifiers, read when its drafts are there."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.formats import Record
from gateway.identity.identifiers import normalise
from gateway.identity.systems import record_system
from gateway.ingest.places import placed
from gateway.issues import Issue, Issues
from gateway.mapping import MapResult, Package
from gateway.records import Source


def foreseen(package: Package, record: Record, result: MapResult, source: Source, body: bytes) -> Iterator[Issue]:
    """The issues that the record's identifiers would have, such as a number whose check digit is wrong."""
    issues = Issues()
    for draft in result.drafts:
        normalise(draft.resource, record_system(source.hsa_id), issues)
    return placed(issues, drafts=result.drafts, record=record, form=package.format, body=body)
