"""What a caller is told of his next steps, and of a move that he only asks about, as Parameters in two languages.

https://hl7.org/fhir/R4/parameters.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from gateway.coordination.negotiation.roles import Role
from gateway.coordination.negotiation.steps import Need, NextStep
from gateway.coordination.words import Words
from gateway.records import Resource

_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"


def parameters(parts: Iterable[Resource]) -> Resource:
    return {"resourceType": "Parameters", "parameter": list(parts)}


def task_part(task: Resource, roles: Collection[Role], steps: Iterable[NextStep]) -> Resource:
    """A Task among several: which, where it stands, what the caller is to it and may do."""
    reference = {"reference": f"{task['resourceType']}/{task['id']}"}
    parts = [{"name": "reference", "valueReference": reference}, *standing(task, roles), *map(step_part, steps)]
    return {"name": "task", "part": parts}


def standing(task: Resource, roles: Collection[Role]) -> list[Resource]:
    """The status of a Task, and the caller's roles in it."""
    told = [{"name": "status", "valueCode": task["status"]}]
    return told + [{"name": "role", "valueCode": str(role)} for role in Role if role in roles]


def step_part(step: NextStep) -> Resource:
    named = [_said("name", step.name), _said("display", step.status)]
    return {"name": "step", "part": [{"name": "status", "valueCode": step.state}, *named, *map(need_part, step.needs)]}


def need_part(need: Need) -> Resource:
    """What must be given, as FHIRPath that must find something."""
    return {"name": "need", "valueString": " | ".join(need.one_of)}


def _said(name: str, words: Words) -> dict[str, Any]:
    swedish = [{"url": "lang", "valueCode": "sv"}, {"url": "content", "valueString": words.sv}]
    translation = {"url": _TRANSLATION, "extension": swedish}
    return {"name": name, "valueString": words.en, "_valueString": {"extension": [translation]}}
