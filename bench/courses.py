"""Seeded courses of care as their sources tell them, one message after another, many cases under way at once.

`generate.py` gives each package one kind of record, mostly the one that makes most resources, and each record is about
something new. Here a package's kinds come in the order and the numbers of practice: of a stay in hospital the planning
system sends some fourteen messages; three or four are the ward's notices to the other units, six are their answers, and
every second stay has a SIP and activities. The messages of all cases are merged by their times.
The same seed gives the same bytes.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from bench.generate import BEGIN, MUNICIPALITY, REGION, Generated, World, iso, riv

Unit = dict[str, str]
Told = tuple[datetime, bytes]
"""When a message is sent, and its bytes."""

APART = timedelta(minutes=40)
"""Between the begins of two cases: 36 a day, as the hospitals of a region admit to planning at discharge."""
WARD: Unit = {"hsaId": f"{REGION}-T0110", "name": "MÄVA, NU-sjukvården"}
RESCUE: Unit = {"hsaId": f"{REGION}-T0220", "name": "Larm och uppdrag"}
ADVICE: Unit = {"hsaId": f"{REGION}-T0230", "name": "1177 på telefon"}


class Case:
    """The messages of one case in one of our JSON formats. Times are in minutes from its begin."""

    def __init__(self, world: World, n: int) -> None:
        self.n, self.begin, self.person = n, BEGIN + n * APART, world.person()
        self.municipal: Unit = {"hsaId": world.random.choice(world.municipal), "name": "Hemsjukvården"}
        self.open_care: Unit = {"hsaId": world.unit(), "name": "Vårdcentralen"}
        self.told: list[Told] = []

    def at(self, minutes: int) -> str:
        return iso(self.begin + timedelta(minutes=minutes))

    def day(self, days: int) -> str:
        return f"{self.begin + timedelta(days=days):%Y-%m-%d}"

    def tell(self, type: str, minutes: int, sender: Unit, **more: object) -> str:
        """Send a message; its id."""
        id = f"M-{self.n}-{len(self.told) + 1}"
        born = f"{self.person[:4]}-{self.person[4:6]}-{self.person[6:8]}"
        message = {
            "type": type,
            "messageId": id,
            "time": self.at(minutes),
            "sender": sender,
            "person": {"id": self.person, "idType": "personnummer", "birthDate": born},
            **more,
        }
        body = json.dumps(message, ensure_ascii=False).encode()
        self.told.append((self.begin + timedelta(minutes=minutes), body))
        return id


DAY = 24 * 60


def stay(world: World, n: int) -> list[Told]:
    """planning-json: admitted, estimated anew, ready, called to the SIP, discharged, and what each unit answers."""
    case = Case(world, n)
    municipal, open_care = case.municipal, case.open_care
    of = {"id": f"S-{n}", "system": f"{REGION}-T9001", "admitted": case.at(0)}
    recipients = [{"unit": municipal, "role": "municipal-care"}, {"unit": open_care, "role": "open-care"}]

    def answered(id: str, type: str, minutes: int, *units: Unit) -> None:
        for place, unit in enumerate(units):
            case.tell(
                "acknowledgement",
                minutes + 35 * place,
                unit,
                of={"messageId": id, "type": type},
                requester=WARD,
                acknowledgement="received" if type == "admission-notice" else "done",
            )

    notice = case.tell("admission-notice", 120, WARD, stay=of, estimatedDischarge=case.day(6), recipients=recipients)
    answered(notice, "admission-notice", 160, municipal, open_care)
    contact = {"hsaId": f"{REGION}-T5021", "name": "Karin Vårdström", "role": "Distriktssköterska"}
    case.tell("contact-appointed", DAY + 90, open_care, stay=of, requester=WARD, contact=contact)
    if n % 2:
        estimate = {"estimatedDischarge": case.day(8), "contactAppointed": True}
        case.tell("new-estimate", 3 * DAY, WARD, stay=of, recipients=recipients, **estimate)
    ready = case.tell("discharge-ready", 5 * DAY, WARD, stay=of, recipients=recipients)
    answered(ready, "discharge-ready", 5 * DAY + 60, municipal, open_care)
    meeting = {"start": case.at(6 * DAY), "end": case.at(6 * DAY + 60), "place": "Videomöte"}
    called = {"meeting": meeting, "invited": [municipal]}
    call = case.tell("sip-call", 5 * DAY + 180, open_care, stay=of, requester=WARD, **called)
    if n % 2 == 0:
        _sip(case, of, call)
    moved = case.tell(
        "information-transfer",
        7 * DAY,
        WARD,
        stay=of,
        discharged=case.at(7 * DAY + 45),
        recipients=recipients,
        information="Ny dos furosemid",
    )
    answered(moved, "information-transfer", 7 * DAY + 90, municipal, open_care)
    return case.told


def _sip(case: Case, of: dict[str, str], call: str) -> None:
    """The plan that was agreed on with two activities, of which the municipal one is accepted, begun and ended."""
    municipality = {"hsaId": f"{MUNICIPALITY}-T0000", "name": "Kommunen", "kind": "municipality"}
    region = {"hsaId": f"{REGION}-T0000", "name": "Regionen", "kind": "region"}
    plan = f"SIP-{case.n}"
    nursing = {"id": "1", "what": "Läkemedelsdelning", "legalBasis": "HSL", "accountable": municipality}
    training = {"id": "2", "what": "Gångträning", "accountable": region, "unit": case.open_care}
    case.tell(
        "sip",
        6 * DAY + 90,
        case.open_care,
        stay=of,
        call=call,
        plan={
            "id": plan,
            "title": "Samordnad individuell plan",
            "status": "active",
            "start": case.day(7),
            "followUp": case.day(40),
            "goal": "Bo kvar hemma",
        },
        consent={"given": True, "date": case.day(6)},
        overallResponsible=region,
        contact={"hsaId": f"{REGION}-T5021", "name": "Karin Vårdström"},
        participants=[case.municipal],
        activities=[
            nursing | {"unit": case.municipal, "start": case.day(7), "end": case.day(97), "answer": "asked"},
            training | {"start": case.day(8), "answer": "accepted"},
        ],
    )
    for days, status in ((7, "accepted"), (8, "started"), (30, "ended")):
        step = {"plan": plan, "activity": "1", "unit": case.municipal, "status": status, "requester": case.open_care}
        case.tell("activity-status", days * DAY + 30, case.municipal, **step)


def alarm(world: World, n: int) -> list[Told]:
    """dispatch-json: an alarm of two units, their times, a hand-over; or a mission asked for, answered and reported."""
    case = Case(world, n)
    if n % 3 == 0:
        one = {"kind": "assistance", "mission": f"AS-{n}", "performer": case.municipal}
        asked = {"requester": case.open_care} | one
        case.tell("request", 5, case.open_care, reason="Nytt sår", question="Bedöm såret", priority="routine", **one)
        case.tell("answer", 15, case.municipal, answer="received", **asked)
        case.tell("answer", 40, case.municipal, answer="accepted", **asked)
        case.tell("outcome", 300, case.municipal, disposition="handled-by-primary-care", **asked)
        return case.told
    ambulance = {"hsaId": case.open_care["hsaId"], "name": "Ambulansen"}
    units = [
        {"mission": f"IV-{n}-1", "unit": case.municipal, "role": "nurse"},
        {"mission": f"IV-{n}-2", "unit": ambulance, "role": "ambulance"},
    ]
    words = {"alarm": f"18:{n}:1", "description": "Svårt att andas", "place": "Testgatan 4", "priority": 1}
    case.tell("alarm", 1, RESCUE, units=units, **words)

    def times(mission: int, unit: Unit, sent: int, *steps: tuple[str, int]) -> None:
        said = [{"status": status, "time": case.at(minutes)} for status, minutes in steps]
        ids = {"mission": f"IV-{n}-{mission}", "need": words["alarm"], "performer": unit, "requester": RESCUE}
        case.tell("status", sent, RESCUE, kind="ivpa", times=said, **ids)

    times(1, case.municipal, 4, ("acknowledged", 3))
    times(1, case.municipal, 15, ("departed", 6), ("arrived", 14))
    times(2, ambulance, 16, ("acknowledged", 4), ("departed", 5))
    times(2, ambulance, 31, ("arrived", 29))
    times(1, case.municipal, 60, ("ended", 55))
    times(2, ambulance, 95, ("transporting", 50), ("at-hospital", 90))
    return case.told


def call(world: World, n: int) -> list[Told]:
    """advice-json: a call that ends in a mission, asked of one unit, done and reported."""
    case = Case(world, n)
    contact: dict[str, object] = {"id": f"K-{n}", "start": case.at(1)}
    case.tell("contact", 2, ADVICE, contact=contact)
    mission = {"need": f"N-{n}", "mission": f"N-{n}-1"}
    asked = {"contactId": f"K-{n}", "candidate": case.municipal, "reason": "Yrsel", "question": "Bedömning i hemmet"}
    case.tell("mission-request", 15, ADVICE, priority="routine", place="Testgatan 4", **mission, **asked)
    ended = {"end": case.at(16), "reason": "Yrsel när hon reser sig", "advice": "self-care"}
    case.tell("contact", 17, ADVICE, contact=contact | ended)

    def step(sent: int, *steps: tuple[str, int]) -> None:
        said = [{"status": status, "time": case.at(minutes)} for status, minutes in steps]
        case.tell("mission-status", sent, ADVICE, unit=case.municipal, times=said, **mission)

    step(22, ("received", 20), ("accepted", 22))
    step(62, ("en-route", 45), ("arrived", 60))
    case.tell("mission-report", 130, ADVICE, unit=case.municipal, disposition="health-centre-booked", **mission)
    return case.told


def referral(world: World, n: int) -> list[Told]:
    """rivta-request: a referral, that it is taken on, and its answer."""
    begin, person, asks, asked = BEGIN + n * APART, world.person(), world.unit(), world.unit()
    id = f'<requestId extension="{REGION}-T0400#R-{n}"/>'
    patient = f'<patient><personId extension="{person}" root="1.2.752.129.2.1.3.1"/><name>Test Person</name></patient>'

    def organisation(element: str, unit: str, within: str = "") -> str:
        inner = f'<careUnitId extension="{unit}"/>'
        return f"<{element}>{f'<{within}>{inner}</{within}>' if within else inner}</{element}>"

    def document(kind: str, element: str, body: str) -> bytes:
        namespace = "urn:riv:clinicalprocess:activity:request"
        opened = f'<r:{kind} xmlns:r="{namespace}:{kind}Responder:1" xmlns="{namespace}:1"><{element}>'
        return f"{opened}{body}</{element}></r:{kind}>".encode()

    def answer(code: str, days: int, text: str) -> Told:
        kind, name = ("Outcome", "responding") if code == "SVA" else ("Confirmation", "confirming")
        at, what = begin + timedelta(days=days), f"request{kind}"
        body = (
            f'{id}<{what}Id extension="{asked}#{code}-{n}"/><typeOfRequest{kind} code="{code}"/>'
            f'<requestVersionNumber>1</requestVersionNumber><{what}Time value="{riv(at)}"/>{patient}'
            f"{organisation(f'{name}Organisation', asked)}"
            f"{organisation('author', asked, 'healthcareProfessionalOrganisation')}"
            f"{organisation('recipient', asks, 'organisation')}<outcome><outcomeText>{text}</outcomeText></outcome>"
        )
        return at, document(f"ProcessRequest{kind}", what, body)

    sent = (
        f'{id}<typeOfRequest code="4"/><versionTimeStamp value="{riv(begin)}"/><versionNumber>1</versionNumber>'
        f'<reasonForVersion><typeOfReason code="NR"/></reasonForVersion>{patient}'
        f"{organisation('requestOrganisation', asks)}"
        f'<author><date value="{begin:%Y%m%d}"/><healthcareProfessional><id extension="{REGION}-T5001"/>'
        "<name>Stina Doktorsson</name></healthcareProfessional>"
        f"{organisation('healthcareProfessionalOrganisation', asks)}</author>"
        f"{organisation('recipient', asked, 'organisation')}"
        f"<questionFormulation><text>Bedömning {n}?</text></questionFormulation>"
    )
    return [
        (begin, document("ProcessRequest", "request", sent)),
        answer("BEK", 4, "Tid planeras inom 60 dagar"),
        answer("SVA", 30, "Bedömd, åter till vårdcentralen"),
    ]


def visit(world: World, n: int) -> list[Told]:
    """hl7v2-adt: admitted, moved within the hospital, updated and discharged."""
    begin, person, first, second = BEGIN + n * APART, world.person(), world.unit(), world.unit()
    events = (("A01", 0, first), ("A08", 1, first), ("A02", 26, second), ("A08", 40, second), ("A03", 140, second))

    def message(place: int, event: str, hours: int, unit: str) -> Told:
        at = begin + timedelta(hours=hours)
        out = f"|{riv(at)}" if event == "A03" else ""
        segments = (
            f"MSH|^~\\&|PAS|{REGION}-T9001|SAMVERKA|SAMVERKA|{riv(at)}||ADT^{event}^ADT_A01|C{n}-{place}|P|2.5.1|||||SWE"
            "|UNICODE UTF-8",
            f"EVN|{event}|{riv(at)}",
            f"PID|1||{person}^^^&1.2.752.129.2.1.3.1&ISO^PNR||Testberg^Astrid||{person[:8]}|F|||"
            "Testgatan 4^^Tanumshede^^45730^SE^L",
            f"PV1|1|I|{unit}^^12-1||||||||||||||||V-{n}|||||||||||||||||||||||||{riv(begin)}{out}",
            f"ZSE|1|{unit}|direktinläggning",
        )
        return at, "\r".join(segments).encode() + b"\r"

    return [message(place, *event) for place, event in enumerate(events)]


COURSES: dict[str, tuple[str, Callable[[World, int], list[Told]]]] = {
    "rivta-request": (".xml", referral),
    "advice-json": (".json", call),
    "dispatch-json": (".json", alarm),
    "planning-json": (".json", stay),
    "hl7v2-adt": (".hl7", visit),
}
"""By package: what its files end in, and a case. The other packages send many records a message (RIV-TA's answers,
snapshots, Bundles), and `generate.py` has theirs."""


def courses(package: str, count: int, *, seed: int = 1, persons: int = 2000) -> Iterator[Generated]:
    """The first `count` messages, by the time of sending."""
    suffix, case = COURSES[package]
    world = World(seed, persons)
    return (Generated(body, suffix, 1) for _, body in islice(_merged(world, case), count))


def _merged(world: World, case: Callable[[World, int], list[Told]]) -> Iterator[Told]:
    """Messages of all cases by their times: nothing still to come is sent before the next case begins."""
    waiting: list[tuple[datetime, int, int, bytes]] = []
    n = 0
    while True:
        for place, (at, body) in enumerate(case(world, n)):
            heapq.heappush(waiting, (at, n, place, body))
        n += 1
        while waiting and waiting[0][0] < BEGIN + n * APART:
            at, _, _, body = heapq.heappop(waiting)
            yield at, body
