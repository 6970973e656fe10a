"""Seeded records of every package, as their sources would send them: what the ingest bench feeds the gateway.

Persons are made up: their numbers pass the check digit and lie in the series that is set aside for tests (birth numbers
238 and 239). The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

REGION = "SE2321000131"
MUNICIPALITY = "SE2120001348"
BEGIN = datetime(2026, 1, 5, 8, 0)  # noqa: DTZ001 -- the sources say Swedish local time


@dataclass(frozen=True, slots=True)
class Generated:
    """One message with the number of records in it."""

    body: bytes
    suffix: str
    records: int


def person_number(n: int) -> str:
    """The nth test person's number: 12 digits with a right check digit."""
    born = date(1930, 1, 1) + timedelta(days=n // 18)
    digits = f"{born:%y%m%d}{238 + n // 9 % 2}"
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(digits))
    return f"{born.year // 100}{digits}{-total % 10}"


def riv(time: datetime) -> str:
    return f"{time:%Y%m%d%H%M%S}"


def iso(time: datetime) -> str:
    return time.isoformat()


class World:
    """A seeded choice of persons, units and moments."""

    def __init__(self, seed: int, persons: int) -> None:
        self.random = random.Random(seed)
        self.persons = [person_number(18 * n) for n in range(persons)]
        self.units = [f"{REGION}-T{n:04}" for n in range(100, 160)]
        self.municipal = [f"{MUNICIPALITY}-T{n:04}" for n in range(100, 120)]

    def person(self) -> str:
        return self.random.choice(self.persons)

    def unit(self) -> str:
        return self.random.choice(self.units)

    def moment(self) -> datetime:
        return BEGIN + timedelta(minutes=self.random.randrange(60 * 24 * 60))


def logistics(world: World, count: int, size: int = 100) -> Iterator[Generated]:
    """GetCareContacts 3.0 answers."""
    for first in range(0, count, size):
        number = min(size, count - first)
        contacts = "".join(_contact(world, first + n) for n in range(number))
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
            "<r:GetCareContactsResponse"
            ' xmlns:r="urn:riv:clinicalprocess:logistics:logistics:GetCareContactsResponder:3"'
            ' xmlns="urn:riv:clinicalprocess:logistics:logistics:3">'
            f"{contacts}<r:result><resultCode>OK</resultCode><logId>0</logId></r:result>"
            "</r:GetCareContactsResponse></soapenv:Body></soapenv:Envelope>"
        )
        yield Generated(body.encode(), ".xml", number)


def _contact(world: World, n: int) -> str:
    start, unit = world.moment(), world.unit()
    status = world.random.choice(("53631000052103", "53651000052107", "53671000052101"))
    end = "" if status != "53671000052101" else f"<end>{riv(start + timedelta(hours=1))}</end>"
    return (
        f"<r:careContact><careContactHeader><documentId>K-{n}</documentId>"
        f"<sourceSystemHSAId>{REGION}-T9001</sourceSystemHSAId>"
        f"<patientId><id>{world.person()}</id><type>1.2.752.129.2.1.3.1</type></patientId>"
        f"<accountableHealthcareProfessional><authorTime>{riv(start)}</authorTime>"
        f"<healthcareProfessionalHSAId>{REGION}-T5{world.random.randrange(200):03}</healthcareProfessionalHSAId>"
        "<healthcareProfessionalName>Karin Provläkare</healthcareProfessionalName>"
        f"<healthcareProfessionalOrgUnit><orgUnitHSAId>{unit}</orgUnitHSAId>"
        f"<orgUnitName>Enhet {unit[-4:]}</orgUnitName></healthcareProfessionalOrgUnit>"
        f"<healthcareProfessionalCareUnitHSAId>{unit}</healthcareProfessionalCareUnitHSAId><healthcareProfessionalCareGiverHSAId>{REGION}-T0000"
        "</healthcareProfessionalCareGiverHSAId></accountableHealthcareProfessional>"
        "<approvedForPatient>true</approvedForPatient></careContactHeader><careContactBody>"
        "<careContactCode><code>1</code><codeSystem>1.2.752.129.2.2.2.25</codeSystem><displayName>Besök</displayName>"
        f"</careContactCode><careContactReason>Kontroll {n}</careContactReason>"
        f"<careContactOrgUnit><orgUnitHSAId>{unit}</orgUnitHSAId><orgUnitName>Enhet {unit[-4:]}</orgUnitName>"
        f"</careContactOrgUnit><careContactTimePeriod><start>{riv(start)}</start>{end}</careContactTimePeriod>"
        f"<careContactStatus><code>{status}</code><codeSystem>1.2.752.116.2.1.1</codeSystem>"
        "<displayName>status</displayName></careContactStatus></careContactBody></r:careContact>"
    )


