"""A consent that a SIP leans on comes to an end while the plan is drawn up: by a caller, by a source, by time.

On SQLite and PostgreSQL; the clock is set, and the watch goes when a test says so. ADR 59
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.coordination.compartments import compartments
from tests.rest.parties import WARD, created, moved, read, refusal, task, unit
from tests.rest.test_heirs import BEGIN, Here, here, installed
from tests.rest.test_sips import activity, agrees, consent, now, put, sip

__all__ = ["here", "installed"]
Body = dict[str, Any]
OVER = "2026-03-12"
DAY_AFTER = datetime(2026, 3, 12, 23, 0, 1, tzinfo=UTC)
"""Swedish midnight has passed."""


@dataclass
class Draft:
    """What the ward draws up with a consent; home care takes part in the care, and is asked for one thing already."""

    here: Here
    consent: Body
    plan: Body
    unasked: Body
    asked: Body

    @classmethod
    def of(cls, here: Here, **given: Any) -> Draft:
        ward = here.party(WARD)
        patient = f"Patient/{created(here.operator, {'resourceType': 'Patient'})['id']}"
        for to in (here.nurses, here.other):
            moved(here.party(to), created(ward, task(patient, owner=unit(to))), "accepted")
        agreed = consent(patient.partition("/")[2], organization=[unit(WARD)]) | given
        plan = sip(patient.partition("/")[2], **agrees(agreed))
        unasked = activity(plan, here.nurses, requester=unit(WARD))
        asked = activity(plan, here.nurses, requester=unit(WARD), status="requested")
        for one in (agreed, plan, unasked, asked):
            assert put(ward, one).status_code == 201
        return cls(here, agreed, plan, unasked, asked)

    def seen(self, hsa_id: str) -> set[str]:
        """What a caller is told of it, by every way to ask."""
        client, person = self.here.party(hsa_id), self.plan["subject"]["reference"]
        wanted = {"plan": self.plan, "unasked": self.unasked, "asked": self.asked}
        told = client.get(f"/fhir/CarePlan/{self.plan['id']}/_history").text
        for path in (
            *(f"{one['resourceType']}/{one['id']}" for one in wanted.values()),
            f"CarePlan?patient={person}",
            f"Task?patient={person}",
            f"{person}/$everything",
            f"{person}/$who-does-what",
        ):
            told += client.get(f"/fhir/{path}").text
        return {
            name for name, one in wanted.items() if f'"resourceType":"{one["resourceType"]}","id":"{one["id"]}"' in told
        }

    def ends(self, **changed: Any) -> None:
        """The person takes it back: the ward writes it down."""
        assert put(self.here.party(WARD), now(self.here.party(WARD), self.consent), **changed).status_code == 200


ALL = {"plan", "unasked", "asked"}


@pytest.mark.parametrize(
    "changed",
    [{"status": "inactive"}, {"status": "rejected"}, {"provision": {"type": "deny"}}, {"status": "entered-in-error"}],
    ids=["inactive", "rejected", "denies", "written by mistake"],
)
def test_a_consent_taken_back_closes_the_draft_at_once(here: Here, changed: Body) -> None:
    draft = Draft.of(here)
    assert draft.seen(here.other) == ALL
    version = now(here.party(here.other), draft.plan)["meta"]["versionId"]
    draft.ends(**changed)
    assert draft.seen(here.other) == set()
    before = here.party(here.other).get(f"/fhir/CarePlan/{draft.plan['id']}/_history/{version}")
    assert before.status_code == 404, "Nor what it was before."
    assert draft.seen(WARD) == ALL
    assert here.differs() == []


def test_who_was_asked_goes_on_seeing_what_he_was_asked_and_can_answer(here: Here) -> None:
    draft = Draft.of(here)
    draft.ends(status="inactive")
    assert draft.seen(here.nurses) == {"asked"}
    moved(here.party(here.nurses), draft.asked, "accepted")
    assert read(here.party(WARD), draft.asked)["status"] == "accepted", "Nor is the answer kept from who asked."
    told = put(here.party(WARD), now(here.party(WARD), draft.unasked), status="requested")
    assert refusal(told, 422)["rule"] == "sip-asks-without-consent"


def test_who_keeps_the_plan_goes_on_with_it_and_nobody_else(here: Here) -> None:
    draft = Draft.of(here)
    draft.ends(status="inactive")
    assert put(here.party(WARD), now(here.party(WARD), draft.plan), title="Vårens plan").status_code == 200
    assert draft.seen(here.nurses) == {"asked"}
    assert put(here.party(here.other), draft.plan, title="Min plan").status_code == 404
    assert here.differs() == []


def test_a_consent_given_again_opens_it(here: Here) -> None:
    draft = Draft.of(here)
    draft.ends(status="inactive")
    draft.ends(status="active")
    assert draft.seen(here.other) == ALL
    assert not compartments(now(here.party(WARD), draft.plan))
    assert here.differs() == []


def test_it_does_not_matter_whose_word_ends_it(here: Here) -> None:
    """The operator, and whoever deletes it, too."""
    draft = Draft.of(here)
    assert put(here.operator, now(here.operator, draft.consent), status="inactive").status_code == 200
    assert draft.seen(here.other) == set()
    other = Draft.of(here)
    assert here.party(WARD).delete(f"/fhir/Consent/{other.consent['id']}").is_success
    assert other.seen(here.other) == set()
    assert other.seen(WARD) == ALL


def test_one_consent_that_holds_is_enough(here: Here) -> None:
    draft = Draft.of(here)
    second = consent(draft.plan["subject"]["reference"].partition("/")[2], organization=[unit(WARD)])
    assert put(here.party(WARD), second).status_code == 201
    both = [*draft.plan["supportingInfo"], {"reference": f"Consent/{second['id']}"}]
    assert put(here.party(WARD), now(here.party(WARD), draft.plan), supportingInfo=both).status_code == 200
    draft.ends(status="inactive")
    assert draft.seen(here.other) == ALL


def test_a_settled_plan_stays_open_and_is_a_gap(here: Here) -> None:
    """What was shared by consent is not hidden again: its parties work by it."""
    draft = Draft.of(here)
    stored = now(here.operator, draft.plan)
    assert put(here.operator, stored, status="active").status_code == 200  # The operator's word is plain R4.
    draft.ends(status="inactive")
    assert draft.seen(here.other) == ALL


def test_a_consent_whose_time_is_over_closes_the_draft_when_the_day_has_passed(here: Here) -> None:
    draft = Draft.of(here, provision={"period": {"start": "2026-03-01", "end": OVER}})
    here.at(DAY_AFTER - timedelta(seconds=2))
    assert draft.seen(here.other) == ALL
    here.at(DAY_AFTER)
    assert draft.seen(here.other) == set()
    assert draft.seen(WARD) == ALL
    assert here.differs() == []
    versions = len(here.operator.get(f"/fhir/Consent/{draft.consent['id']}/_history").json()["entry"])
    assert versions == 1, "The consent says what the person said."
    here.at(DAY_AFTER + timedelta(days=1))
    assert here.step() == 0, "It is said once."


def test_a_longer_time_opens_it_again(here: Here) -> None:
    draft = Draft.of(here, provision={"period": {"end": OVER}})
    here.at(DAY_AFTER)
    draft.ends(provision={"period": {"end": "2026-06-30"}})
    assert draft.seen(here.other) == ALL
    draft.ends(provision={"period": {"end": OVER}})
    assert draft.seen(here.other) == set()
    assert here.differs() == []


def test_a_time_that_was_over_when_it_was_written_needs_no_watch(here: Here) -> None:
    draft = Draft.of(here)
    draft.ends(provision={"period": {"end": f"{BEGIN - timedelta(days=2):%Y-%m-%d}"}})
    assert draft.seen(here.other) == set()
    assert here.differs() == []


def test_gaps_of_a_closed_draft_are_raised_no_more(here: Here) -> None:
    """Others would see by them that something is there."""
    draft = Draft.of(here)
    here.watch()

    def raised() -> list[Body]:
        answer = here.operator.get("/fhir/DetectedIssue", params={"patient": draft.plan["subject"]["reference"]})
        found = [one["resource"] for one in answer.json().get("entry", ())]
        return [one for one in found if "end" not in one["identifiedPeriod"] and draft.plan["id"] in json.dumps(one)]

    assert raised(), "While it is open, what it does not say is a gap."
    here.at(BEGIN + timedelta(minutes=1))
    draft.ends(status="inactive")
    here.at(BEGIN + timedelta(minutes=2))
    assert raised() == []


SENDER = "SE2321000131-T0400"


def planned(message: int, *, given: bool, status: str = "draft") -> bytes:
    """What a planning system says of a SIP."""
    unit_ = {"hsaId": SENDER, "name": "Vårdcentralen Tanumshede"}
    body = {
        "type": "sip",
        "messageId": f"M-{message}",
        "time": f"2026-03-0{message}T08:00:00",
        "sender": unit_,
        "person": {"id": "194107142384", "idType": "personnummer", "name": {"given": "Astrid", "family": "Testberg"}},
        "plan": {"id": "SIP-1", "title": "Samordnad individuell plan", "status": status, "start": "2026-03-12"},
        "consent": {"given": given, "date": "2026-03-01"},
        "overallResponsible": {"hsaId": "SE2321000131-T0000", "name": "Västra Götalandsregionen", "kind": "region"},
        "participants": [{"hsaId": "SE2120001348-T0100", "name": "Hemsjukvården Tanum"}],
        "activities": [],
    }
    return json.dumps(body).encode()


def test_a_consent_that_a_source_takes_back_closes_what_it_draws_up(here: Here) -> None:
    """In any order: what was said later holds."""
    source, ingest = here.gateway.sources.get("planning-json"), here.gateway.ingest
    assert source is not None

    def told(message: int, *, given: bool) -> None:
        assert ingest.take(source, planned(message, given=given), "application/json").held == 0

    def plans(hsa_id: str) -> int:
        answer = here.party(hsa_id).get("/fhir/CarePlan", params={"category": "SIP"})
        assert answer.status_code == 200, answer.text
        return len(answer.json().get("entry", ()))

    told(1, given=True)
    others = "SE2120001348-T0100"
    assert plans(others) == 1
    told(3, given=False)
    told(2, given=True)
    assert plans(others) == 0
    assert plans("SE2321000131-T0000") == 1, "Its custodian is who has the overall responsibility."
    told(4, given=True)
    assert plans(others) == 1
    assert here.differs() == []


def test_a_draft_that_the_operator_mended_stays_with_who_keeps_it_when_it_names_no_consent(here: Here) -> None:
    """It was hidden from everybody: a label is for who alone states what it is on. ADR 75"""
    draft = Draft.of(here)
    ward = here.party(WARD)
    for one in (draft.plan, draft.unasked):
        assert put(here.operator, now(here.operator, one), description="Mended").status_code == 200
    assert put(ward, now(ward, draft.plan), supportingInfo=None).status_code == 200
    assert draft.seen(here.other) == set()
    assert draft.seen(here.nurses) == {"asked"}
    assert draft.seen(WARD) == ALL
    assert put(ward, now(ward, draft.plan), title="Vårens plan").status_code == 200
    assert here.differs() == []
    assert put(ward, now(ward, draft.plan), **agrees(draft.consent)).status_code == 200
    assert draft.seen(here.other) == ALL
    assert not compartments(now(ward, draft.plan))
    assert here.differs() == []


def test_a_draft_without_consent_that_the_operator_mends_stays_with_who_keeps_it(here: Here) -> None:
    draft = Draft.of(here)
    ward = here.party(WARD)
    assert put(ward, now(ward, draft.plan), supportingInfo=None).status_code == 200
    for one in (draft.plan, draft.unasked):
        assert put(here.operator, now(here.operator, one), description="Mended").status_code == 200
    assert draft.seen(here.other) == set()
    assert draft.seen(WARD) == ALL
    assert here.differs() == []
    assert put(ward, now(ward, draft.plan), **agrees(draft.consent)).status_code == 200
    assert draft.seen(here.other) == ALL
    assert here.differs() == []
