"""Two months of care as all its sources tell it: one event by one system or by several, late, twice, askew.

Persons are made up: their numbers pass the check digit and lie in the series that is set aside for tests. The same
seed gives the same bytes. `truth` says which records tell of one thing: what was meant, to hold links against.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.generate import MUNICIPAL, MUNICIPALITY, REGION, iso, person_number, riv

BEGIN = datetime(2026, 1, 5, 8, 0)  # noqa: DTZ001 -- the sources say Swedish local time
DAYS = 60
ADT_SYSTEM = f"{REGION}-T9001"
PLANNER = f"{REGION}-T9005"
SNAPSHOT_DAYS = 6
SHOWN_DAYS = 15
"""How long a municipality lists what is over."""
LISTED = 3
"""In how many snapshots a line stands, as a rule."""
FAMILIES = ("Provberg", "Testlund", "Exempelsson", "Fiktivén", "Tolvansson", "Påhittsdotter", "Låtsasdal")
GIVEN = {"F": ("Astrid", "Ester", "Karin", "Rut", "Siv", "Ulla"), "M": ("Arne", "Bo", "Olle", "Sten", "Nils", "Ivar")}


@dataclass(frozen=True, slots=True)
class Person:
    number: str
    sex: str
    family: str
    given: str
    municipality: int
    reserve: str = ""
    """The national reserve number that he had before his own was known."""

    @property
    def born(self) -> str:
        return self.number[:8]

    @property
    def document(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "idType": "personnummer",
            "name": {"given": self.given, "family": self.family},
            "birthDate": f"{self.born[:4]}-{self.born[4:6]}-{self.born[6:]}",
            "gender": "female" if self.sex == "F" else "male",
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message: when it comes, from which source, and how many records are in it."""

    at: datetime
    source: str
    body: bytes
    records: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a municipality's snapshots: from its first day to its last, as it stands at a time."""

    first: datetime
    last: datetime
    line: Callable[[datetime], str]