def request(world: World, count: int) -> Iterator[Generated]:
    """ProcessRequest 1.0: one referral a message."""
    for n in range(count):
        sent = world.moment()
        body = (
            '<r:ProcessRequest xmlns:r="urn:riv:clinicalprocess:activity:request:ProcessRequestResponder:1"'
            ' xmlns="urn:riv:clinicalprocess:activity:request:1"><request>'
            f'<requestId extension="{REGION}-T0400#R-{n}"/><typeOfRequest code="4"/>'
            f'<versionTimeStamp value="{riv(sent)}"/><versionNumber>1</versionNumber>'
            '<reasonForVersion><typeOfReason code="NR"/></reasonForVersion>'
            f'<patient><personId extension="{world.person()}" root="1.2.752.129.2.1.3.1"/><name>Test Person</name>'
            "</patient>"
            f'<requestOrganisation><careUnitId extension="{world.unit()}"/><careUnitName>Vårdcentral</careUnitName>'
            f'</requestOrganisation><author><date value="{sent:%Y%m%d}"/><healthcareProfessional>'
            f'<id extension="{REGION}-T5001"/><name>Stina Doktorsson</name></healthcareProfessional>'
            f'<healthcareProfessionalOrganisation><careUnitId extension="{world.unit()}"/>'
            "</healthcareProfessionalOrganisation></author>"
            f'<recipient><organisation><careUnitId extension="{world.unit()}"/></organisation></recipient>'
            f"<questionFormulation><text>Bedömning {n}?</text></questionFormulation></request></r:ProcessRequest>"
        )
        yield Generated(body.encode(), ".xml", 1)


MUNICIPAL = (
    "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
    "service_code;text;scope;start;end;status;responsible_role;updated_at;protected;mission_id;group_id;"
    "requester_hsa_id;status_reason;contact_phone"
)


def municipal(world: World, count: int) -> Iterator[Generated]:
    """One complete snapshot of a municipality's visits and services."""
    rows = [MUNICIPAL]
    for n in range(count):
        start = world.moment()
        kind, status = world.random.choice((("BESOK", "PLANERAD"), ("INSATS", "PAGAENDE"), ("BESOK", "UTFORD")))
        end = iso(start + timedelta(minutes=30)) if kind == "BESOK" else ""
        rows.append(
            f"{world.person()};PNR;1435;{world.random.choice(world.municipal)};{MUNICIPALITY}-T0000;{kind};L-{n};HSL;"
            f"HSJV;Läkemedelsdelning;;{iso(start)};{end};{status};sjuksköterska;{iso(start)};N;;;;;0980-319 201"
        )
    yield Generated(("\n".join(rows) + "\n").encode(), ".csv", count)


def directory(world: World, count: int) -> Iterator[Generated]:
    """One complete snapshot of a directory's units."""
    rows = [
        "hsa_id;name;name_en;huvudman;parent_hsa_id;municipality_code;municipality;phone;hours;valid_from;valid_to;"
        "replaced_by;updated_at"
    ]
    rows += [
        f"{REGION}-U{n:05};Enhet {n};Unit {n};region;{REGION}-T0000;1435;Tanum;031-390 06 {n % 100:02};"
        f"vardagar 8-17;2020-01-01;;;{iso(BEGIN)}"
        for n in range(count)
    ]
    yield Generated(("\n".join(rows) + "\n").encode(), ".csv", count)


def _event(world: World, type: str, n: int, time: datetime, **more: object) -> Generated:
    message = {
        "type": type,
        "messageId": f"M-{n}",
        "time": iso(time),
        "sender": {"hsaId": f"{REGION}-T0220", "name": "Larm och uppdrag"},
        "person": {"id": world.person(), "idType": "personnummer"},
        **more,
    }
    return Generated(json.dumps(message, ensure_ascii=False).encode(), ".json", 1)


def advice(world: World, count: int) -> Iterator[Generated]:
    """1177-missions asked for: one a message."""
    for n in range(count):
        yield _event(
            world,
            "mission-request",
            n,
            world.moment(),
            need=f"N-{n}",
            mission=f"N-{n}-1",
            contactId=f"K-{n}",
            candidate={"hsaId": world.random.choice(world.municipal), "name": "Hemsjukvården"},
            reason="Yrsel",
            question="Bedömning i hemmet",
            priority="routine",
            place="Testgatan 4",
        )


