"""What the cases share: units with names and telephones, and sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.coordination.facts import Heard
from gateway.identity.systems import HSA_ID
from gateway.records import Source

UNITS = {
    "SE2321000131-T0000": ("Västra Götalandsregionen", "031-390 06 00", None),
    "SE2321000131-T0110": ("MÄVA, NU-sjukvården", "031-390 06 01", "SE2321000131-T0000"),
    "SE2321000131-T0200": ("Ambulansen Tanum", "031-390 06 03", "SE2321000131-T0000"),
    "SE2321000131-T0210": ("Ambulansen Strömstad", "031-390 06 04", "SE2321000131-T0000"),
    "SE2321000131-T0220": ("Larm och uppdrag Fyrbodal", "031-390 06 05", "SE2321000131-T0000"),
    "SE2321000131-T0300": ("1177 på telefon Västra Götaland", "031-390 06 06", "SE2321000131-T0000"),
    "SE2321000131-T0400": ("Vårdcentralen Tanumshede", "031-390 06 07", "SE2321000131-T0000"),
    "SE2120001348-T0000": ("Tanums kommun", "0980-319 200", None),
    "SE2120001348-T0100": ("Hemsjukvården Tanum", None, "SE2120001348-T0000"),
    "SE2120001348-T0200": ("Hemtjänsten Tanumshede", "0980-319 202", "SE2120001348-T0000"),
}
SOURCES = {
    "ward": ("NU-sjukvården, journalsystemet", "SE2321000131-T0000", 86400),
    "health-centre": ("Vårdcentralen Tanumshede, journalsystemet", "SE2321000131-T0000", 86400),
    "town": ("Tanums kommun, verksamhetssystemet", "SE2120001348-T0000", 86400),
    "1177": ("1177 på telefon", "SE2321000131-T0000", None),
    "ambulance": ("Ambulansens journalsystem", "SE2321000131-T0000", None),
    "dispatch": ("Larm och uppdrag", "SE2321000131-T0000", None),
    "planning": ("Samordnad planering", "SE2321000131-T0000", None),
}
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Testberg", "given": ["Astrid"]}]}


def organisations(changes: dict[str, dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    return [_organisation(hsa_id, *row) | (changes or {}).get(hsa_id, {}) for hsa_id, row in UNITS.items()]


def _organisation(hsa_id: str, name: str, phone: str | None, part_of: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": hsa_id.lower()}
    made["identifier"] = [{"system": HSA_ID, "value": hsa_id}]
    made["name"] = name
    if phone:
        made["telecom"] = [{"system": "phone", "value": phone}]
    if part_of:
        made["partOf"] = {"identifier": {"system": HSA_ID, "value": part_of}}
    return made


def heard(last: dict[str, str | None], default: datetime) -> list[Heard]:
    """Every source; each was heard at `default` unless `last` says otherwise."""
    found = []
    for id, (name, controller, cadence) in SOURCES.items():
        time = last.get(id, default.isoformat())
        source = Source(id, "package", name, f"{controller[:12]}-T9000", controller, cadence=cadence)
        found.append(Heard(source, datetime.fromisoformat(time) if time else None))
    return found