@dataclass
class World:
    """`deliveries` in order of arrival, of about so many `records`."""

    seed: int
    records: int
    truth: dict[str, str] = field(default_factory=dict)
    """The thing that a record tells of, by the value of its identifier."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        people = [self._person(n) for n in range(max(20, self.records // 60))]
        # A few have much care, most of them little.
        self.people = [one for n, one in enumerate(people) for _ in range(1 + 12 * (n % 12 == 0))]
        self.clinics = [f"{REGION}-T{n:04}" for n in range(100, 130)]
        self.wards = [f"{REGION}-T{n:04}" for n in range(130, 142)]
        self.health_centres = [f"{REGION}-T{n:04}" for n in range(400, 415)]
        self.municipal = [[f"{MUNICIPALITY}-T{m}{n:03}" for n in range(6)] for m in range(3)]
        self.rows: list[list[Row]] = [[], [], []]
        self.told: list[Delivery] = []
        self.stays: dict[str, list[tuple[datetime, datetime]]] = {}
        self.number = 0

    def deliveries(self) -> list[Delivery]:
        kinds = (
            self.visit,
            self.stay,
            self.advice,
            self.alarm,
            self.referral,
            self.service,
            self.home_visit,
            self.plan,
        )
        weights = (36, 9, 7, 4, 7, 5, 14, 2)
        self._units()
        while len(self.told) + LISTED * sum(map(len, self.rows)) < self.records:
            self.number += 1
            self.random.choices(kinds, weights)[0](self.random.choice(self.people), self._moment())
        for municipality in range(3):
            self.told += self._snapshots(municipality)
        return sorted(self.told, key=lambda one: (one.at, one.source, one.body))

    # --- What happens

    def visit(self, person: Person, start: datetime) -> None:
        """A visit to a clinic, told by its record system, and by the new one that is about to take its place."""
        n, unit, end = self.number, self.random.choice(self.clinics), start + timedelta(minutes=40)
        booked = start - timedelta(days=self.random.randrange(1, 9))
        self._contact(f"K-{n}", f"visit-{n}", person, unit, "1", booked, start, None, "53631000052103")
        happens = self.random.random()
        if happens < 0.08:
            self._contact(f"K-{n}", f"visit-{n}", person, unit, "1", start, start, None, "53641000052109")
        else:
            self._contact(f"K-{n}", f"visit-{n}", person, unit, "1", end, start, end, "53671000052101")
        other = self.random.random()
        if other < 0.3:
            moved = start + timedelta(minutes=self.random.choice((0, 0, 0, 5, 10, -5, 30)))
            status = "cancelled" if happens < 0.08 else self.random.choice(("finished", "finished", "planned"))
            self._encounter(f"C-{n}", f"visit-{n}", person, unit, moved, status)
        elif other < 0.36:  # Another visit on the same day: the one before, or the one after.
            moved = start + timedelta(minutes=self.random.choice((60, 90, 120, 240, -90, -240)))
            self._encounter(f"C-{n}", f"other-visit-{n}", person, unit, moved, "finished")

    def stay(self, person: Person, start: datetime) -> None:
        """A stay in a ward: ADT, the record system's contact, and the planning of the discharge."""
        n, unit, end = self.number, self.random.choice(self.wards), start + timedelta(days=self.random.randrange(1, 9))
        stays = self.stays.setdefault(person.number, [])
        if any(start < until and since < end for since, until in stays):
            return  # Nobody lies in two beds.
        stays.append((start, end))
        thing, visit = f"stay-{n}", f"V-{n}"
        first = person
        if self.random.random() < 0.05:
            first = self.random.choice(self.people)  # Registered for the wrong person, then corrected.
        unknown = bool(person.reserve) and first is person
        self._adt("A01", visit, thing, first, unit, start, start, reserve="only" if unknown else "")
        self._adt(
            "A08", visit, thing, person, unit, start + timedelta(hours=3), start, reserve="both" if unknown else ""
        )
        self._adt("A03", visit, thing, person, unit, end, start, end)
        if self.random.random() < 0.5:
            begun = start + timedelta(minutes=self.random.choice((0, 0, 20, 45, 90, 180)))
            self._contact(f"VT-{n}", thing, person, unit, "3", end, begun, end, "53671000052101")
        if self.random.random() < 0.6:
            same = self.random.random() < 0.7
            id = visit if same else f"S-{n}"
            admitted = start if same else start + timedelta(minutes=self.random.choice((0, 15, 60)))
            self.truth[id] = thing
            home, centre = self._home(person), self.random.choice(self.health_centres)
            message = {"sender": {"hsaId": unit, "name": f"Avdelning {unit[-3:]}"}}
            planned = {"id": id, "system": ADT_SYSTEM if same else PLANNER, "admitted": iso(admitted)}
            recipients = [
                {"unit": {"hsaId": home, "name": "Hemsjukvården"}, "role": "municipal-care"},
                {"unit": {"hsaId": centre, "name": "Vårdcentralen"}, "role": "open-care"},
            ]
            notice = {"stay": planned, "estimatedDischarge": f"{end:%Y-%m-%d}", "recipients": recipients}
            self._event("planning", "admission-notice", f"AN-{n}", person, start + timedelta(hours=5), message | notice)
            if self.random.random() < 0.7:
                ready = {"stay": planned, "recipients": recipients}
                at = end - timedelta(hours=self.random.randrange(3, 40))
                self._event("planning", "discharge-ready", f"DR-{n}", person, at, message | ready)

    def advice(self, person: Person, start: datetime) -> None:
        """A 1177-mission; the municipality lists it too, with its number or without."""
        n, home = self.number, self._home(person)
        mission, need = f"N-{n}-1", f"N-{n}"
        self.truth[mission] = f"mission-{n}"
        asked = {
            "need": need,
            "mission": mission,
            "contactId": f"KT-{n}",
            "candidate": {"hsaId": home, "name": "Hemsjukvården"},
            "reason": self.random.choice(("Yrsel", "Fallolycka", "Sår", "Feber")),
            "question": "Bedömning i hemmet",
            "priority": "routine",
            "place": "Testgatan 4",
        }
        self._event("advice", "mission-request", f"RG-{n}", person, start, asked)
        declined = self.random.random() < 0.2
        answer = start + timedelta(minutes=self.random.randrange(4, 50))
        done = answer + timedelta(minutes=self.random.randrange(50, 200))
        times = [{"status": "declined" if declined else "accepted", "time": iso(answer)}]
        times[0] |= {"reason": {"code": "no-resource", "text": "Ingen bil"}} if declined else {}  # type: ignore[dict-item]
        unit = {"hsaId": home, "name": "Hemsjukvården"}
        answered = {"need": need, "mission": mission, "unit": unit}
        self._event("advice", "mission-status", f"RS-{n}", person, answer, answered | {"times": times})
        own = "AVVISAD" if declined else "UTFÖRD"
        if self.random.random() < 0.12:
            own = "ACCEPTERAD" if declined else "AVVISAD"  # The parties tell it differently.
        self._mission(person, home, f"U-{n}", mission, f"mission-{n}", "1177", start, answer, done, own)

    def alarm(self, person: Person, start: datetime) -> None:
        """An IVPA alarm: two Tasks, of which the municipality lists its own."""
        n, home, ambulance = self.number, self._home(person), f"{REGION}-T0200"
        self.truth |= {f"IV-{n}-1": f"alarm-{n}-1", f"IV-{n}-2": f"alarm-{n}-2"}
        units = [
            {"mission": f"IV-{n}-1", "unit": {"hsaId": home, "name": "Hemsjukvården"}, "role": "nurse"},
            {"mission": f"IV-{n}-2", "unit": {"hsaId": ambulance, "name": "Ambulansen"}, "role": "ambulance"},
        ]
        alarm = {"alarm": f"18:{n}:1", "description": "Svårt att andas", "place": "Testgatan 4", "priority": 1}
        self._event("dispatch", "alarm", f"LU-{n}", person, start, alarm | {"units": units})
        answer, done = start + timedelta(minutes=2), start + timedelta(minutes=70)
        self._mission(person, home, f"U-{n}", f"IV-{n}-1", f"alarm-{n}-1", "IVPA", start, answer, done, "UTFÖRD")

    def referral(self, person: Person, sent: datetime) -> None:
        """A referral; the receiver's new system has it too, under the number that it came with or under its own."""
        n, unit = self.number, self.random.choice(self.clinics)
        centre = self.random.choice(self.health_centres)
        number = f"{centre}#R-{n}"
        self.truth[number] = f"referral-{n}"
        self._send("referral", _referral(number, person, centre, unit, sent), sent)
        if self.random.random() < 0.6:
            self._send("referral", _confirmation(number, person, centre, unit, sent + timedelta(days=2)), sent, days=2)
        if self.random.random() < 0.3:
            own = self.random.random() < 0.5
            system = "https://region.example/sid/remiss" if own else "https://samverka.example/fhir/sid/referral"
            value = f"RM-{n}" if own else number
            self.truth[value] = f"referral-{n}"
            received = sent + timedelta(minutes=self.random.choice((1, 30, 600)))
            self._bundle(_service_request(f"r{n}", system, value, person, unit, received), received)

    def service(self, person: Person, start: datetime) -> None:
        n, home = self.number, self._home(person)
        self.truth[f"L-{n}"] = f"service-{n}"

        def line(at: datetime) -> str:
            return _row(person, home, "INSATS", f"L-{n}", "HSJV", "Läkemedelsdelning", start, None, "PAGAENDE", start)

        self.rows[person.municipality].append(Row(start, BEGIN + timedelta(days=DAYS), line))

    def home_visit(self, person: Person, start: datetime) -> None:
        """A visit at home; some are told by the region's new system as well: its nurse keeps the record there."""
        n, home, end = self.number, self._home(person), start + timedelta(minutes=30)
        self.truth[f"B-{n}"] = f"home-visit-{n}"

        def line(at: datetime) -> str:
            status, updated = ("UTFORD", end) if at > end else ("PLANERAD", start - timedelta(days=4))
            return _row(person, home, "BESOK", f"B-{n}", "HSJV", "Såromläggning", start, end, status, updated)

        self.rows[person.municipality].append(Row(start - timedelta(days=4), end + timedelta(days=SHOWN_DAYS), line))
        if self.random.random() < 0.25:
            moved = start + timedelta(minutes=self.random.choice((0, 0, 15, 45)))
            same = self.random.random() < 0.8
            task = _home_visit(f"t{n}", f"HB-{n}", person, home, moved if same else moved + timedelta(hours=3))
            self.truth[f"HB-{n}"] = f"home-visit-{n}" if same else f"other-home-visit-{n}"
            self._bundle(task, end)

    def plan(self, person: Person, start: datetime) -> None:
        """A plan that the health centre keeps, and that the municipality lists under a number of its own."""
        n, home, centre = self.number, self._home(person), self.random.choice(self.health_centres)
        self.truth |= {f"SIP-{n}": f"plan-{n}", f"P-{n}": f"plan-{n}"}
        unit = {"hsaId": home, "name": "Hemsjukvården"}
        activity = {"id": "1", "what": "Läkemedelsdelning", "legalBasis": "HSL", "unit": unit, "answer": "accepted"}
        sip = {
            "sender": {"hsaId": centre, "name": "Vårdcentralen"},
            "plan": {"id": f"SIP-{n}", "title": "SIP", "status": "active", "start": f"{start:%Y-%m-%d}"},
            "consent": {"given": True, "date": f"{start:%Y-%m-%d}"},
            "participants": [unit],
            "activities": [activity | {"start": f"{start:%Y-%m-%d}"}],
        }
        self._event("planning", "sip", f"SP-{n}", person, start, sip)

        def line(at: datetime) -> str:
            return _row(person, centre, "PLAN", f"P-{n}", "SIP", "SIP", start, None, "PAGAENDE", start)

        self.rows[person.municipality].append(Row(start, BEGIN + timedelta(days=DAYS), line))

    # --- How it is told

    def _contact(
        self,
        id: str,
        thing: str,
        person: Person,
        unit: str,
        kind: str,
        told: datetime,
        start: datetime,
        end: datetime | None,
        status: str,
    ) -> None:
        self.truth[id] = thing
        body = _contact(id, person.number, unit, kind, told, start, end, status)
        self._send("records", body, told)

    def _encounter(self, id: str, thing: str, person: Person, unit: str, start: datetime, status: str) -> None:
        self.truth[id] = thing
        end = start + timedelta(minutes=35)
        self._bundle(_visit(id.lower(), id, person, unit, start, end if status == "finished" else None, status), end)

    def _adt(
        self,
        event: str,
        visit: str,
        thing: str,
        person: Person,
        unit: str,
        at: datetime,
        admitted: datetime,
        discharged: datetime | None = None,
        reserve: str = "",
    ) -> None:
        self.truth[visit] = thing
        odd = self.random.random() < 0.004  # Sex and birth date of somebody else: a slip at the desk.
        self._send(
            "adt", _adt(event, f"{visit}-{event}", visit, person, unit, at, admitted, discharged, reserve, odd), at
        )

    def _mission(
        self,
        person: Person,
        unit: str,
        id: str,
        mission: str,
        thing: str,
        code: str,
        start: datetime,
        answered: datetime,
        done: datetime,
        status: str,
    ) -> None:
        draw = self.random.random()
        if draw > 0.85:
            return  # Not in the municipality's system at all.
        numbered = mission if draw < 0.6 else ""
        self.truth[id] = thing

        def line(at: datetime) -> str:
            now = status if at > done or status == "AVVISAD" else "ACCEPTERAD"
            ended = done if now == "UTFÖRD" else None
            return _row(
                person, unit, "UPPDRAG", id, code, "Bedöm i hemmet", answered, ended, now, done if ended else answered,
                mission=numbered, group=mission.rpartition("-")[0] if numbered else "",
            )  # fmt: skip

        self.rows[person.municipality].append(Row(answered, done + timedelta(days=SHOWN_DAYS), line))

    def _event(self, source: str, type: str, id: str, person: Person, time: datetime, more: dict[str, Any]) -> None:
        message = {
            "type": type,
            "messageId": id,
            "time": iso(time),
            "sender": {"hsaId": f"{REGION}-T0220", "name": "Larm och uppdrag"},
            "person": person.document,
            **more,
        }
        self._send(source, json.dumps(message, ensure_ascii=False).encode(), time)

    def _bundle(self, resource: dict[str, Any], at: datetime) -> None:
        entry = {
            "fullUrl": f"https://region.example/fhir/{resource['resourceType']}/{resource['id']}",
            "resource": resource | {"meta": {"lastUpdated": f"{iso(at)}+01:00"}},
            "search": {"mode": "match"},
        }
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [entry]}
        self._send("new-records", json.dumps(bundle, ensure_ascii=False).encode(), at)

    def _send(self, source: str, body: bytes, at: datetime, *, days: int = 0) -> None:
        """Most come within minutes; some days late, and behind what was said after them; some twice."""
        draw = self.random.random()
        late = timedelta(hours=self.random.uniform(24, 240)) if draw < 0.04 else timedelta(seconds=20 + 300 * draw)
        arrives = at + timedelta(days=days) + late
        self.told.append(Delivery(arrives, source, body))
        if self.random.random() < 0.03:
            self.told.append(Delivery(arrives + timedelta(hours=self.random.uniform(0, 30)), source, body))

    def _snapshots(self, municipality: int) -> Iterator[Delivery]:
        at = BEGIN + timedelta(days=2, hours=14)
        while at < BEGIN + timedelta(days=DAYS + SHOWN_DAYS):
            lines = [row.line(at) for row in self.rows[municipality] if row.first <= at <= row.last]
            if lines:
                body = "\n".join((MUNICIPAL, *lines)) + "\n"
                yield Delivery(at + timedelta(hours=1), f"municipality-{municipality}", body.encode(), len(lines))
            at += timedelta(days=SNAPSHOT_DAYS)

    def _units(self) -> None:
        head = (
            "hsa_id;name;name_en;huvudman;parent_hsa_id;municipality_code;municipality;phone;hours;valid_from;valid_to;"
            "replaced_by;updated_at"
        )
        units = [*self.clinics, *self.wards, *self.health_centres, *(one for some in self.municipal for one in some)]
        lines = [
            f"{unit};Enhet {unit[-4:]};Unit {unit[-4:]};{'region' if unit.startswith(REGION) else 'kommun'};"
            f"{unit.partition('-')[0]}-T0000;1435;Tanum;031-390 06 {n:02};vardagar 8-17;2020-01-01;;;{iso(BEGIN)}"
            for n, unit in enumerate(units)
        ]
        self.told.append(Delivery(BEGIN, "units", "\n".join((head, *lines, "")).encode(), len(lines)))

    def _home(self, person: Person) -> str:
        units = self.municipal[person.municipality]
        return units[int(person.number[-2]) % len(units)]

    def _moment(self) -> datetime:
        day = timedelta(days=self.random.randrange(2, DAYS - 10))
        return BEGIN.replace(hour=7) + day + timedelta(minutes=5 * self.random.randrange(12 * 12))

    def _person(self, n: int) -> Person:
        number = person_number(9 * n)
        sex = "M" if int(number[10]) % 2 else "F"
        reserve = f"22{number[2:8]}AA{number[10]}{n % 10}" if self.random.random() < 0.05 else ""
        family, given = self.random.choice(FAMILIES), self.random.choice(GIVEN[sex])
        return Person(number, sex, family, given, self.random.randrange(3), reserve)


