"""What a unit has open when it closes is its heir's from the day after: by searches, worklists and rules alike.

The clock is set, and the watch goes when a test says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.access import watching
from gateway.access.caller import Caller
from gateway.access.watching import Place
from gateway.app import Gateway, background, wire
from gateway.coordination.due import TICK
from gateway.coordination.heirs import PASSED_ON
from gateway.identity.systems import HSA_ID
from gateway.ingest.rebuild import rebuild
from gateway.settings import Settings
from gateway.store import UnitOfWork
from tests.conftest import emptied
from tests.rest.parties import (
    CLINIC,
    WARD,
    created,
    fresh,
    moved,
    person,
    plan,
    put,
    read,
    refusal,
    task,
    unit,
    within,
)

BEGIN = datetime(2026, 3, 10, 8, tzinfo=UTC)
FHIR = {"content-type": "application/fhir+json"}
PERIOD = "http://hl7.org/fhir/StructureDefinition/organization-period"
REPLACED_BY = "https://samverka.example/fhir/StructureDefinition/replaced-by"
LAST = "2026-03-12"
"""The last day of home health care."""
DAY_AFTER = datetime(2026, 3, 12, 23, tzinfo=UTC) + TICK
Body = dict[str, Any]


@dataclass
class Here:
    """A gateway with a clock that is set, and its parties."""

    installed: Installed
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    nurses: str = field(default_factory=lambda: fresh("SE2120001348-N"))
    """Home health care, which closes."""
    heir: str = field(default_factory=lambda: fresh("SE2120001348-H"))
    other: str = field(default_factory=lambda: fresh("SE2120001348-O"))

    @property
    def gateway(self) -> Gateway:
        return self.installed.gateway

    def task(self, patient: str, **elements: Any) -> Body:
        """What the ward asks home health care for, unless it is said otherwise."""
        return task(patient, **{"owner": unit(self.nurses)} | elements)

    @property
    def operator(self) -> httpx.Client:
        return self.clients.setdefault("", httpx.Client(base_url=self.installed.base, headers=FHIR, timeout=60))

    def party(self, hsa_id: str) -> httpx.Client:
        if hsa_id not in self.clients:
            token = self.gateway.identities.token(Caller("organisation", hsa_id, hsa_id, hsa_id))
            headers = FHIR | {"authorization": f"Bearer {token}"}
            self.clients[hsa_id] = httpx.Client(base_url=self.installed.base, headers=headers, timeout=60)
        return self.clients[hsa_id]

    def unit(self, hsa_id: str, last: str | None = None, heir: str | None = None) -> None:
        """What the directory says of a unit from now on."""
        told: list[Body] = [{"url": PERIOD, "valuePeriod": {"start": "2020-01-01"} | ({"end": last} if last else {})}]
        told += [{"url": REPLACED_BY, "valueReference": unit(heir)}] if heir else []
        body = {"resourceType": "Organization", "id": hsa_id, "name": f"Enheten {hsa_id}", "extension": told}
        body["identifier"] = [{"system": HSA_ID, "value": hsa_id}]
        answer = self.operator.put(f"/fhir/Organization/{hsa_id}", json=body)
        assert answer.is_success, answer.text

    def at(self, moment: datetime) -> None:
        """It is that time, and the watch has done what there was to do."""
        self.installed.clock[0] = moment
        self.watch()

    def watch(self) -> int:
        """What the watch does in its second; the number of steps."""
        for steps in range(1, 100):
            self.step()
            again = self.gateway.store.read(
                lambda uow: self.gateway.door.watch_again(uow, self.installed.place, self.installed.clock[0])
            )
            if again is None or again > self.installed.clock[0]:
                return steps
        raise AssertionError("The watch comes to no end.")

    def step(self, *, fails: bool = False) -> int:
        """One step of it; at how many was looked."""
        self.gateway.store.number_changes()
        looked = self.gateway.store.read(lambda uow: self.gateway.door.watch(uow, self.installed.place))

        def keep(uow: UnitOfWork) -> None:
            self.gateway.door.keep_watched(uow, looked)
            if fails:
                raise InterruptedError

        self.gateway.store.write(keep, now=looked.now)
        self.installed.place = looked.place
        return looked.looked

    def owned(self, hsa_id: str) -> set[str]:
        """The Tasks that a search for this owner finds."""
        found = self.operator.get(
            "/fhir/Task", params={"owner:identifier": f"{HSA_ID}|{hsa_id}", "_count": "200"}
        ).json()
        return {one["resource"]["id"] for one in found.get("entry", ())}

    def waits(self, hsa_id: str) -> dict[str, str]:
        """What waits for a unit: Tasks, with why."""
        answer = self.party(hsa_id).get(f"/fhir/Organization/{hsa_id}/$worklist")
        assert answer.status_code == 200, answer.text
        lists = [one["resource"] for one in answer.json()["entry"] if one["resource"]["resourceType"] == "List"]
        waits = next(one for one in lists if one["code"]["coding"][0]["code"] == "waits")
        return {
            one["item"]["reference"].rpartition("/")[2]: one["flag"]["coding"][0]["code"]
            for one in waits.get("entry", ())
        }

    def steps(self, hsa_id: str, one: Body) -> set[str]:
        answer = self.party(hsa_id).get(f"/fhir/Task/{one['id']}/$next-steps")
        assert answer.status_code == 200, answer.text
        told = [part["part"] for part in answer.json()["parameter"] if part["name"] == "step"]
        return {value["valueCode"] for part in told for value in part if value["name"] == "status"}

    def differs(self) -> list[str]:
        return rebuild(self.gateway.store, self.gateway.ingest.recorder, lambda done, total: None).different


@dataclass
class Installed:
    """A gateway for all tests, each of which has units of its own."""

    gateway: Gateway
    base: str
    clock: list[datetime]
    place: Place = field(default_factory=Place)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("heirs") / "heirs.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        url = emptied(request.getfixturevalue("postgres_database"))
    clock = [BEGIN]
    gateway = wire(Settings(database_url=url, watch_gaps=False), lambda: clock[0])
    with background(gateway) as base:
        yield Installed(gateway, base, clock)
    gateway.close()


@pytest.fixture
def here(installed: Installed) -> Iterator[Here]:
    installed.clock[0] = BEGIN
    made = Here(installed)
    for hsa_id in (WARD, CLINIC, made.nurses, made.heir, made.other):
        made.unit(hsa_id)
    yield made
    made.watch()
    for client in made.clients.values():
        client.close()


def owner(one: Body) -> str:
    return str(one["owner"]["identifier"]["value"])


def passed_on(one: Body) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """From whom, to whom, since when, in which elements, as the Task tells."""
    found = []
    for extension in (e for e in one.get("extension", ()) if e["url"] == PASSED_ON):
        parts = {part["url"]: part for part in extension["extension"]}
        elements = tuple(part["valueCode"] for part in extension["extension"] if part["url"] == "element")
        units = [parts[name]["valueReference"]["identifier"]["value"] for name in ("closed", "heir")]
        found.append((units[0], units[1], parts["since"]["valueDateTime"], elements))
    return found


def test_the_heir_has_what_was_open_from_the_day_after_and_the_closed_unit_has_it_no_longer(here: Here) -> None:
    ward, nurses = here.party(WARD), here.party(here.nurses)
    patient = person(here.operator)
    of = created(here.operator, plan(patient))
    one = created(ward, here.task(patient, **within(of)))
    moved(nurses, one, "accepted")
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER - 2 * TICK)
    assert owner(read(ward, one)) == here.nurses, "Its last day counts."
    assert here.party(here.heir).get(f"/fhir/Task/{one['id']}").status_code == 404

    here.at(DAY_AFTER)
    now = read(ward, one)
    assert (owner(now), now["status"]) == (here.heir, "accepted")
    assert passed_on(now) == [(here.nurses, here.heir, "2026-03-13T00:00:00+01:00", ("owner",))]
    assert (here.owned(here.heir), here.owned(here.nurses)) == ({one["id"]}, set())
    assert (here.waits(here.heir), here.waits(here.nurses)) == ({one["id"]: "carry-out"}, {})
    assert {"in-progress", "rejected"} <= here.steps(here.heir, one)
    assert here.steps(here.nurses, one) == set()
    refusal(put(nurses, one, status="in-progress"), 403)
    team = read(ward, {"resourceType": "CareTeam", "id": of["id"]})
    periods = {
        p["member"]["identifier"]["value"]: p["period"] for p in team["participant"] if "identifier" in p["member"]
    }
    assert periods[here.nurses]["end"] == periods[here.heir]["start"] == "2026-03-13T00:00:00+01:00"
    assert "end" not in periods[here.heir]

    moved(here.party(here.heir), one, "in-progress")
    report = [{"type": {"text": "Rapport"}, "valueString": "Klart"}]
    done = moved(here.party(here.heir), one, "completed", output=report)
    assert owner(done) == here.heir
    versions = ward.get(f"/fhir/Task/{one['id']}/_history").json()["entry"]
    assert [owner(entry["resource"]) for entry in versions] == [
        here.heir,
        here.heir,
        here.heir,
        here.nurses,
        here.nurses,
    ]
    assert here.differs() == []


def test_what_was_asked_of_it_is_answered_by_the_heir(here: Here) -> None:
    ward, heir = here.party(WARD), here.party(here.heir)
    taken, declined = (created(ward, here.task(person(here.operator))) for _ in range(2))
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    assert here.waits(here.heir) == {taken["id"]: "answer", declined["id"]: "answer"}
    assert owner(moved(heir, taken, "accepted")) == here.heir
    assert owner(moved(heir, declined, "rejected", statusReason={"text": "Fullt"})) == here.heir
    assert here.differs() == []


def test_what_it_had_asked_for_is_the_heirs_to_follow(here: Here) -> None:
    nurses, clinic = here.party(here.nurses), here.party(CLINIC)
    asked = created(nurses, here.task(person(here.operator), requester=unit(here.nurses), owner=unit(CLINIC)))
    over = created(nurses, here.task(person(here.operator), requester=unit(here.nurses), owner=unit(CLINIC)))
    moved(nurses, over, "cancelled", statusReason={"text": "Behövs inte"})
    moved(clinic, asked, "accepted")
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    now = read(clinic, asked)
    assert (now["requester"]["identifier"]["value"], owner(now)) == (here.heir, CLINIC)
    assert passed_on(now)[0][3] == ("requester",)
    assert "cancelled" in here.steps(here.heir, asked)
    assert "cancelled" not in here.steps(here.nurses, asked)
    ended = read(clinic, over)
    assert (ended["requester"]["identifier"]["value"], passed_on(ended)) == (here.nurses, [])
    assert here.party(here.heir).get(f"/fhir/Task/{over['id']}").status_code == 404, "What is over passes to nobody."
    moved(here.party(here.heir), asked, "cancelled", statusReason={"text": "Behövs inte"})


def test_the_heir_may_take_what_was_open_to_it(here: Here) -> None:
    recipients = {"recipient": [unit(here.nurses), unit(CLINIC)]}
    one = created(here.party(WARD), here.task(person(here.operator), owner=None, restriction=recipients))
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    assert here.waits(here.heir) == {one["id"]: "claim"}
    assert owner(moved(here.party(here.heir), one, "accepted", owner=unit(here.heir))) == here.heir


def test_an_heir_who_closes_leaves_it_to_his_own(here: Here) -> None:
    one = created(here.party(WARD), here.task(person(here.operator)))
    moved(here.party(here.nurses), one, "accepted")
    here.unit(here.nurses, LAST, here.heir)
    here.unit(here.heir, "2026-03-20", here.other)
    here.at(DAY_AFTER)
    assert owner(read(here.operator, one)) == here.heir
    here.at(DAY_AFTER + timedelta(days=8))
    now = read(here.operator, one)
    assert owner(now) == here.other
    assert [each[:2] for each in passed_on(now)] == [(here.nurses, here.heir), (here.heir, here.other)]
    assert here.waits(here.other) == {one["id"]: "carry-out"}
    moved(here.party(here.other), one, "in-progress")
    assert here.differs() == []


def test_what_an_heir_of_an_heir_has_moved_stays_his_whichever_closing_is_withdrawn(here: Here) -> None:
    ward = here.party(WARD)
    left, taken = (created(ward, here.task(person(here.operator))) for _ in range(2))
    here.unit(here.nurses, LAST, here.heir)
    here.unit(here.heir, LAST, here.other)
    here.at(DAY_AFTER)
    moved(here.party(here.other), taken, "accepted")
    here.unit(here.heir)
    here.at(DAY_AFTER + timedelta(days=1))
    assert owner(read(ward, taken)) == here.other, "The first heir never said yes."
    assert owner(read(ward, left)) == here.heir
    here.unit(here.nurses)
    here.at(DAY_AFTER + timedelta(days=2))
    assert owner(read(ward, taken)) == here.other
    assert owner(read(ward, left)) == here.nurses
    assert here.differs() == []


def test_a_closing_that_is_withdrawn_gives_back_what_nobody_has_moved(here: Here) -> None:
    ward = here.party(WARD)
    left, taken = (created(ward, here.task(person(here.operator))) for _ in range(2))
    before = {name: value for name, value in read(ward, left).items() if name != "meta"}
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    moved(here.party(here.heir), taken, "accepted")
    noted = put(ward, left, note=[{"text": "Ring dottern"}])
    assert noted.status_code == 200, noted.text
    here.unit(here.nurses)
    here.at(DAY_AFTER + timedelta(days=1))
    again = read(ward, left)
    assert (owner(again), passed_on(again), again["note"]) == (here.nurses, [], [{"text": "Ring dottern"}])
    assert again["extension"] == before["extension"]
    assert "contradicted" not in str(again["meta"])
    assert owner(read(ward, taken)) == here.heir, "What was decided by the rules stays."
    moved(here.party(here.nurses), left, "accepted")
    assert here.differs() == []


def test_another_heir_has_it_when_the_directory_is_put_right(here: Here) -> None:
    one = created(here.party(WARD), here.task(person(here.operator)))
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    here.unit(here.nurses, LAST, here.other)
    here.at(DAY_AFTER + timedelta(days=1))
    now = read(here.operator, one)
    assert passed_on(now) == [(here.nurses, here.other, "2026-03-13T00:00:00+01:00", ("owner",))]
    assert (owner(now), here.waits(here.heir)) == (here.other, {})
    here.unit(here.nurses, "2026-03-15", here.other)
    here.at(DAY_AFTER + timedelta(days=2))
    assert owner(read(here.operator, one)) == here.nurses, "It closes later than was told."
    here.at(DAY_AFTER + timedelta(days=3))
    assert passed_on(read(here.operator, one))[0][2] == "2026-03-16T00:00:00+01:00"


@pytest.mark.parametrize("heir", [None, "unknown", "itself"])
def test_without_an_heir_whom_somebody_knows_it_stays_and_is_a_gap_with_a_name(here: Here, heir: str | None) -> None:
    named = here.nurses if heir == "itself" else heir
    patient = person(here.operator)
    one = created(here.party(WARD), here.task(patient))
    moved(here.party(here.nurses), one, "accepted")
    here.unit(here.nurses, LAST, named)
    here.at(DAY_AFTER)
    assert (owner(read(here.operator, one)), passed_on(read(here.operator, one))) == (here.nurses, [])
    raised = here.operator.get("/fhir/DetectedIssue", params={"patient": patient}).json()["entry"]
    (gap,) = [e["resource"] for e in raised if e["resource"]["code"]["coding"][0]["code"] == "owner-left"]
    assert here.nurses in gap["detail"] and WARD in str(gap["extension"])


def test_what_is_about_nobody_passes_on_too(here: Here) -> None:
    one = created(
        here.operator, {"resourceType": "Task", "status": "requested", "intent": "order", "owner": unit(here.nurses)}
    )
    here.watch()
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    assert owner(read(here.operator, one)) == here.heir
    here.unit(here.nurses)
    here.at(DAY_AFTER + timedelta(seconds=1))
    assert owner(read(here.operator, one)) == here.nurses


def test_many_are_done_in_steps_of_a_few_and_a_step_that_fails_is_done_again(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PASSING", 3)
    ward = here.party(WARD)
    ids = {created(ward, here.task(person(here.operator)))["id"] for _ in range(8)}
    here.watch()
    here.unit(here.nurses, LAST, here.heir)
    here.watch()
    here.installed.clock[0] = DAY_AFTER
    here.step()
    assert len(here.owned(here.heir)) == 3
    with pytest.raises(InterruptedError):
        here.step(fails=True)
    assert len(here.owned(here.heir)) == 3, "Nothing of a step that was broken off."
    here.watch()
    assert (here.owned(here.heir), here.owned(here.nurses)) == (ids, set())
    assert here.differs() == []


def test_what_passed_on_is_not_handed_over_to_the_unit_it_came_from_but_the_operator_gives_it_back(here: Here) -> None:
    heir = here.party(here.heir)
    one = created(here.party(WARD), here.task(person(here.operator)))
    here.unit(here.nurses, LAST, here.heir)
    here.at(DAY_AFTER)
    moved(heir, one, "accepted")
    here.unit(here.nurses)  # It is open again, and the heir has moved the Task: that stays.
    here.at(DAY_AFTER + timedelta(days=1))
    sent = {"resourceType": "Parameters", "parameter": [{"name": "arriving", "valueReference": unit(here.nurses)}]}
    answer = heir.post(f"/fhir/Task/{one['id']}/$handover", json=sent)
    assert refusal(answer, 422)["rule"] == "task-handover-to-who-passed-it-on"
    assert owner(read(heir, one)) == here.heir

    given = read(here.operator, one) | {"owner": unit(here.nurses)}
    assert here.operator.put(f"/fhir/Task/{one['id']}", json=given).status_code == 200
    here.watch()
    assert owner(read(here.operator, one)) == here.nurses
    assert here.differs() == []


def test_a_hand_over_between_two_that_have_become_one_can_only_be_ended(here: Here) -> None:
    nurses, heir = here.party(here.nurses), here.party(here.heir)
    one = created(here.party(WARD), here.task(person(here.operator)))
    moved(nurses, one, "accepted")
    sent = {"resourceType": "Parameters", "parameter": [{"name": "arriving", "valueReference": unit(here.other)}]}
    offered = nurses.post(f"/fhir/Task/{one['id']}/$handover", json=sent)
    assert offered.status_code == 200, offered.text
    here.unit(here.nurses, LAST, here.heir)
    here.unit(here.other, LAST, here.heir)
    here.at(DAY_AFTER)
    assert {owner(read(heir, offered.json())), owner(read(heir, one))} == {here.heir}

    def answer(code: str) -> httpx.Response:
        parts: list[Body] = [{"name": "answer", "valueCode": code}]
        parts += [{"name": "reason", "valueCodeableConcept": {"text": "En enhet nu"}}] if code != "accept" else []
        body = {"resourceType": "Parameters", "parameter": parts}
        return heir.post(f"/fhir/Task/{offered.json()['id']}/$handover", json=body)

    assert refusal(answer("accept"), 422)["rule"] == "task-handover-too-late"
    assert "accepted" not in here.steps(here.heir, offered.json())
    assert answer("decline").status_code == 200
    assert here.differs() == []
