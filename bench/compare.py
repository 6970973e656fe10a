"""The same care contact to the same Encounter and Patient by other means, in one run: microseconds of CPU to map it.

    .venv/bin/python -m pip install --require-hashes -r bench/requirements.txt    # optional
    .venv/bin/python -m bench.compare

Reading and writing are left out: ours is a map of some thirty rules over the record's nodes, the others are given the
record as they like it. Hand-written Python and JSONata must give our JSON to the letter; fhirpathpy only has its
expressions evaluated, compiled before.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import formats as samples
from bench import machine, mapping
from bench.rates import microseconds
from gateway import formats
from gateway.formats import Node
from gateway.issues import Issues

JSON = dict[str, Any]
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
HSA = "urn:oid:1.2.752.29.4.19"
STATUS = {"53651000052107": "in-progress", "53671000052101": "finished", "53661000052105": "planned"}


def record() -> Node:
    (found,) = formats.read(mapping.FORM, samples.XML, Issues())
    return found.node


def as_dict(node: Node) -> Any:
    """A record as nested dictionaries, which is what JSON's languages take."""
    if not node.kids:
        return node.value
    found = {name: [as_dict(kid) for kid in kids] for name, kids in node.kids.items()}
    return {name: kids[0] if len(kids) == 1 else kids for name, kids in found.items()}