def _contact(
    id: str, person: str, unit: str, kind: str, told: datetime, start: datetime, end: datetime | None, status: str
) -> bytes:
    until = f"<end>{riv(end)}</end>" if end else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        "<r:GetCareContactsResponse"
        ' xmlns:r="urn:riv:clinicalprocess:logistics:logistics:GetCareContactsResponder:3"'
        ' xmlns="urn:riv:clinicalprocess:logistics:logistics:3">'
        f"<r:careContact><careContactHeader><documentId>{id}</documentId>"
        f"<sourceSystemHSAId>{REGION}-T9002</sourceSystemHSAId>"
        f"<patientId><id>{person}</id><type>1.2.752.129.2.1.3.1</type></patientId>"
        f"<accountableHealthcareProfessional><authorTime>{riv(told)}</authorTime>"
        f"<healthcareProfessionalHSAId>{REGION}-T5{int(person[-3:]):03}</healthcareProfessionalHSAId>"
        "<healthcareProfessionalName>Karin Provläkare</healthcareProfessionalName>"
        f"<healthcareProfessionalOrgUnit><orgUnitHSAId>{unit}</orgUnitHSAId>"
        f"<orgUnitName>Enhet {unit[-4:]}</orgUnitName></healthcareProfessionalOrgUnit>"
        f"<healthcareProfessionalCareUnitHSAId>{unit}</healthcareProfessionalCareUnitHSAId>"
        f"<healthcareProfessionalCareGiverHSAId>{REGION}-T0000</healthcareProfessionalCareGiverHSAId>"
        "</accountableHealthcareProfessional><approvedForPatient>true</approvedForPatient></careContactHeader>"
        f"<careContactBody><careContactCode><code>{kind}</code><codeSystem>1.2.752.129.2.2.2.25</codeSystem>"
        f"</careContactCode><careContactReason>Kontroll</careContactReason>"
        f"<careContactOrgUnit><orgUnitHSAId>{unit}</orgUnitHSAId><orgUnitName>Enhet {unit[-4:]}</orgUnitName>"
        f"</careContactOrgUnit><careContactTimePeriod><start>{riv(start)}</start>{until}</careContactTimePeriod>"
        f"<careContactStatus><code>{status}</code><codeSystem>1.2.752.116.2.1.1</codeSystem>"
        "<displayName>status</displayName></careContactStatus></careContactBody></r:careContact>"
        "<r:result><resultCode>OK</resultCode><logId>0</logId></r:result>"
        "</r:GetCareContactsResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


