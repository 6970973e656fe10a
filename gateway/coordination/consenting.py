"""Which drafts of a SIP lean on a consent that does not hold: they are for who draws them up (plans/closing.py).

HSL (2017:30) 16 kap. 4 §, SoL (2025:400) 10 kap. 8 §; ADR 59

Pure. That the time of a consent is over no fold can tell, for it has no clock. It is a statement of the gateway about
the consent, made when somebody looks: it says that this end has passed, which stays true, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make
from gateway.coordination.words import due
from gateway.fhir import reference
from gateway.records import Agreed, Resource, Statement

SIP: Final = "SIP"
"""The category of a plan that makes it one."""
OPEN: Final = frozenset({"draft", "active", "on-hold"})
CONSENT: Final = "Consent"
_OVER: Final = "over|"
"""How the record keys of these statements begin; the consent and the end that has passed follow."""


def is_sip(plan: Resource) -> bool:
    """Whether a plan is a coordinated individual plan, by its category."""
    return SIP in {one.get("code") for concept in plan.get("category", ()) for one in concept.get("coding", ())}


def is_drawn_up(plan: Resource) -> bool:
    """Whether the plan is still being drawn up."""
    return plan.get("status") == "draft" or (plan.get("status") in OPEN and plan.get("intent") == "proposal")


def leans_on(plan: Resource) -> set[str]:
    """The ids of the consents that a SIP names while it is drawn up; none of any other plan."""
    if not (is_sip(plan) and is_drawn_up(plan)):
        return set()
    named = (reference.parse(str(one.get("reference", ""))) for one in plan.get("supportingInfo", ()))
    return {one.id for one in named if one.type == CONSENT and one.id}


def unconsented(
    plans: Iterable[Agreed],
    consents: Mapping[str, Agreed],
    said: Iterable[Statement],
    needy: Collection[str] = frozenset(),
) -> Iterator[str]:
    """The ids of the plans that lean on consents, none of which holds. Of one that is not known the plan is believed.

    The `needy` are among them unless a consent holds, though they name none.
    `said` is what the gateway says of the consents.
    """
    over = {one.record_key for one in said if says_over(one)}
    for plan in plans:
        known = [consents[id] for id in leans_on(plan.resource) & consents.keys()]
        if (known or plan.id in needy) and not any(one.person == plan.person and _holds(one, over) for one in known):
            yield plan.id


def says_over(one: Statement) -> bool:
    """Whether the gateway states by it that a consent's time is over."""
    return one.source == GATEWAY_SOURCE and one.resource_type == CONSENT


def to_state(consents: Iterable[Agreed], said: Iterable[Statement], now: datetime) -> list[Statement]:
    """What is to be stated now of these consents, when the gateway has `said` this."""
    told = {one.record_key for one in said if says_over(one)}
    return [
        make(
            body={"resourceType": CONSENT, "id": one.id},
            origin=Origin(GATEWAY_SOURCE),
            record_key=_key(one.id, one.resource),
            person=one.person,
            effective=now,
            recorded=now,
        )
        for one in consents
        if not one.deleted and is_over(one.resource, now) and _key(one.id, one.resource) not in told
    ]


def lapses(said: Collection[Statement], now: datetime) -> bool:
    """Whether a SIP is drawn up for the person of whom this is said, and the end of a consent has passed unsaid."""
    if not any(one.resource_type == "CarePlan" and is_sip(one.body) and is_drawn_up(one.body) for one in said):
        return False
    told = {one.record_key for one in said if says_over(one)}
    consents = (one for one in said if one.resource_type == CONSENT and one.source != GATEWAY_SOURCE)
    return any(is_over(one.body, now) and _key(one.resource_id, one.body) not in told for one in consents)


def in_force(consent: Resource, at: datetime) -> bool:
    """Whether a consent holds: it is given, and its time is not over."""
    end = end_of(consent)
    return is_given(consent) and (end is None or end >= at)


def is_given(consent: Resource) -> bool:
    """Whether a consent is active and does not refuse, whatever its time."""
    return consent.get("status") == "active" and consent.get("provision", {}).get("type") != "deny"


def end_of(consent: Resource) -> datetime | None:
    """The last moment of a consent's time; None where it has no end."""
    return due(consent.get("provision", {}).get("period", {}).get("end"))


def is_over(consent: Resource, now: datetime) -> bool:
    """Whether the time of a consent has passed."""
    end = end_of(consent)
    return end is not None and end < now


def _holds(consent: Agreed, over: Collection[str]) -> bool:
    said = consent.resource
    return not consent.deleted and is_given(said) and _key(consent.id, said) not in over


def _key(id: str, consent: Resource) -> str:
    return f"{_OVER}{id}|{consent.get('provision', {}).get('period', {}).get('end', '')}"
