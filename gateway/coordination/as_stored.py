"""The agreed version as it is stored, where the fold of what is asked about can give no other: it is its cache."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.coordination.compartments import unlabelled
from gateway.coordination.heirs import is_passing
from gateway.coordination.statements import OPERATOR_SOURCE
from gateway.fhir.json import reread
from gateway.records import Agreed, Resource, Statement
from gateway.store import Stored

Thing = tuple[str, str]
"""Resource type and id."""
_OF_THE_VERSION: Final = frozenset({"versionId", "lastUpdated"})


def as_stored(stored: Stored, said: Sequence[Statement], *, at: datetime) -> Agreed | None:
    """What is agreed by all that is said of a thing; None where it must be folded.

    `said` is what counts of it. At a time before any of it something else held; and what the operator wrote is as he
    wrote it, while a fold puts its members in order once there is more to it.
    """
    for one in said:
        if one.effective > at or one.resource_id != stored.id or one.source == OPERATOR_SOURCE or is_passing(one):
            return None
    return Agreed(
        resource_type=stored.resource_type,
        id=stored.id,
        person=stored.person,
        resource={"resourceType": stored.resource_type, "id": stored.id} if stored.deleted else _agreed(stored),
        contributors=stored.contributors,
        contradictions=stored.contradictions,
        deleted=stored.deleted,
    )


def _agreed(stored: Stored) -> Resource:
    """The resource without what only its version says, and without the labels that follow from others."""
    resource = reread(stored.body)
    meta = {name: value for name, value in resource["meta"].items() if name not in _OF_THE_VERSION}
    if meta:
        return unlabelled(resource | {"meta": meta})
    del resource["meta"]
    return resource