def _adt(
    event: str,
    id: str,
    visit: str,
    person: Person,
    unit: str,
    at: datetime,
    admitted: datetime,
    discharged: datetime | None,
    reserve: str,
    odd: bool,
) -> bytes:
    own = f"{person.number}^^^&1.2.752.129.2.1.3.1&ISO^NNSWE"
    other = f"{person.reserve}^^^&1.2.752.74.9.1&ISO"
    ids = {"": own, "only": other, "both": f"{own}~{other}"}[reserve]
    sex, born = ("M" if person.sex == "F" else "F", "19450101") if odd else (person.sex, person.born)
    out = f"|{riv(discharged)}" if discharged else ""
    segments = (
        f"MSH|^~\\&|PAS|{REGION}-T9001|SAMVERKA|SAMVERKA|{riv(at)}||ADT^{event}^ADT_A01|{id}|P|2.5.1|||||SWE"
        "|UNICODE UTF-8",
        f"EVN|{event}|{riv(at)}",
        f"PID|1||{ids}||{person.family}^{person.given}||{born}|{sex}|||Testgatan 4^^Tanumshede^^45730^SE^L",
        f"PV1|1|I|{unit}^^12-1||||||||||||||||{visit}|||||||||||||||||||||||||{riv(admitted)}{out}",
        f"ZSE|1|{unit}|direktinläggning",
    )
    return "\r".join(segments).encode() + b"\r"