def when(text: str) -> str:
    """A time of RIV-TA in the spring of 2025, of which the sample is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}+01:00"


def concept(node: Node) -> JSON:
    coding = {"system": "urn:oid:" + node.text("codeSystem"), "code": node.text("code")}
    if display := node.text("displayName"):
        coding["display"] = display
    return {"coding": [coding]}


def person(node: Node) -> JSON:
    kind = node.text("type")
    system = "http://electronichealth.se/identifier/personnummer"
    return {"system": system if kind == "1.2.752.129.2.1.3.1" else "urn:oid:" + kind, "value": node.text("id")}


def by_hand(node: Node) -> JSON:
    """What somebody writes who knows this one source, and needs neither places nor issues."""
    head, body = node.kids["careContactHeader"][0], node.kids["careContactBody"][0]
    doctor = head.kids["accountableHealthcareProfessional"][0]
    unit = body.kids["careContactOrgUnit"][0]
    patient = head.kids["patientId"][0]
    encounter: JSON = {
        "resourceType": "Encounter",
        "identifier": [{"system": mapping.VARIABLES["source"]["idSystem"], "value": head.text("documentId")}],
        "subject": {"type": "Patient", "identifier": person(patient)},
        "participant": [
            {
                "type": [
                    {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                                "code": "ATND",
                                "display": "attender",
                            }
                        ]
                    },
                    concept(doctor.kids["healthcareProfessionalRoleCode"][0]),
                ],
                "period": {"start": when(doctor.text("authorTime"))},
                "individual": {
                    "type": "Practitioner",
                    "identifier": {"system": HSA, "value": doctor.text("healthcareProfessionalHSAId")},
                    "display": doctor.text("healthcareProfessionalName"),
                },
            }
        ],
        "meta": {"source": "urn:oid:1.2.752.129.2.1.4.1#" + head.text("sourceSystemHSAId")},
        "type": [concept(body.kids["careContactCode"][0])],
        "class": {"system": ACT, "code": "IMP", "display": "inpatient"}
        if body.text("careContactCode", "code") == "3"
        else {"system": ACT, "code": "AMB", "display": "ambulatory"},
        "reasonCode": [{"text": body.text("careContactReason")}],
        "serviceProvider": {
            "type": "Organization",
            "identifier": {"system": HSA, "value": unit.text("orgUnitHSAId")},
            "display": unit.text("orgUnitName"),
        },
        "period": {"start": when(body.text("careContactTimePeriod", "start"))},
        "status": STATUS[body.text("careContactStatus", "code")],
    }
    return {
        "resourceType": "Bundle",
        "entry": [{"resource": encounter}, {"resource": {"resourceType": "Patient", "identifier": [person(patient)]}}],
    }


JSONATA = """(
$when := function($t) { $substring($t,0,4) & '-' & $substring($t,4,2) & '-' & $substring($t,6,2) & 'T' &
  $substring($t,8,2) & ':' & $substring($t,10,2) & ':' & $substring($t,12,2) & '+01:00' };
$concept := function($c) { {'coding': [{'system': 'urn:oid:' & $c.codeSystem, 'code': $c.code,
  'display': $c.displayName}]} };
$status := {'53651000052107': 'in-progress', '53671000052101': 'finished', '53661000052105': 'planned'};
$h := careContactHeader; $b := careContactBody; $p := $h.accountableHealthcareProfessional;
$person := {'system': $h.patientId.type = '1.2.752.129.2.1.3.1' ? 'http://electronichealth.se/identifier/personnummer'
  : 'urn:oid:' & $h.patientId.type, 'value': $h.patientId.id};
{'resourceType': 'Bundle', 'entry': [
 {'resource': {'resourceType': 'Encounter',
  'identifier': [{'system': 'urn:oid:1.2.752.129.2.1.4.1#SE1', 'value': $h.documentId}],
  'subject': {'type': 'Patient', 'identifier': $person},
  'participant': [{'type': [{'coding': [{'system': 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
     'code': 'ATND', 'display': 'attender'}]}, $concept($p.healthcareProfessionalRoleCode)],
    'period': {'start': $when($p.authorTime)},
    'individual': {'type': 'Practitioner', 'identifier': {'system': 'urn:oid:1.2.752.29.4.19',
      'value': $p.healthcareProfessionalHSAId}, 'display': $p.healthcareProfessionalName}}],
  'meta': {'source': 'urn:oid:1.2.752.129.2.1.4.1#' & $h.sourceSystemHSAId},
  'type': [$concept($b.careContactCode)],
  'class': $b.careContactCode.code = '3'
    ? {'system': 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'code': 'IMP', 'display': 'inpatient'}
    : {'system': 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'code': 'AMB', 'display': 'ambulatory'},
  'reasonCode': [{'text': $b.careContactReason}],
  'serviceProvider': {'type': 'Organization', 'identifier': {'system': 'urn:oid:1.2.752.29.4.19',
    'value': $b.careContactOrgUnit.orgUnitHSAId}, 'display': $b.careContactOrgUnit.orgUnitName},
  'period': {'start': $when($b.careContactTimePeriod.start)},
  'status': $lookup($status, $b.careContactStatus.code)}},
 {'resource': {'resourceType': 'Patient', 'identifier': [$person]}}]}
)"""
EXPRESSIONS = (
    "careContactHeader.documentId", "careContactHeader.patientId.type", "careContactHeader.patientId.id",
    "'urn:oid:' & careContactHeader.patientId.type", "careContactHeader.sourceSystemHSAId",
    "careContactHeader.accountableHealthcareProfessional.authorTime",
    "careContactHeader.accountableHealthcareProfessional.healthcareProfessionalHSAId",
    "careContactHeader.accountableHealthcareProfessional.healthcareProfessionalName",
    "careContactHeader.accountableHealthcareProfessional.healthcareProfessionalRoleCode.code",
    "careContactHeader.accountableHealthcareProfessional.healthcareProfessionalRoleCode.codeSystem",
    "careContactHeader.accountableHealthcareProfessional.healthcareProfessionalRoleCode.displayName",
    "careContactBody.careContactCode.code", "careContactBody.careContactCode.codeSystem",
    "iif(careContactBody.careContactCode.code = '3', 'IMP', 'AMB')", "careContactBody.careContactReason",
    "careContactBody.careContactOrgUnit.orgUnitHSAId", "careContactBody.careContactOrgUnit.orgUnitName",
    "careContactBody.careContactTimePeriod.start", "careContactBody.careContactStatus.code",
    "careContactHeader.approvedForPatient in ('false' | '0')",
)  # fmt: skip


def means() -> list[tuple[str, Callable[[], object]]]:
    node, program = record(), mapping.compiled()
    expected, _ = program.run(node, variables=mapping.VARIABLES, zone=mapping.ZONE)

    def run(*, traced: bool) -> object:
        return program.run(node, variables=mapping.VARIABLES, zone=mapping.ZONE, traced=traced)

    found: list[tuple[str, Callable[[], object]]] = [
        ("our map, plain", lambda: run(traced=False)),
        ("our map, every field explained", lambda: run(traced=True)),
        ("hand-written Python", lambda: by_hand(node)),
    ]
    assert by_hand(node) == expected
    given = as_dict(node)
    if importlib.util.find_spec("jsonata"):
        import jsonata

        expression = jsonata.Jsonata(JSONATA)
        assert json.loads(json.dumps(expression.evaluate(given))) == expected
        found.append(("jsonata-python", lambda: expression.evaluate(given)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fhirpathpy

        paths = [fhirpathpy.compile(text) for text in EXPRESSIONS]
    assert paths[0](given) == ["contact-0001"]
    found.append((f"fhirpathpy, {len(paths)} compiled expressions", lambda: [path(given) for path in paths]))
    return found


def main() -> None:
    console = Console(width=120)
    for name, value in machine.described().items():
        console.print(f"{name}: {value}")
    measured = [(name, microseconds(work)) for name, work in means()]
    first = dict(measured)["hand-written Python"]
    table = Table("one care contact of 2.2 kB to Encounter and Patient", "µs", "times hand-written")
    for name, taken in measured:
        table.add_row(name, f"{taken:,.0f}", f"{taken / first:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
