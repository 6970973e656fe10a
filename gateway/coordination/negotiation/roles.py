"""What a caller is to a Task: by the stored Task and the caller's organisations, never by what he sends (C-4).

https://hl7.org/fhir/R4/task-definitions.html#Task.owner
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any

from gateway.identity.systems import HSA_ID

Named = Callable[[Any], str | None]
"""The HSA-id of the organisation that a Reference refers to."""


class Role(StrEnum):
    """The parties of coordination.md section B. An adapter speaks as the organisation whose system it reads."""

    REQUESTER = "requester"
    OWNER = "owner"
    COORDINATOR = "coordinator"
    """The custodian of the plan."""
    CANDIDATE = "candidate"
    """May take a Task that nobody has."""
    MEMBER = "member"
    """Takes part in the plan's team now."""
    OTHER = "other"


def hsa_id_of(reference: Any) -> str | None:
    """The HSA-id that a logical Reference names; who knows the directory passes what follows literal ones too."""
    identifier = reference.get("identifier") if isinstance(reference, Mapping) else None
    if isinstance(identifier, Mapping) and identifier.get("system") == HSA_ID:
        value = identifier.get("value")
        return str(value) if value else None
    return None


def roles(
    task: Mapping[str, Any],
    organisations: Collection[str],
    *,
    members: Collection[str] | None = None,
    custodian: str | None = None,
    named: Named = hsa_id_of,
) -> frozenset[Role]:
    """Every role that one of the caller's organisations has; `other` where there is none.

    `task` is the stored Task, or the one that is to be created. `members` and `custodian` are of its plan, by HSA-id;
    without a plan they are None.

    A Task without an owner is open: a candidate is who its restriction names as a recipient; where it names nobody,
    every member of the team is one.
    """
    own = set(organisations)
    found = set()
    if named(task.get("requester")) in own:
        found.add(Role.REQUESTER)
    if named(task.get("owner")) in own:
        found.add(Role.OWNER)
    if custodian in own:
        found.add(Role.COORDINATOR)
    if own & set(members or ()):
        found.add(Role.MEMBER)
    if "owner" not in task:
        recipients = (task.get("restriction") or {}).get("recipient") or ()
        invited = {named(one) for one in recipients} if recipients else set(members or ())
        if own & invited:
            found.add(Role.CANDIDATE)
    return frozenset(found or {Role.OTHER})