def _row(
    person: Person,
    unit: str,
    kind: str,
    id: str,
    service: str,
    text: str,
    start: datetime,
    end: datetime | None,
    status: str,
    updated: datetime,
    mission: str = "",
    group: str = "",
) -> str:
    return (
        f"{person.number};PNR;1435;{unit};{MUNICIPALITY}-T0000;{kind};{id};HSL;{service};{text};;{iso(start)};"
        f"{iso(end) if end else ''};{status};sjuksköterska;{iso(updated)};N;{mission};{group};;;0980-319 201"
    )


def _referral(number: str, person: Person, centre: str, unit: str, sent: datetime) -> bytes:
    return (
        '<r:ProcessRequest xmlns:r="urn:riv:clinicalprocess:activity:request:ProcessRequestResponder:1"'
        ' xmlns="urn:riv:clinicalprocess:activity:request:1"><request>'
        f'<requestId extension="{number}"/><typeOfRequest code="4"/>'
        f'<versionTimeStamp value="{riv(sent)}"/><versionNumber>1</versionNumber>'
        '<reasonForVersion><typeOfReason code="NR"/></reasonForVersion>'
        f'<patient><personId extension="{person.number}" root="1.2.752.129.2.1.3.1"/>'
        f"<name>{person.given} {person.family}</name></patient>"
        f'<requestOrganisation><careUnitId extension="{centre}"/><careUnitName>Vårdcentral</careUnitName>'
        f'</requestOrganisation><author><date value="{sent:%Y%m%d}"/><healthcareProfessional>'
        f'<id extension="{REGION}-T5001"/><name>Stina Doktorsson</name></healthcareProfessional>'
        f'<healthcareProfessionalOrganisation><careUnitId extension="{centre}"/>'
        "</healthcareProfessionalOrganisation></author>"
        f'<recipient><organisation><careUnitId extension="{unit}"/></organisation></recipient>'
        "<questionFormulation><text>Bedömning?</text></questionFormulation></request></r:ProcessRequest>"
    ).encode()


