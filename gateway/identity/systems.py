"""The systems that identifiers come under: their one spelling here, and how well each tells things apart.

https://hl7.org/fhir/R4/identifier-registry.html
"""

from __future__ import annotations

from typing import Final

from gateway.definitions import CANONICAL

PERSONNUMMER: Final = "http://electronichealth.se/identifier/personnummer"
SAMORDNINGSNUMMER: Final = "http://electronichealth.se/identifier/samordningsnummer"
NATIONAL_RESERVE_NUMBER: Final = "http://electronichealth.se/identifier/nationelltReservnummer"
HSA_ID: Final = "urn:oid:1.2.752.29.4.19"
ORGANISATION_NUMBER: Final = "urn:oid:2.5.4.97"
RECORD_ID: Final = "urn:oid:1.2.752.129.2.1.4.1#"
"""Followed by the HSA-id of the source system: the system of a record's own id within it."""
MISSION: Final = f"{CANONICAL}/sid/mission"
REFERRAL: Final = f"{CANONICAL}/sid/referral"

SPELLINGS: Final = {
    "1.2.752.129.2.1.3.1": PERSONNUMMER,
    "1.2.752.129.2.1.3.3": SAMORDNINGSNUMMER,
    "1.2.752.74.9.1": NATIONAL_RESERVE_NUMBER,
    "1.2.752.29.4.19": HSA_ID,
    "1.2.752.129.2.1.4.1": HSA_ID,
    "2.5.4.97": ORGANISATION_NUMBER,
}
"""By bare OID. RIV-TA and HL7 Sweden name the same register differently; HSA-ids come under two OIDs."""

RANK: Final = {
    system: rank
    for rank, system in enumerate(
        (PERSONNUMMER, SAMORDNINGSNUMMER, NATIONAL_RESERVE_NUMBER, HSA_ID, MISSION, REFERRAL, ORGANISATION_NUMBER)
    )
}
"""Whose number decides the id when a resource has several: what all parties share comes before a source's own number,
so that the id does not depend on who spoke first."""

SHARED_BY_MANY: Final = {ORGANISATION_NUMBER}
"""All units of a body carry its organisation number: it tells them apart from nobody, unless it stands alone."""


def canonical(system: str) -> str:
    """The one spelling of a system: known registers by their FHIR name, other OIDs as `urn:oid:`."""
    oid = system.removeprefix("urn:oid:").removeprefix("URN:OID:")
    if known := SPELLINGS.get(oid):
        return known
    return f"urn:oid:{oid}" if oid != system or oid[:2] in ("0.", "1.", "2.") else system


def record_system(source_hsa_id: str) -> str:
    """The system of the ids that a source gives its own records."""
    return RECORD_ID + source_hsa_id
