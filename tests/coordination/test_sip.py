"""The questions of the law about a SIP, asked of plans, Tasks and consents: HSL 16 kap. 4 §, SoL 10 kap. 8 and 9 §§."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.coordination import consenting, sip
from gateway.coordination.directory import Directory
from gateway.identity.systems import HSA_ID

SWEDEN = ZoneInfo("Europe/Stockholm")
HUVUDMAN = "https://samverka.example/fhir/CodeSystem/huvudman"
REGION, TOWN, CENTRE, CLINIC, UNHEARD = "SE1-R", "SE2-T", "SE1-C", "SE3-P", "SE9-X"


def named(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}


def organisation(hsa_id: str, huvudman: str, above: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": hsa_id, "identifier": [named(hsa_id)["identifier"]]}
    made["type"] = [{"coding": [{"system": HUVUDMAN, "code": huvudman}]}]
    return made | ({"partOf": named(above)} if above else {})


DIRECTORY = Directory(
    [
        organisation(REGION, "region"),
        organisation(TOWN, "kommun"),
        organisation(CENTRE, "region", REGION),
        organisation(CLINIC, "private"),
    ]
)


def activity(kind: str | None, body: dict[str, Any] | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "kind", "valueCode": kind}] if kind else []
    parts += [{"url": "body", "valueReference": body}] if body else []
    return {"resourceType": "Task", "extension": [{"url": sip.ACCOUNTABLE, "extension": parts}] if parts else []}


@pytest.mark.parametrize(
    ("kind", "body", "left_open"),
    [
        ("region", named(REGION), None),
        ("municipality", named(TOWN), None),
        ("municipality", named(REGION), "sip-accountable"),
        ("region", named(CENTRE), "sip-accountable"),
        ("region", named(CLINIC), "sip-accountable"),
        ("region", named(UNHEARD), "sip-accountable"),
        ("region", None, "sip-accountable"),
        (None, named(REGION), "sip-accountable"),
        (None, None, "sip-accountable"),
        ("other", {"display": "Dottern Lena"}, None),
        ("other", named(CLINIC), None),
        ("other", None, "sip-other"),
    ],
)
def test_each_activity_says_which_body_answers_for_it_or_who_else_does_it(
    kind: str | None, body: dict[str, Any] | None, left_open: str | None
) -> None:
    """The second point, and the third."""
    assert sip.unaccounted(activity(kind, body), DIRECTORY) == left_open


@pytest.mark.parametrize(
    ("hsa_id", "kind"),
    [(REGION, "region"), (TOWN, "municipality"), (CENTRE, None), (CLINIC, None), (UNHEARD, None)],
)
def test_the_huvudman_is_the_region_or_the_municipality_itself(hsa_id: str, kind: str | None) -> None:
    assert sip.huvudman(DIRECTORY.by_hsa_id(hsa_id), DIRECTORY) == kind


def test_who_has_the_overall_responsibility_is_said_by_itself_or_is_the_body_that_wrote() -> None:
    """The fourth point."""
    own = {"extension": [{"url": sip.OVERALL, "valueReference": named(TOWN)}]}
    assert sip.overall_of(own | {"author": named(REGION)}) == named(TOWN)
    assert sip.overall_of({"author": named(REGION)}) == named(REGION)
    assert sip.overall_of({"author": {"reference": "Organization/1"}}) == {"reference": "Organization/1"}
    for nobody in (
        {},
        {"author": {"type": "Practitioner", "display": "A"}},
        {"author": {"reference": "Practitioner/1"}},
    ):
        assert sip.overall_of(nobody) is None


@pytest.mark.parametrize(
    ("consent", "holds"),
    [
        ({"status": "active"}, True),
        ({"status": "active", "provision": {"period": {"end": "2026-03-12"}}}, True),
        ({"status": "active", "provision": {"period": {"end": "2026-03-11"}}}, False),
        ({"status": "active", "provision": {"type": "deny"}}, False),
        ({"status": "proposed"}, False),
        ({"status": "rejected"}, False),
        ({"status": "inactive"}, False),
        ({}, False),
    ],
)
def test_a_consent_holds_while_it_is_active_denies_nothing_and_its_day_is_not_over(
    consent: dict[str, Any], holds: bool
) -> None:
    assert consenting.in_force(consent, datetime(2026, 3, 12, 23, 59, tzinfo=SWEDEN)) is holds


@pytest.mark.parametrize(
    ("status", "intent", "settled"),
    [
        ("draft", "plan", False),
        ("active", "plan", True),
        ("active", "order", True),
        ("active", "proposal", False),
        ("on-hold", "plan", True),
        ("completed", "plan", True),
        ("revoked", "plan", False),
        ("entered-in-error", "plan", False),
    ],
)
def test_a_draft_or_a_proposal_is_not_settled(status: str, intent: str, settled: bool) -> None:
    assert sip.is_settled({"status": status, "intent": intent}) is settled


def test_every_question_is_told_in_the_order_of_the_law() -> None:
    found = list(sip.questions([activity(None, None), activity("other", None)], consented=False, overall=False))
    assert [one.code for one in found] == ["sip-consent", "sip-accountable", "sip-other", "sip-overall"]
    assert [one.requirement for one in found] == ["SIP-0", "SIP-2", "SIP-3", "SIP-4"]
    assert [one.code for one in sip.questions([], consented=True, overall=True)] == ["sip-activities"]
