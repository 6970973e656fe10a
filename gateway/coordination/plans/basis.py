"""Which Tasks a plan rests on: those that are based on it, of the same person, that were stated and not only stored.

What the operator writes is plain R4 and brings nothing about. A Task that is withheld from other providers would tell
them of itself, and one that only asks the asker for more information is a part of another (C-9).

https://hl7.org/fhir/R4/task-definitions.html#Task.basedOn
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.coordination import agreements
from gateway.coordination.membership import Held
from gateway.coordination.statements import OPERATOR_SOURCE
from gateway.coordination.tasks import written_history
from gateway.coordination.values import instant, reference_key
from gateway.definitions import CANONICAL
from gateway.records import Agreed, Resource

TASK_CODES = f"{CANONICAL}/CodeSystem/task"
WITHHELD = (f"{CANONICAL}/CodeSystem/security-label", "own-provider-only")
"""A record without care unit or care provider: no block could be checked, so no other provider may see it
(PDL 6 kap., SVOD 2 kap.; sweden.md 2.1)."""


@dataclass(frozen=True, slots=True)
class Basis:
    """A Task that counts for a plan, and its life."""

    resource: Resource
    life: tuple[Held, ...]
    owners: Mapping[str, Mapping[str, Any]]
    """The references to those who had it, by their keys."""

    @property
    def reference(self) -> str:
        return f"Task/{self.resource['id']}"

    @property
    def asked(self) -> datetime | None:
        return instant(self.resource.get("authoredOn")) or (self.life[0].start if self.life else None)


def basis(plan: Agreed, tasks: Iterable[Agreed], also: Collection[str] = ()) -> list[Basis]:
    """The Tasks that count for the plan, and for those that go on in it, by when they were asked for and by id."""
    ids = {plan.id, *also}
    of_plan = [
        one
        for one in tasks
        if one.resource_type == "Task"
        and not one.deleted
        and one.person == plan.person
        and ids & set(plans_of(one.resource))
        and not merges(one.resource)
        and coordinated(one.contributors)
        and one.resource.get("status") != "entered-in-error"
        and not labelled(one.resource, WITHHELD)
    ]
    by_reference = {f"Task/{one.id}": one.resource for one in of_plan}
    counted = [one.resource for one in of_plan if not _asks_back(one.resource, by_reference)]
    found = [read(one) for one in counted]
    return sorted(found, key=lambda one: (one.asked is None, one.asked and one.asked.timestamp(), one.reference))


def plans_of(task: Resource) -> tuple[str, ...]:
    """The ids of the plans that a Task is based on."""
    references = (str(one.get("reference", "")).partition("/") for one in task.get("basedOn", ()))
    return tuple(id for kind, _, id in references if kind == "CarePlan" and id)


def merges(task: Resource) -> str | None:
    """The id of the plan that a Task would have go on in another; None for a Task that is about no merger."""
    code = agreements.read("plans")["merges"]["code"]
    codings = (task.get("code") or {}).get("coding", ())
    kind, _, id = str((task.get("focus") or {}).get("reference", "")).partition("/")
    asks = any(one.get("system") == TASK_CODES and one.get("code") == code for one in codings)
    return id if asks and kind == "CarePlan" and id else None


def coordinated(contributors: Collection[str]) -> bool:
    """Whether anybody but the operator states it."""
    return bool(set(contributors) - {OPERATOR_SOURCE})


def labelled(resource: Resource, label: tuple[str, str]) -> bool:
    """Whether a resource has a security label."""
    labels = resource["meta"].get("security", ()) if "meta" in resource else ()
    return label in [(one.get("system"), one.get("code")) for one in labels] if labels else False


def key_of(reference: Mapping[str, Any] | None) -> str | None:
    """Whom a reference means: by its literal where it has one, so that both ways to name somebody are one."""
    if reference and (literal := reference.get("reference")):
        return str(literal)
    return reference_key(reference)


def _asks_back(task: Resource, others: Mapping[str, Resource]) -> bool:
    """Whether it asks the one who asked: a part of another Task that goes the other way."""
    parents = [others.get(str(one.get("reference", ""))) for one in task.get("partOf", ())]
    mine = key_of(task.get("requester")), key_of(task.get("owner"))
    return None not in mine and any(
        parent is not None and mine == (key_of(parent.get("owner")), key_of(parent.get("requester")))
        for parent in parents
    )


def read(task: Resource) -> Basis:
    """A Task and its life."""
    life: list[Held] = []
    owners: dict[str, Mapping[str, Any]] = {}
    owner: str | None = None
    for step in written_history(task):
        if step.owner is not None:
            owner = key_of(step.owner)
            _note(owners, owner, step.owner)
        life.append(Held(step.status, step.start, owner))
    _note(owners, key_of(task.get("owner")), task.get("owner"))
    return Basis(task, tuple(life), owners)


def _note(owners: dict[str, Mapping[str, Any]], key: str | None, reference: Mapping[str, Any] | None) -> None:
    if key is not None and reference is not None and len(reference) > len(owners.get(key, {})):
        owners[key] = reference


def united(found: Sequence[Basis]) -> dict[str, Mapping[str, Any]]:
    """The fullest reference to each who had any of the Tasks."""
    owners: dict[str, Mapping[str, Any]] = {}
    for one in found:
        for key, reference in one.owners.items():
            _note(owners, key, reference)
    return owners