def _confirmation(number: str, person: Person, centre: str, unit: str, at: datetime) -> bytes:
    return (
        "<p:ProcessRequestConfirmation"
        ' xmlns:p="urn:riv:clinicalprocess:activity:request:ProcessRequestConfirmationResponder:1"'
        ' xmlns="urn:riv:clinicalprocess:activity:request:1"><requestConfirmation>'
        f'<requestId extension="{number}"/><requestConfirmationId extension="{unit}#B-{number.partition("#")[2]}"/>'
        '<typeOfRequestConfirmation code="BEK"/><requestVersionNumber>1</requestVersionNumber>'
        f'<requestConfirmationTime value="{riv(at)}"/>'
        f'<patient><personId extension="{person.number}" root="1.2.752.129.2.1.3.1"/></patient>'
        f'<confirmingOrganisation><careUnitId extension="{unit}"/><careUnitName>Mottagningen</careUnitName>'
        "</confirmingOrganisation><author><healthcareProfessionalOrganisation>"
        f'<careUnitId extension="{unit}"/></healthcareProfessionalOrganisation></author>'
        f'<recipient><organisation><careUnitId extension="{centre}"/></organisation></recipient>'
        "</requestConfirmation></p:ProcessRequestConfirmation>"
    ).encode()


def _subject(person: Person) -> dict[str, Any]:
    number = {"system": "http://electronichealth.se/identifier/personnummer", "value": person.number}
    return {"type": "Patient", "identifier": number}


