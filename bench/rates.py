"""Records a second on one core, explanation on: reading, mapping and writing, by format, beside the rates we promise.

    python -m bench.rates [--stream MB]      # --stream maps so many megabytes of XML, made on the way

Each row is CPU time, the best of many short rounds, because others may be using the machine; `expat` is what the XML
parser alone takes of the same bytes in the same run. With --stream the memory of the process is told as it goes.
"""

from __future__ import annotations

import argparse
import resource
import time
import timeit
from collections.abc import Callable, Iterator
from xml.parsers import expat

import orjson
from rich.console import Console
from rich.table import Table

from bench import formats as samples
from bench import machine, mapping
from gateway import formats
from gateway.definitions import load
from gateway.formats import Format, RecordKind
from gateway.issues import Issues
from gateway.mapping import CompiledMap, Library, Problems, compile_map, parse

HEADER = "/// url = 'https://samverka.example/fhir/StructureMap/rates'\n/// name = 'Rates'\n"
ADT = (
    HEADER
    + """
group Message(source src, target bundle : Bundle) {
  src.PID as pid -> bundle.entry as e, e.resource = create('Patient') as pat then Person(pid, pat) "patient";
  src.PV1 as pv1 -> bundle.entry as e, e.resource = create('Encounter') as enc then Visit(src, pv1, enc) "visit";
}
group Person(source pid, target pat : Patient) {
  pid.`3` as id -> pat.identifier as i then {
    id.`4`.`2` as v -> i.system = ('urn:oid:' & v) "system";
    id.`1` as v -> i.value = v "number";
  } "identifier";
  pid.`5` as n -> pat.name as name then {
    n.`1` as v -> name.family = v "family";
    n.`2` as v -> name.given = v "given";
  } "name";
  pid.`7` as v -> pat.birthDate = toDate(v, 'yyyyMMdd') "born";
  pid.`8` as v where (v = 'M') -> pat.gender = 'male' "male";
  pid.`8` as v where (v = 'F') -> pat.gender = 'female' "female";
  pid.`11` as a -> pat.address as address then {
    a.`1` as v -> address.line = v "line";
    a.`3` as v -> address.city = v "city";
    a.`4` as v -> address.postalCode = v "postal-code";
  } "address";
  pid.`13` as t -> pat.telecom as tel then {
    t.`12` as v -> tel.value = v "telephone";
    t.`3` as v where (v = 'PH') -> tel.system = 'phone' "phone";
  } "telecom";
}
group Visit(source src, source pv1, target enc : Encounter) {
  src -> enc.status = 'in-progress' "status";
  pv1.`2` as v where (v = 'I') ->
    enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'IMP', 'inpatient') "class";
  pv1.`19` as v then { v.`1` as number -> enc.identifier = id('urn:visits', number) "visit-number"; } "visit";
  pv1.`44` as v -> enc.period as p, p.start = toDateTime(v, 'yyyyMMddHHmmss') "start";
  pv1.`3` as l -> enc.location as loc, loc.location as ref then { l.`9` as v -> ref.display = v "ward"; } "location";
}
"""
)
CSV = (
    HEADER
    + """
group Row(source src, target bundle : Bundle) {
  src -> bundle.entry as e, e.resource = create('Encounter') as enc then Visit(src, enc) "visit";
}
group Visit(source src, target enc : Encounter) {
  src.id as v -> enc.identifier = id('urn:visits', v) "id";
  src.status as v -> enc.status = v "status";
  src -> enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'HH', 'home health') "class";
  src.person_id as v -> enc.subject as s, s.identifier = id('urn:persons', v) "person";
  src.service as v -> enc.serviceType = cc('urn:services', v) "service";
  src.text as v -> enc.reasonCode = cc(v) "reason";
  src.unit as v -> enc.serviceProvider as r, r.identifier = id('urn:oid:1.2.752.29.4.19', v) "unit";
  src.start as v -> enc.period as p, p.start = toDateTime(v, 'yyyy-MM-dd HH:mm') "start";
  src.end as v -> enc.period as p, p.end = toDateTime(v, 'yyyy-MM-dd HH:mm') "end";
}
"""
)
PATIENT = (
    HEADER
    + """
group Entry(source src, target bundle : Bundle) {
  src.resource : Patient as p -> bundle.entry as e, e.resource = create('Patient') as pat then Person(p, pat) "patient";
}
group Person(source p : Patient, target pat : Patient) {
  p -> pat: identifier, name, address, birthDate, gender "all";
}
"""
)


def program(text: str) -> CompiledMap:
    problems = Problems()
    library = Library([parse(text, "rates.fml", problems)], [], problems)
    problems.stop()
    made = compile_map(library, load(), "https://samverka.example/fhir/StructureMap/rates")
    made.variant(traced=True)
    return made


