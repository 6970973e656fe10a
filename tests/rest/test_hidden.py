"""Not a bit of what a caller may not see reaches him, by any path.

Two worlds: in one there is more, all of it hidden from the caller. He gets the same answers in both, to whatever he
asks. What is hidden holds the word SECRET, which never stands in an answer either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.coordination.statements import Origin, make
from gateway.identity.resolve import Key
from gateway.records import Resource, Statement
from gateway.settings import Settings
from gateway.store import UnitOfWork

HSA = "urn:oid:1.2.752.29.4.19"
PNR = "http://electronichealth.se/identifier/personnummer"
WITHHELD = {"system": "https://samverka.example/fhir/CodeSystem/security-label", "code": "own-provider-only"}
NURSES, MUNICIPALITY = "SE2120001348-T0100", "SE2120001348-T0000"
WARD, REGION = "SE2321000131-T0110", "SE2321000131-T0000"
CLINIC = "SE5599990008-T0000"
CALLERS = {
    "with a part": Caller("organisation", NURSES, "Nurses", MUNICIPALITY),
    "without a part": Caller("organisation", "SE2321000081-T0100", "Stranger", "SE2321000081-T0000"),
}
SOURCES = "".join(
    f'[source.{id}]\npackage = "fhir-r4"\nname = "{name}"\nhsa_id = "{controller[:-4]}9001"\n'
    f'controller = "{controller}"\n'
    for id, name, controller in (
        ("tanum", "Tanum", MUNICIPALITY),
        ("region", "Region", REGION),
        ("clinic", "SECRET clinic", CLINIC),
    )
)
START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


def organisation(id: str, hsa_id: str, name: str) -> Resource:
    return {"resourceType": "Organization", "id": id, "identifier": [{"system": HSA, "value": hsa_id}], "name": name}


def patient(id: str, number: str, name: str) -> Resource:
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": PNR, "value": number}],
        "name": [{"text": name}],
        "managingOrganization": unit(NURSES) if id == "p" else unit(WARD),
    }


def task(id: str, person: str, owner: str, text: str) -> Resource:
    return {
        "resourceType": "Task",
        "id": id,
        "identifier": [{"system": "urn:test:task", "value": id}],
        "status": "accepted",
        "intent": "order",
        "description": text,
        "for": {"reference": f"Patient/{person}"},
        "owner": unit(owner),
        "requester": unit(owner),
        "authoredOn": "2026-03-01",
    }


def contact(id: str, person: str, provider: str, text: str, *labels: dict[str, str]) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": id,
        "meta": {"security": list(labels)},
        "identifier": [{"system": "urn:test:contact", "value": id}],
        "status": "in-progress",
        "class": {"code": "IMP", "display": text},
        "subject": {"reference": f"Patient/{person}"},
        "serviceProvider": unit(provider),
        "reasonCode": [{"text": text}],
    } | ({} if labels else {"meta": {"tag": [{"system": "urn:test", "code": "open"}]}})


def hidden_list(id: str, person: str, *named: str) -> Resource:
    """A list about one person, which names what is visible too."""
    kinds = {"t": "Task", "c": "Encounter", "p": "Patient"}
    return {
        "resourceType": "List",
        "id": id,
        "identifier": [{"system": "urn:test:list", "value": id}],
        "status": "current",
        "mode": "working",
        "title": "SECRET list",
        "subject": {"reference": f"Patient/{person}"},
        "entry": [{"item": {"reference": f"{kinds[one[0]]}/{one}"}} for one in named],
    }


class World:
    """A gateway, and what its sources have stated one hour after the other."""

    def __init__(self, folder: Path, database_url: str) -> None:
        (folder / "sources.toml").write_text(SOURCES, encoding="utf-8")
        settings = Settings(
            database_url=database_url, sources=folder / "sources.toml", now=START + timedelta(days=9), worker=False
        )
        self.gateway: Gateway = wire(settings)
        self._hours = 0

    def say(self, source: str, *resources: Resource, kind: str = "assert") -> None:
        for resource in resources:
            self._hours += 1
            at = START + timedelta(hours=self._hours)
            controller = {"tanum": MUNICIPALITY, "region": REGION, "clinic": CLINIC}[source]
            person = resource["id"] if resource["resourceType"] == "Patient" else None
            for element in ("for", "subject"):
                person = resource.get(element, {}).get("reference", "").partition("/")[2] or person
            said = make(
                body=resource,
                origin=Origin(source),
                record_key=f"{resource['resourceType']}/{resource['id']}",
                person=person,
                effective=at,
                recorded=at,
                party=controller,
                provider=controller,
                kind=kind,  # type: ignore[arg-type]
            )
            keys = {
                (resource["resourceType"], one["system"], one["value"]): resource["id"]
                for one in resource.get("identifier", ())
            }
            self.gateway.store.write(partial(self._record, said, keys), now=at)

    def _record(self, said: Statement, keys: dict[Key, str], uow: UnitOfWork) -> None:
        self.gateway.ingest.recorder.record(uow, [said], identifiers=keys)

    def open(self) -> None:
        """What everybody may see who takes part in the care of p."""
        self.say(
            "tanum",
            organisation("nurses", NURSES, "Nurses"),
            organisation("ward", WARD, "Ward"),
            organisation("clinic", CLINIC, "A clinic"),
            patient("p", "191212121212", "Tolvan Tolvansson"),
            task("t", "p", NURSES, "visit"),
            contact("c", "p", NURSES, "at home"),
        )

    def hide(self) -> None:
        """What the nurses may not see: another person, and what is withheld of p."""
        self.say(
            "region",
            patient("q", "195009072553", "SECRET person"),
            task("tq", "q", WARD, "SECRET task"),
            contact("cq", "q", WARD, "SECRET stay"),
        )
        self.say(
            "clinic", contact("cw", "p", CLINIC, "SECRET contact", WITHHELD), hidden_list("lq", "q", "tq", "cw", "p")
        )

    def client(self, address: str, caller: str) -> httpx.Client:
        token = self.gateway.identities.token(CALLERS[caller])
        return httpx.Client(timeout=60, base_url=address, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def more(tmp_path: Path, database_url: str) -> Iterator[World]:
    world = World(tmp_path, database_url)
    world.open()
    world.hide()
    yield world
    world.gateway.close()


@pytest.fixture
def less(tmp_path: Path, sqlite_template: Path) -> Iterator[World]:
    path = tmp_path / "less.db"
    path.write_bytes(sqlite_template.read_bytes())
    world = World(tmp_path, f"sqlite:///{path}")
    world.open()
    yield world
    world.gateway.close()


TYPES = ("Patient", "Task", "Encounter", "Organization", "Practitioner", "CarePlan", "Provenance", "List", "AuditEvent")
SEARCHES = (
    *TYPES,
    *(f"{kind}?_total=accurate&_summary=count" for kind in TYPES),
    *(f"{kind}?_sort=-_lastUpdated&_count=1" for kind in TYPES),
    "Patient?identifier=195009072553",
    "Patient?name=secret",
    "Patient?_id=q",
    "Patient?_has:Task:patient:status=accepted",
    "Patient?_has:Encounter:patient:class=IMP&_revinclude=Encounter:patient",
    "Patient?_revinclude=Task:patient&_revinclude:iterate=Encounter:patient&_include=Patient:organization",
    "Patient?organization.name=ward",
    "Task?patient.identifier=195009072553",
    "Task?patient.name=secret",
    "Task?patient:Patient.name=tolvan&_include=Task:owner&_revinclude:iterate=Encounter:service-provider",
    "Task?owner.name=ward&_include=Task:patient",
    "Task?_sort=owner,patient,-authored-on&_count=2",
    "Task?patient:missing=false",
    "Task?status:not=draft",
    "Encounter?class=IMP&_sort=-date",
    "Encounter?service-provider.name=clinic",
    f"Encounter?service-provider:identifier={HSA}|{CLINIC}",
    "Encounter?_security=own-provider-only",
    "Encounter?_security:not=own-provider-only",
    "Encounter?patient._has:Encounter:patient:_security=own-provider-only",
    "Organization?_revinclude=Task:owner&_include:iterate=Task:patient",
    "Organization?_revinclude=Task:requester&_revinclude=Encounter:service-provider&_revinclude=Patient:organization",
    "Organization?_has:Task:owner:patient.identifier=195009072553",
    "Organization?_has:Task:owner:status=accepted",
    "Organization?_has:Encounter:service-provider:class=IMP",
    "Organization?_has:Patient:organization:identifier=195009072553",
    "Organization?_has:Encounter:service-provider:_security=own-provider-only",
    "?_type=Patient,Task,Encounter&_sort=-_lastUpdated",
    "?_type=Task,Encounter&patient.identifier=195009072553",
    "?_id=q,tq,cq,cw,p",
    "?_security=own-provider-only",
    "?_list=lq",
    "Patient?_list=lq",
    "Task?_list=lq&_include=*",
    "Task?patient._list=lq",
    "Patient?_include=*&_revinclude=*&_include:iterate=*&_revinclude:iterate=*",
    "Organization?_revinclude=*&_revinclude:iterate=*",
    "Encounter?_revinclude=List:*",
    *(
        f"{within}/{kind}"
        for within in ("Patient/p", "Patient/q", "Encounter/cq", "Encounter/cw")
        for kind in ("*", "Encounter")
    ),
    "Patient?_filter=identifier eq 195009072553",
    "Patient?_filter=_has:Task:patient:status eq accepted and not (_id eq p)",
    "Task?_filter=not (patient.name co tolvan)",
    "Task?_filter=patient:Patient[identifier eq 195009072553].name pr true or status eq draft",
    "Organization?_filter=_has:Encounter:service-provider:_security eq own-provider-only",
    "Encounter?_filter=_security eq own-provider-only or _id eq cw",
    "Patient/q/Task?_summary=count",
    "Patient/p/*?_sort=-_lastUpdated&_count=1",
)
READS = tuple(
    chain.from_iterable(
        (f"{one}", f"{one}/_history", f"{one}/_history/none")
        for one in ("Patient/p", "Patient/q", "Task/t", "Task/tq", "Encounter/c", "Encounter/cq", "Encounter/cw")
    )
)
GRAPHS = (("", "all"), ("Patient/p/", "p"), ("Patient/q/", "p"), ("Encounter/c/", "c"), ("Encounter/cw/", "c"))
GRAPH = {
    "all": "{PatientList{id name{text} TaskList(_reference:patient){id owner{resource(optional:true){id}}}}"
    ' Patient(id:"q"){id} Encounter(id:"cw"){id} EncounterConnection(_sort:"-date"){count edges{resource{id}}}'
    " OrganizationList{id TaskList(_reference:owner){description}}}",
    "p": "{id EncounterList(_reference:patient){id reasonCode{text}} TaskConnection(_reference:patient){count}}",
    "c": "{id subject{resource{id ...on Patient{EncounterList(_reference:patient){id}}}}}",
}
"""Queries that go from what may be seen to what may not."""
OPERATIONS = (
    *(f"Patient/{id}/$everything" for id in "pq"),
    *(f"Encounter/{id}/$everything" for id in ("c", "cq", "cw")),
    "Patient/$everything",
    "Patient/$everything?_count=1",
    "Patient/p/$everything?_type=Organization,Provenance",
    "Patient/$ihe-pix?sourceIdentifier=urn:none|1",
    *(f"Patient/$ihe-pix?sourceIdentifier={PNR}|{pnr}" for pnr in ("191212121212", "195009072553")),
    *(f"Observation/$lastn?patient={id}&category=vital-signs" for id in "pq"),
    *(f"{within}$graphql?query={GRAPH[kind]}" for within, kind in GRAPHS),
    *(f"{within}$meta" for within in ("", "Encounter/", "Encounter/c/", "Encounter/cw/", "Patient/q/")),
)
PATHS = (
    *(f"/fhir{'' if search.startswith('?') else '/'}{search}" for search in SEARCHES),
    *(f"/fhir/{read}" for read in READS),
    *(f"/fhir/{operation}" for operation in OPERATIONS),
    *(f"/fhir/Patient/{id}/$who-does-what{at}" for id in "pq" for at in ("", "?at=2026-03-02", "?since=2026-01-01")),
    *("/", "/patient/p", "/patient/q", "/inbox", "/inbox/none", "/ingest/clinic/none", "/ingest/none/none"),
)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """All that an answer tells, but for what differs between any two of the same kind."""
    text = re.sub(r'"(versionId|lastUpdated|url)":"[^"]*"|W/\\?"\w+\\?"|versions?/\w{16}|[0-9a-f]{64}', "", answer.text)
    return answer.status_code, re.sub(r"http://127\.0\.0\.1:\d+", "", text), answer.headers.get("content-type", "")


@pytest.mark.parametrize("caller", CALLERS)
def test_what_is_hidden_changes_no_answer(more: World, less: World, caller: str) -> None:
    with (
        background(more.gateway) as there,
        background(less.gateway) as here,
        more.client(there, caller) as asks,
        less.client(here, caller) as asks_less,
    ):
        for path in PATHS:
            answer = asks.get(path)
            assert "SECRET" not in answer.text.replace("SECRET clinic", ""), path
            assert told(answer) == told(asks_less.get(path)), path


@pytest.mark.parametrize("caller", CALLERS)
def test_a_write_tells_nothing_of_what_is_hidden(more: World, less: World, caller: str) -> None:
    def write(world: World, address: str) -> Iterator[tuple[int, str, str]]:
        with world.client(address, caller) as client:
            for id, kind in (("tq", "Task"), ("cq", "Encounter"), ("cw", "Encounter"), ("q", "Patient")):
                for version in ({}, {"if-match": 'W/"none"'}):
                    yield told(client.delete(f"/fhir/{kind}/{id}", headers=version))
            # Whoever may write nothing of a person is told so, whether the id is taken or not.
            for resource in (
                task("tq", "q", WARD, "x"),
                contact("cw", "q", WARD, "x"),
                patient("q", "195009072553", "x"),
            ):
                yield told(client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource))

    with background(more.gateway) as there, background(less.gateway) as here:
        assert list(write(more, there)) == list(write(less, here))


def test_a_version_that_was_withheld_is_not_in_the_history(more: World) -> None:
    more.say("clinic", contact("cw", "p", CLINIC, "open from now on"))
    with background(more.gateway) as address, more.client(address, "with a part") as client:
        assert client.get("/fhir/Encounter/cw").status_code == 200
        history = client.get("/fhir/Encounter/cw/_history")
        assert (history.json()["total"], "SECRET" in history.text) == (1, False)


def test_a_version_about_another_person_is_not_in_the_history(more: World) -> None:
    more.say("region", task("tq", "p", WARD, "it was about p"))
    with background(more.gateway) as address, more.client(address, "with a part") as client:
        assert client.get("/fhir/Task/tq").status_code == 200
        history = client.get("/fhir/Task/tq/_history")
        assert (history.json()["total"], "SECRET" in history.text) == (1, False)


def test_what_was_withheld_is_unknown_once_it_is_deleted_too(more: World) -> None:
    more.say("clinic", contact("cw", "p", CLINIC, "SECRET contact", WITHHELD), kind="withdraw")
    with background(more.gateway) as address, more.client(address, "with a part") as client:
        assert client.get("/fhir/Encounter/cw").status_code == 404
        assert client.get("/fhir/Encounter/cw/_history").status_code == 404


def test_saying_the_same_thing_does_not_open_what_another_withholds(more: World) -> None:
    more.say("tanum", contact("cw", "p", NURSES, "the same contact"))
    with background(more.gateway) as address, more.client(address, "with a part") as client:
        for path in ("Encounter/cw", "Encounter/cw/_history", "Encounter", "Patient?_revinclude=Encounter:patient"):
            assert "SECRET" not in client.get(f"/fhir/{path}").text
        answer = client.get("/fhir/Patient/p/$who-does-what").text
        assert "SECRET" not in answer and "the same contact" in answer
