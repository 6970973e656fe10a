"""The files of an export, whoever writes them: their names, their lines, and the manifest that lists them.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status
"""

from __future__ import annotations

from typing import Any, Final

from gateway.access.exporting import Exported, File
from gateway.definitions import Definitions
from gateway.fhir.datetime import text
from gateway.fhir.json import dump
from gateway.fhir.view import View
from gateway.issues import Issue, operation_outcome
from gateway.store import Stored

ISSUES: Final = "issues.ndjson"
"""The file with what the gateway has to say of the export."""


def manifest(found: Exported, address: str, ending: str = "") -> dict[str, Any]:
    """What a settled export holds; its files lie at the address, their names with this ending."""
    assert found.settled is not None

    def entry(one: File) -> dict[str, Any]:
        kind = "Bundle" if one.deleted else one.resource_type
        return {"type": kind, "url": f"{address}{named_file(one)}{ending}", "count": one.count}

    files = found.files or ()
    told = [{"type": "OperationOutcome", "url": f"{address}{ISSUES}{ending}", "count": 1}] if found.ignored else []
    return {
        "transactionTime": text(found.settled),
        "request": found.url,
        "requiresAccessToken": True,
        "output": [entry(one) for one in files if not one.deleted],
        "deleted": [entry(one) for one in files if one.deleted],
        "error": told,
    }


def named_file(one: File) -> str:
    return f"{'deleted.' if one.deleted else ''}{one.resource_type}.{one.part + 1}.ndjson"


def issues(found: Exported) -> bytes:
    """The line of the file with what was left out of the request."""
    left = (
        Issue("warning", one["code"], one["rule"], one["text"], where=one["where"] or None) for one in found.ignored
    )
    return dump(operation_outcome(left)) + b"\n"


def line(version: Stored, seen: View, definitions: Definitions) -> bytes:
    """A version as a line; of what was deleted, a transaction that would delete it."""
    if version.deleted:
        entry = {"request": {"method": "DELETE", "url": f"{version.resource_type}/{version.id}"}}
        return dump({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}) + b"\n"
    body = version.body if seen.whole else dump(seen.of(version.resource(), definitions))
    return body + b"\n"