def microseconds(work: Callable[[], object]) -> float:
    """Of CPU, the best of rounds that are short enough to lie between what others do."""
    work()
    number = max(1, int(0.003 / max(timeit.timeit(work, number=1), 1e-6)))
    return min(timeit.repeat(work, timer=time.process_time, number=number, repeat=120)) / number * 1e6


def whole(form: Format, body: bytes, made: CompiledMap) -> Callable[[], object]:
    def work() -> None:
        for record in formats.read(form, body, Issues()):
            found, _ = made.run(record.node, variables=mapping.VARIABLES, zone=mapping.ZONE, traced=True)
            orjson.dumps(found, default=str)

    return work


def rows() -> list[tuple[str, int, float, int]]:
    """What it is, its bytes, microseconds, and the records a second that are promised."""
    columns = samples.CSV.decode().split("\n")
    csv = "\n".join((columns[0], *[columns[1]] * 100)).encode()
    found = [
        ("XML of 2.2 kB to Encounter and Patient", mapping.FORM, samples.XML, mapping.compiled(), 1, 6_000),
        ("HL7 v2 ADT of 0.7 kB to Patient and Encounter", _form("er7", "ADT^*"), samples.ER7, program(ADT), 1, 4_000),
        ("CSV row of 16 columns to Encounter", _form("csv"), csv, program(CSV), 100, 12_000),
        ("FHIR Patient to Patient", _form("fhir"), samples.FHIR, program(PATIENT), 1, 10_000),
    ]
    return [
        (name, len(body) // count, microseconds(whole(form, body, made)) / count, rate)
        for name, form, body, made, count, rate in found
    ]


def _form(kind: str, at: str = "*") -> Format:
    return Format.of({"source": {"format": kind}, "records": [{"name": "r", "at": at}]})


def alone() -> float:
    """expat on the XML, with nobody listening."""

    def work() -> None:
        parser = expat.ParserCreate(None, "}")
        parser.Parse(samples.XML, True)

    return microseconds(work)


def bundles() -> tuple[float, float]:
    """Milliseconds for a Bundle of 1,000 entries and one of 10,000."""
    made, form = program(PATIENT), _form("fhir")
    found = []
    for count in (1_000, 10_000):
        work = whole(form, samples.bundle(count), made)
        found.append(min(timeit.repeat(work, timer=time.process_time, number=1, repeat=3)) * 1e3)
    return found[0], found[1]


def chunks(megabytes: int) -> Iterator[bytes]:
    """A message of so many megabytes, made as it is read."""
    start = samples.XML.index(b"<r:careContact>")
    end = samples.XML.index(b"</r:careContact>") + len(b"</r:careContact>")
    piece = samples.XML[start:end] * 30
    yield samples.XML[:start]
    for _ in range(megabytes * 2**20 // len(piece)):
        yield piece
    yield samples.XML[end:]


def stream(megabytes: int, console: Console) -> None:
    made, issues = mapping.compiled(), Issues()
    form = Format("xml", {}, (RecordKind("contact", "{*}careContact"),))
    console.print(f"a stream of {megabytes:,} MB, mapped with explanation on and written")
    began, count, told = time.process_time(), 0, 0
    for record, own in formats.stream(form, chunks(megabytes), issues):
        found, _ = made.run(record.node, variables=mapping.VARIABLES, zone=mapping.ZONE, traced=True)
        orjson.dumps(found, default=str)
        count += 1
        told += len(own)
        if count % 50_000 == 0:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            console.print(f"{told / 2**20:8,.0f} MB read, {count:9,} records, {memory} MB at most")
    used = time.process_time() - began
    console.print(f"{count:,} records in {used:.0f} s of CPU: {count / used:,.0f} a second; {len(issues)} issues")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=int, metavar="MB")
    given = parser.parse_args()
    console = Console(width=120)
    for name, value in machine.described().items():
        console.print(f"{name}: {value}")
    if given.stream:
        stream(given.stream, console)
        return
    table = Table("read, mapped with explanation, written", "bytes", "µs of CPU", "a second", "promised")
    for name, size, taken, rate in rows():
        table.add_row(name, f"{size:,}", f"{taken:,.0f}", f"{1e6 / taken:,.0f}", f"{rate:,}")
    console.print(table)
    console.print(f"expat alone on the XML: {alone():.0f} µs")
    compiling = microseconds(mapping.compiled) / 1e3
    console.print(
        f"a map of {len(mapping.compiled().program.rules)} rules compiles in {compiling:.1f} ms (20 promised)"
    )
    small, large = bundles()
    console.print(
        f"a Bundle of 10,000 costs {large / small:.1f} times one of 1,000 ({small:.0f} ms; at most 12 promised)"
    )


if __name__ == "__main__":
    main()