def _unit(unit: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": unit}}


def _visit(
    id: str, value: str, person: Person, unit: str, start: datetime, end: datetime | None, status: str
) -> dict[str, Any]:
    period = {"start": f"{iso(start)}+01:00"} | ({"end": f"{iso(end)}+01:00"} if end else {})
    return {
        "resourceType": "Encounter",
        "id": id,
        "identifier": [{"system": "https://region.example/sid/contact", "value": value}],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": _subject(person),
        "period": period,
        "serviceProvider": _unit(unit),
    }


def _home_visit(id: str, value: str, person: Person, unit: str, start: datetime) -> dict[str, Any]:
    coding = {"system": "https://samverka.example/fhir/CodeSystem/task", "code": "home-visit"}
    end = start + timedelta(minutes=25)
    return {
        "resourceType": "Task",
        "id": id,
        "identifier": [{"system": "https://region.example/sid/visit", "value": value}],
        "status": "completed",
        "intent": "order",
        "code": {"coding": [coding]},
        "description": "Hembesök",
        "for": _subject(person),
        "owner": _unit(unit),
        "executionPeriod": {"start": f"{iso(start)}+01:00", "end": f"{iso(end)}+01:00"},
    }


def _service_request(id: str, system: str, value: str, person: Person, unit: str, at: datetime) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": id,
        "identifier": [{"system": system, "value": value}],
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": "urn:oid:1.2.752.129.2.2.2.24", "code": "4"}]},
        "subject": _subject(person),
        "performer": [_unit(unit)],
        "authoredOn": f"{iso(at)}+01:00",
    }
