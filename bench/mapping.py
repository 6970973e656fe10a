"""How long mapping takes: `python -m bench.mapping` (synthetic messages, best of seven rounds).

First one care contact of 2 kB through a map of 33 rules, step by step; then what grows with the message; then every
shipped package on its own cases.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.table import Table

from bench.formats import XML
from gateway import formats
from gateway.definitions import load
from gateway.definitions.shipped import folder
from gateway.formats import Format, Node, RecordKind
from gateway.issues import Issues
from gateway.mapping import CompiledMap, Library, Packages, Problems, compile_map, parse
from gateway.mapping.cases import cases

URL = "https://samverka.example/fhir/StructureMap/bench"
MAP = """/// url = 'https://samverka.example/fhir/StructureMap/bench'
/// name = 'Bench'
conceptmap "#status" {
  prefix s = "urn:oid:1.2.752.116.2.1.1" prefix t = "http://hl7.org/fhir/encounter-status"
  s:"53651000052107" - t:"in-progress"  s:"53671000052101" - t:finished  s:"53661000052105" - t:planned
}
group Record(source src, target bundle : Bundle) {
  src -> bundle.entry as e, e.resource = create('Encounter') as enc then Contact(src, enc) "encounter";
  src.careContactHeader as h -> bundle.entry as e, e.resource = create('Patient') as pat then Person(h, pat) "patient";
}
group Person(source h, target pat : Patient) {
  h.patientId as p -> pat.identifier as id then PersonId(p, id) "person-id";
}
group PersonId(source p, target id : Identifier) {
  p.type as t where (t = '1.2.752.129.2.1.3.1') ->
    id.system = 'http://electronichealth.se/identifier/personnummer' "pnr";
  p.type as t where (t != '1.2.752.129.2.1.3.1') -> id.system = ('urn:oid:' & t) "other";
  p.id as v -> id.value = v "number";
}
group Contact(source src, target enc : Encounter) {
  src.careContactHeader as h then {
    h.documentId as v -> enc.identifier as id, id.system = (%source.idSystem), id.value = v "document-id";
    h.patientId as p -> enc.subject as s, s.type = 'Patient', s.identifier as id then PersonId(p, id) "subject";
    h.accountableHealthcareProfessional as a -> enc.participant as part then Professional(a, part) "participant";
    h.sourceSystemHSAId as v -> enc.meta as m, m.source = ('urn:oid:1.2.752.129.2.1.4.1#' & v) "source";
    h.approvedForPatient as v where (v in ('false' | '0')) -> enc.meta as m,
      m.security = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'NOPATIENT') "not-patient";
  } "header";
  src.careContactBody as b then {
    b.careContactCode as cv -> enc.type as t then Concept(cv, t) "type";
    b.careContactCode as cv where (cv.code = '3') ->
      enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'IMP', 'inpatient') "inpatient";
    b.careContactCode as cv where (cv.code != '3') ->
      enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'AMB', 'ambulatory') "ambulatory";
    b.careContactReason as v -> enc.reasonCode as r, r.text = v "reason";
    b.careContactOrgUnit as u -> enc.serviceProvider as ref then Unit(u, ref) "unit";
    b.careContactTimePeriod as tp -> enc.period as p then {
      tp.start as v -> p.start = toDateTime(v, 'yyyyMMddHHmmss') "start";
      tp.end as v -> p.end = toDateTime(v, 'yyyyMMddHHmmss') "end";
    } "period";
    b.careContactStatus as st -> enc.status = translate(st, '#status', 'code') "status";
  } "body";
}
group Professional(source a, target part : Encounter.participant) {
  a -> part.type = cc('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'ATND', 'attender') "attender";
  a.healthcareProfessionalRoleCode as cv -> part.type as t then Concept(cv, t) "role";
  a.authorTime as v -> part.period as p, p.start = toDateTime(v, 'yyyyMMddHHmmss') "author-time";
  a -> part.individual as ref, ref.type = 'Practitioner' then {
    a.healthcareProfessionalHSAId as v -> ref.identifier = id('urn:oid:1.2.752.29.4.19', v) "professional-id";
    a.healthcareProfessionalName as v -> ref.display = v "professional-name";
  } "individual";
}
group Unit(source u, target ref : Reference) {
  u -> ref.type = 'Organization' "unit-type";
  u.orgUnitHSAId as v -> ref.identifier = id('urn:oid:1.2.752.29.4.19', v) "unit-id";
  u.orgUnitName as v -> ref.display = v "unit-name";
}
group Concept(source cv, target cc : CodeableConcept) {
  cv -> cc.coding as coding then {
    cv.codeSystem as v -> coding.system = ('urn:oid:' & v) "system";
    cv.code as v -> coding.code = v "code";
    cv.displayName as v -> coding.display = v "display";
  } "coding";
  cv.originalText as v -> cc.text = v "text";
}
"""
ZONE = ZoneInfo("Europe/Stockholm")
VARIABLES = {"source": {"idSystem": "urn:oid:1.2.752.129.2.1.4.1#SE1"}, "record": {"kind": "contact"}}
FORM = Format("xml", {}, (RecordKind("contact", "{*}careContact"),))


def microseconds(work: Callable[[], object], number: int = 200) -> float:
    """Of processor time: others may be using the machine."""
    work()
    return min(timeit.repeat(work, timer=time.process_time, number=number, repeat=7)) / number * 1e6


def compiled() -> CompiledMap:
    problems = Problems()
    library = Library([parse(MAP, "bench.fml", problems)], [], problems)
    problems.stop()
    made = compile_map(library, load(), URL)
    made.variant(traced=True)
    return made


def one_record() -> list[tuple[str, float]]:
    program = compiled()
    (record,) = formats.read(FORM, XML, Issues())

    def run(*, traced: bool) -> object:
        return program.run(record.node, variables=VARIABLES, zone=ZONE, traced=traced)

    def whole() -> object:
        (found,) = formats.read(FORM, XML, Issues())
        made, _ = program.run(found.node, variables=VARIABLES, zone=ZONE, traced=True)
        return orjson.dumps(made, default=str)

    _, noted = program.run(record.node, variables=VARIABLES, zone=ZONE, traced=True)
    return [
        ("compile (parse, resolve, write code)", microseconds(compiled, 5)),
        ("map, plain", microseconds(lambda: run(traced=False))),
        (f"map, traced ({len(noted.trace)} entries)", microseconds(lambda: run(traced=True))),
        ("read, map traced, write JSON", microseconds(whole)),
    ]


def growth() -> list[tuple[str, float]]:
    """A list ten times as long should take ten times as long."""
    rule = "s.name as n -> t.name as x then { n.family -> x.family; };"
    text = f"/// url = '{URL}'\ngroup A(source s, target t : Patient) {{ {rule} }}"
    problems = Problems()
    program = compile_map(Library([parse(text, "growth.fml", problems)], [], problems), load(), URL)
    found = []
    for count in (1_000, 10_000):
        names = [Node("name", None, {"family": [Node("family", f"n{number}")]}) for number in range(count)]
        source = Node("", None, {"name": names})
        found.append((f"{count:,} names", microseconds(lambda source=source: program.run(source, steps=10**6), 3)))
    return found


def packages() -> list[tuple[str, int, float, float]]:
    """For each package: records of its cases, microseconds per record plain and traced, with drafts and issues."""
    found = []
    received = datetime(2026, 1, 15, 12, tzinfo=UTC)
    for package in Packages.load(folder("mappings")).values():
        records = [(case.source, record) for case in cases(package) for record, _ in case.results()[0]]

        def apply(*, traced: bool, package=package, records=records) -> None:  # type: ignore[no-untyped-def]
            for source, record in records:
                package.apply(record, source, received, traced=traced)

        plain = microseconds(lambda a=apply: a(traced=False), 5) / len(records)
        traced = microseconds(lambda a=apply: a(traced=True), 5) / len(records)
        found.append((package.id, len(records), plain, traced))
    return found


def main() -> None:
    console = Console()
    table = Table(f"one care contact, {len(compiled().program.rules)} rules", "µs", "per second")
    for name, taken in one_record():
        table.add_row(name, f"{taken:,.1f}", f"{1e6 / taken:,.0f}")
    for name, taken in growth():
        table.add_row(name, f"{taken:,.0f}", "")
    console.print(table)
    table = Table("package", "records", "plain µs", "traced µs", "traced per second")
    for name, count, plain, traced in packages():
        table.add_row(name, str(count), f"{plain:,.1f}", f"{traced:,.1f}", f"{1e6 / traced:,.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