def dispatch(world: World, count: int) -> Iterator[Generated]:
    """IVPA alarms: two Tasks each, one a message."""
    for n in range(count):
        yield _event(
            world,
            "alarm",
            n,
            world.moment(),
            alarm=f"18:{n}:1",
            description="Svårt att andas",
            place="Testgatan 4",
            priority=1,
            units=[
                {
                    "mission": f"IV-{n}-1",
                    "unit": {"hsaId": world.random.choice(world.municipal), "name": "Hemsjukvården"},
                    "role": "nurse",
                },
                {"mission": f"IV-{n}-2", "unit": {"hsaId": world.unit(), "name": "Ambulansen"}, "role": "ambulance"},
            ],
        )


def planning(world: World, count: int) -> Iterator[Generated]:
    """Admission notices to two units: one a message."""
    for n in range(count):
        admitted = world.moment()
        yield _event(
            world,
            "admission-notice",
            n,
            admitted + timedelta(hours=2),
            stay={"id": f"S-{n}", "system": f"{REGION}-T9001", "admitted": iso(admitted)},
            estimatedDischarge=f"{admitted + timedelta(days=6):%Y-%m-%d}",
            recipients=[
                {
                    "unit": {"hsaId": world.random.choice(world.municipal), "name": "Hemsjukvården"},
                    "role": "municipal-care",
                },
                {"unit": {"hsaId": world.unit(), "name": "Vårdcentralen"}, "role": "open-care"},
            ],
        )


def adt(world: World, count: int) -> Iterator[Generated]:
    """HL7 v2 ADT, one a message: admissions and updates."""
    for n in range(count):
        time, unit = world.moment(), world.unit()
        person, event = world.person(), world.random.choice(("A01", "A08", "A03"))
        out = f"{'|' * 1}{riv(time + timedelta(days=2))}" if event == "A03" else ""
        segments = (
            f"MSH|^~\\&|PAS|{REGION}-T9001|SAMVERKA|SAMVERKA|{riv(time)}||ADT^{event}^ADT_A01|C{n}|P|2.5.1|||||SWE"
            "|UNICODE UTF-8",
            f"EVN|{event}|{riv(time)}",
            f"PID|1||{person}^^^&1.2.752.129.2.1.3.1&ISO^PNR||Testberg^Astrid||{person[:8]}|F|||"
            "Testgatan 4^^Tanumshede^^45730^SE^L",
            f"PV1|1|I|{unit}^^12-1||||||||||||||||V-{n}|||||||||||||||||||||||||{riv(time)}{out}",
            f"ZSE|1|{unit}|direktinläggning",
        )
        yield Generated("\r".join(segments).encode() + b"\r", ".hl7", 1)


def fhir(world: World, count: int, size: int = 100) -> Iterator[Generated]:
    """Searchset Bundles of Encounters from another region's server."""
    for first in range(0, count, size):
        number = min(size, count - first)
        entries = [_encounter(world, first + n) for n in range(number)]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": number, "entry": entries}
        yield Generated(json.dumps(bundle, ensure_ascii=False).encode(), ".json", number)


def _encounter(world: World, n: int) -> dict[str, object]:
    start = world.moment()
    person = {"system": "http://electronichealth.se/identifier/personnummer", "value": world.person()}
    return {
        "fullUrl": f"https://region.example/fhir/Encounter/e{n}",
        "resource": {
            "resourceType": "Encounter",
            "id": f"e{n}",
            "meta": {"lastUpdated": f"{iso(start)}+01:00"},
            "identifier": [{"system": "https://region.example/sid/contact", "value": f"C-{n}"}],
            "status": world.random.choice(("planned", "in-progress", "finished")),
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"type": "Patient", "identifier": person},
            "period": {"start": f"{iso(start)}+01:00"},
            "reasonCode": [{"text": f"Kontroll {n}"}],
            "serviceProvider": {
                "type": "Organization",
                "identifier": {"system": "urn:oid:1.2.752.129.2.1.4.1", "value": world.unit()},
                "display": "Mottagningen",
            },
        },
        "search": {"mode": "match"},
    }


GENERATORS: dict[str, Callable[[World, int], Iterator[Generated]]] = {
    "rivta-logistics": logistics,
    "rivta-request": request,
    "municipal-csv": municipal,
    "directory-csv": directory,
    "advice-json": advice,
    "dispatch-json": dispatch,
    "planning-json": planning,
    "hl7v2-adt": adt,
    "fhir-r4": fhir,
}


def generate(package: str, count: int, *, seed: int = 1, persons: int = 2000) -> Iterator[Generated]:
    """`count` records of a package, in messages as its sources send them."""
    return GENERATORS[package](World(seed, persons), count)
