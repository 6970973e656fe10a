"""Small messages of our own making, with as much in them as the claim at hand needs.

The persons are Skatteverket's published test numbers; the units do not exist.
"""

from __future__ import annotations

import json
from typing import Any

TOLVAN = "191212121212"
UNIT = "SE2120001348-T0100"
COLUMNS = (
    "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
    "service_code;text;start;end;status;updated_at"
)
HEADER = COLUMNS.encode() + b"\n"


def visit(id: str, *, updated: str = "2026-03-02T08:00:00", status: str = "PLANERAD", **changed: str) -> bytes:
    """A row of municipal-csv: one visit of home health care."""
    row = dict.fromkeys(COLUMNS.split(";"), "") | {
        "person_id": TOLVAN,
        "person_id_type": "PNR",
        "municipality_code": "1435",
        "unit_hsa_id": UNIT,
        "provider_hsa_id": "SE2120001348-T0000",
        "record_type": "BESOK",
        "local_id": id,
        "legal_basis": "HSL",
        "service_code": "HSJV",
        "start": "2026-03-05T09:00:00",
        "end": "2026-03-05T09:30:00",
        "status": status,
        "updated_at": updated,
    }
    return ";".join((row | changed).values()).encode() + b"\n"


def municipal(*rows: bytes) -> bytes:
    return HEADER + b"".join(rows)


def alarm(id: str = "18:1", *, unit: str = UNIT, **changed: Any) -> dict[str, Any]:
    """A record of dispatch-json: an IVPA alarm to one unit, which becomes a Task."""
    return {
        "type": "alarm",
        "messageId": f"LU-{id}",
        "time": "2026-03-03T04:52:00",
        "sender": {"hsaId": "SE2321000131-T0220", "name": "Larm och uppdrag"},
        "person": {"id": TOLVAN, "idType": "personnummer"},
        "alarm": id,
        "priority": 1,
        "units": [{"mission": f"IV-{id}", "unit": {"hsaId": unit, "name": "Hemsjukvården"}, "role": "nurse"}],
    } | changed


def dispatch(*records: dict[str, Any]) -> bytes:
    return json.dumps(list(records), ensure_ascii=False).encode()
