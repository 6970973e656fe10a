"""Persons with what was done and measured of them, in R4: what the bench of the FHIR endpoint loads and asks for.

Of each 40 resources 1 is a Patient, 4 are Encounters, 5 Tasks and 30 Observations of 1.3 kB. Nobody exists: the
identifiers are of a system that is made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

SYSTEM = "urn:example:bench"
ENCOUNTERS, TASKS, OBSERVATIONS = 4, 5, 30
EACH = 1 + ENCOUNTERS + TASKS + OBSERVATIONS
BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
FAMILIES = ("Tolvansson", "Exempelsson", "Provberg", "Testlund", "Fiktiv")
LOINC = (("8480-6", "Systolic blood pressure", "mm[Hg]"), ("8867-4", "Heart rate", "/min"), ("8310-5", "Temp", "Cel"))
Resource = dict[str, Any]


def patient_id(person: int) -> str:
    return f"bench-p{person}"


def observation_id(person: int, n: int) -> str:
    return f"bench-o{person}-{n}"


def of(person: int) -> Iterator[Resource]:
    """A Patient, then everything about him."""
    yield patient(person) | {"id": patient_id(person)}
    for n in range(ENCOUNTERS):
        yield {
            "resourceType": "Encounter",
            "id": f"bench-e{person}-{n}",
            "identifier": [{"system": SYSTEM, "value": f"e-{person}-{n}"}],
            "status": "finished" if n else "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" if n else "HH"},
            "subject": {"reference": f"Patient/{patient_id(person)}"},
            "period": {"start": time(person, n), **({"end": time(person, n + 1)} if n else {})},
        }
    for n in range(TASKS):
        yield {
            "resourceType": "Task",
            "id": f"bench-t{person}-{n}",
            "identifier": [{"system": SYSTEM, "value": f"t-{person}-{n}"}],
            "status": "requested" if n else "completed",
            "intent": "order",
            "priority": "routine",
            "description": "Hembesök",
            "for": {"reference": f"Patient/{patient_id(person)}"},
            "authoredOn": time(person, n),
            "lastModified": time(person, n + 1),
        }
    for n in range(OBSERVATIONS):
        yield observation(person, n, f"Patient/{patient_id(person)}") | {"id": observation_id(person, n)}


def patient(person: int) -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": f"p-{person}"}],
        "active": True,
        "name": [{"use": "official", "family": FAMILIES[person % 5], "given": [f"Prov{person}"]}],
        "telecom": [{"system": "phone", "value": f"0500-{person % 1000:03}", "use": "home"}],
        "gender": "female" if person % 2 else "male",
        "birthDate": f"{1930 + person % 70}-0{1 + person % 9}-1{person % 10}",
        "address": [{"use": "home", "line": [f"Gatan {person % 90}"], "city": "Skövde", "postalCode": "54100"}],
    }


def observation(person: int, n: int, subject: str) -> Resource:
    code, display, unit = LOINC[n % len(LOINC)]
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    interpretation = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    quantity = {"unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": f"o-{person}-{n}"}],
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "vital-signs", "display": "Vital Signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "subject": {"reference": subject},
        "effectiveDateTime": time(person, n),
        "issued": time(person, n),
        "performer": [{"display": "Hemsjukvården, distriktssköterska"}],
        "valueQuantity": quantity | {"value": 60 + (person * 7 + n) % 100},
        "interpretation": [{"coding": [{"system": interpretation, "code": "N", "display": "Normal"}]}],
        "note": [{"text": "Mätt sittande efter fem minuters vila, höger arm."}],
        "bodySite": {"text": "Höger överarm"},
        "method": {"text": "Automatisk manschett"},
        "referenceRange": [{"low": quantity | {"value": 50}, "high": quantity | {"value": 140}, "text": "Vuxna"}],
    }


def time(person: int, n: int) -> str:
    return (BEGIN + timedelta(minutes=person, hours=7 * n)).isoformat()


def transaction(person: int) -> Resource:
    """A new Patient, and an Observation that refers to him by the entry."""
    urn = "urn:uuid:7b0e9c1c-2f0c-4f33-9d1f-0c6f0b6b1a10"
    new = [patient(person), observation(person, 0, urn)]
    for one in new:
        one["identifier"][0]["value"] += "-new"
    entries: list[Resource] = [
        {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in new
    ]
    entries[0]["fullUrl"] = urn
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def loading(person: int) -> Resource:
    """All about a person as one transaction, which may be sent again."""
    entries = [_entry(one, "PUT", f"{one['resourceType']}/{one['id']}") for one in of(person)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _entry(resource: Resource, method: str, url: str) -> Resource:
    return {"resource": resource, "request": {"method": method, "url": url}}
