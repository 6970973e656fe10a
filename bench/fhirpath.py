"""FHIRPath: microseconds per evaluation on a patient of 3 kB, ours beside fhirpathpy's compiled expressions.

    .venv/bin/python bench/fhirpath.py [--json]

The rows are those of the published comparison of FHIRPath libraries that our engine was designed against; `typed` is a
path that knows its resource type, `boxed` the general code, `compile` a path made from text, without the cache.
"""

from __future__ import annotations

import argparse
import json
import timeit
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from gateway.definitions import load
from gateway.fhirpath import Element, Path, compile, parse
from gateway.fhirpath.model import model_of
from gateway.search.index import Indexer

# Synthetic, of the size and shape of HL7's patient-example.
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "example",
    "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"<p>x</p>" * 150}</div>'},
    "identifier": [
        {"use": "usual", "system": "http://electronichealth.se/identifier/personnummer", "value": "191212121212"}
    ],
    "active": True,
    "name": [
        {"use": "official", "family": "Berg", "given": ["Eva", "Lo"]},
        {"use": "usual", "given": ["Evis"]},
        {"use": "maiden", "family": "Ek", "given": ["Eva", "Lo"], "period": {"end": "2002"}},
    ],
    "telecom": [
        {"use": "home"},
        {"system": "phone", "value": "0525-00 00 00", "use": "work", "rank": 1},
        {"system": "phone", "value": "070-000 00 00", "use": "mobile", "rank": 2},
        {"system": "phone", "value": "0525-11 11 11", "use": "old", "period": {"end": "2014"}},
    ],
    "gender": "male",
    "birthDate": "1974-12-25",
    "deceasedBoolean": False,
    "address": [{"use": "home", "line": ["Storgatan 1"], "city": "Tanum", "postalCode": "457 31"}],
    "contact": [{"name": {"family": "Ek"}, "telecom": [{"system": "phone", "value": "0525-22 22 22"}]}],
    "managingOrganization": {"reference": "Organization/1"},
}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "identifier": [{"system": "urn:oid:1.2.752.129.2.1.4.1#SE2321000016-A", "value": "doc-1"}],
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "type": [{"coding": [{"system": "http://example.org/type", "code": "mava"}]}],
    "subject": {"reference": "Patient/example"},
    "participant": [{"individual": {"reference": "Practitioner/77"}}],
    "period": {"start": "2026-11-20T10:15:00+01:00", "end": "2026-11-21T11:00:00+01:00"},
    "serviceProvider": {"reference": "Organization/1"},
    "location": [{"location": {"reference": "Location/4"}}],
}
EXPRESSIONS = [
    "Patient.name.where(use='official').given.first()",
    "birthDate",
    "name.given",
    "identifier.where(system='http://electronichealth.se/identifier/personnummer').value",
    "telecom.where(system='phone' and use='work').value.first()",
    "(name.given | name.family).count()",
    "iif(gender='male','M','F')",
    "'Patient/' + id",
    "Patient.deceased.exists() and Patient.deceased != false",
    "contact.all(telecom.exists() or address.exists())",
    "birthDate < @2000-01-01",
    "name.given.where(matches('^E')).count()",
]


def micros(call: Callable[[], Any]) -> float:
    timer = timeit.Timer(call)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(5, number)) / number * 1e6


def rows() -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fhirpathpy
        from fhirpathpy.models import models
    definitions = load()
    boxed = Element(PATIENT, "Patient")
    plain = json.loads(json.dumps(PATIENT))
    found = []
    for text in EXPRESSIONS:
        path = compile(text, "Patient", definitions)
        other = fhirpathpy.compile(text, models["r4"])
        make = lambda text=text: Path(text, parse(text), model_of(definitions), "Patient", False, frozenset())  # noqa: E731
        found.append(
            {
                "expression": text,
                "typed": micros(lambda path=path: path(PATIENT)),
                "boxed": micros(lambda path=path: path(boxed)),
                "fhirpathpy": micros(lambda other=other: other(plain)),
                "compile": micros(make),
            }
        )
    return found


def indexing() -> dict[str, float]:
    indexer = Indexer(load())
    count = sum(map(len, indexer.rows(ENCOUNTER).values()))
    return {"index rows": count, "µs per Encounter": micros(lambda: indexer.rows(ENCOUNTER))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    measured, index = rows(), indexing()
    if as_json:
        print(json.dumps({"expressions": measured, "index": index}, default=lambda v: float(Decimal(v))))
        return
    print(f"{'typed':>8} {'boxed':>8} {'fhirpathpy':>11} {'compile':>9}   µs")
    for row in measured:
        figures = f"{row['typed']:8.2f} {row['boxed']:8.2f} {row['fhirpathpy']:11.1f} {row['compile']:9.0f}"
        print(f"{figures}   {row['expression']}")
    print(f"\n{index['µs per Encounter']:.0f} µs to index an Encounter with {index['index rows']:.0f} rows")


if __name__ == "__main__":
    main()
