"""The plan that a PlanDefinition describes, for one subject: a draft CarePlan with what is to be asked for within it.

Each action that applies leads to a draft: by its definition, else a Task of its own. Where actions have an order or a
choice among them, that stands in a RequestGroup, which is an activity, too. Nested plans are laid into the one plan.

https://hl7.org/fhir/R4/plandefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.coordination.applying.activity import Writer, canonical_of, carried, dynamic, request
from gateway.coordination.applying.context import Context
from gateway.coordination.applying.timing import later
from gateway.coordination.values import written
from gateway.errors import Unprocessable
from gateway.records import Resource

MOST_ACTIONS: Final = 500
DEEPEST: Final = 12
_KEPT: Final = (
    "prefix",
    "title",
    "description",
    "textEquivalent",
    "priority",
    "code",
    "type",
    "groupingBehavior",
    "selectionBehavior",
    "requiredBehavior",
    "precheckBehavior",
    "cardinalityBehavior",
)
"""What a RequestGroup's action says as the definition's does."""
_STRUCTURE: Final = (
    "groupingBehavior",
    "selectionBehavior",
    "relatedAction",
    "cardinalityBehavior",
    "requiredBehavior",
)
_CHOICES: Final = frozenset({"any", "exactly-one", "at-most-one", "one-or-more"})
"""Selections by which a request is only one of several that may be chosen."""


def apply_plan(definition: Resource, context: Context) -> Resource:
    """The CarePlan, with the drafts contained. Unprocessable."""
    work = _Work(context)
    actions = list(work.actions(definition, definition.get("action", ()), definition["resourceType"], (), chosen=False))
    plan = Writer("CarePlan", context)
    plan.begin(intent="proposal")
    canonical = canonical_of(definition)
    if canonical:
        plan.say("instantiates", canonical)
    made = plan.made
    for name in ("title", "description"):
        if name in definition:
            made[name] = definition[name]
    for name in ("practitioner", "organization"):
        if "author" not in made and (author := context.reference(name)):
            made["author"] = author
    goals = list(_goals(definition, context))
    if goals:
        made["goal"] = [{"reference": f"#{one['id']}"} for one in goals]
    contained = [*goals, *work.made]
    activities = [{"reference": {"reference": f"#{one['id']}"}} for one in work.requests]
    if work.structured:
        group = _group(actions, canonical, context)
        contained.append(group)
        activities.insert(0, {"reference": {"reference": f"#{group['id']}"}})
    if activities:
        made["activity"] = activities
    kind = made.pop("resourceType")
    return {"resourceType": kind} | ({"contained": contained} if contained else {}) | made


class _Work:
    """What is made as the actions are gone through."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.made: list[Resource] = []
        """The drafts, and what they refer to."""
        self.requests: list[Resource] = []
        self.structured = False
        self._seen = 0

    def actions(
        self,
        definition: Resource,
        given: Iterable[Mapping[str, Any]],
        where: str,
        above: tuple[str, ...],
        *,
        chosen: bool,
    ) -> Iterator[Resource]:
        """The actions that apply, as a RequestGroup has them. `above` are the plans within which this one stands."""
        for number, action in enumerate(given):
            here = f"{where}.action[{number}]"
            self._seen += 1
            if self._seen > MOST_ACTIONS or here.count(".action") > DEEPEST:
                text = f"A plan has at most {MOST_ACTIONS} actions, {DEEPEST} within each other: divide it."
                raise Unprocessable(text, rule="plan-too-large", expression=here)
            if self._applies(definition, action, here):
                yield self._action(definition, action, here, above, chosen=chosen)

    def _applies(self, definition: Resource, action: Mapping[str, Any], where: str) -> bool:
        """Whether every condition of applicability is true. https://hl7.org/fhir/R4/valueset-action-condition-kind.html"""
        for number, condition in enumerate(action.get("condition", ())):
            if condition.get("kind") == "applicability" and "expression" in condition:
                here = f"{where}.condition[{number}].expression"
                found = self.context.evaluate(
                    condition["expression"], here, {"definition": definition, "action": dict(action)}
                )
                if [getattr(one, "value", one) for one in found] != [True]:
                    return False
        return True

    def _action(
        self, definition: Resource, action: Mapping[str, Any], where: str, above: tuple[str, ...], *, chosen: bool
    ) -> Resource:
        made: Resource = {name: action[name] for name in ("id", *_KEPT) if name in action}
        if "code" in made:
            made["code"] = action["code"]
        made |= {name: value for name, value in action.items() if name.startswith("timing")}
        self.structured |= any(name in action for name in _STRUCTURE) or bool(action.get("action"))
        conditions = [one for one in action.get("condition", ()) if one.get("kind") != "applicability"]
        if conditions:
            made["condition"] = conditions
        if "relatedAction" in action:
            made["relatedAction"] = action["relatedAction"]
        people = [reference for one in action.get("participant", ()) if (reference := self._who(one)) is not None]
        if people:
            made["participant"] = people
        chosen = chosen or action.get("selectionBehavior") in _CHOICES or action.get("requiredBehavior") == "could"
        nested = list(self.actions(definition, action.get("action", ()), where, above, chosen=chosen))
        canonical = action.get("definitionCanonical")
        found = self._definition(definition, str(canonical), where) if canonical else None
        if found is not None and found["resourceType"] == "PlanDefinition":
            name = str(canonical)
            if name in above or len(above) >= DEEPEST:
                text = "The plan leads into itself."
                raise Unprocessable(text, rule="plan-in-itself", expression=f"{where}.definitionCanonical")
            inner = self.actions(found, found.get("action", ()), found["resourceType"], (*above, name), chosen=chosen)
            nested += inner
            self.structured = True
        elif found is not None or canonical or "definitionUri" in action or not action.get("action"):
            made["resource"] = {"reference": f"#{self._request(definition, found, action, where, chosen=chosen)['id']}"}
        if nested:
            made["action"] = nested
        return made

    def _definition(self, definition: Resource, canonical: str, where: str) -> Resource | None:
        """The activity or plan by which an action is defined; None for a questionnaire, which a Task asks for."""
        if canonical.startswith("#"):
            contained = (one for one in definition.get("contained", ()) if f"#{one.get('id')}" == canonical)
            found = next(contained, None)
        else:
            kinds = ("ActivityDefinition", "PlanDefinition", "Questionnaire")
            found = next((one for kind in kinds if (one := self.context.find(kind, canonical)) is not None), None)
        if found is None:
            text = "The definition of the action is not known here: store it, or contain it."
            raise Unprocessable(text, rule="definition-unknown", expression=f"{where}.definitionCanonical")
        return None if found["resourceType"] == "Questionnaire" else found

    def _request(
        self, definition: Resource, by: Resource | None, action: Mapping[str, Any], where: str, *, chosen: bool
    ) -> Resource:
        """The draft of an action: by its definition, else a Task that says what the action says."""
        if "transform" in action:
            text = "Actions by a StructureMap are not applied: call StructureMap/$transform."
            raise Unprocessable(text, rule="definition-by-transform", expression=f"{where}.transform")
        context = self.context
        made = request(by, context, by["resourceType"]) if by is not None else self._task(action)
        if chosen and "intent" in made and not (by or {}).get("intent"):
            made["intent"] = "option"
        writer = Writer(made["resourceType"], context)
        writer.made = made
        if by is not None and "priority" in action:
            made.pop("priority", None)
        if "priority" in action:
            writer.say("priority", action["priority"])
        writer.timing(action, where)
        writer.participants(action.get("participant", ()))
        dynamic(made, action, context, where, {"definition": definition, "action": dict(action)})
        number = len(self.requests) + 1
        made["id"] = f"{made['resourceType'].lower()}-{number}"
        taken = carried(made, [*(by or {}).get("contained", ()), *definition.get("contained", ())])
        names = {f"#{one['id']}": f"#{number}-{one['id']}" for one in taken}
        self.made += [_renamed(one | {"id": names[f"#{one['id']}"][1:]}, names) for one in taken]
        made = _renamed(made, names)
        self.made.append(made)
        self.requests.append(made)
        return made

    def _task(self, action: Mapping[str, Any]) -> Resource:
        writer = Writer("Task", self.context)
        writer.begin()
        if codes := action.get("code"):
            writer.made["code"] = codes[0]
        for name in ("description", "textEquivalent", "title"):
            if name in action:
                writer.made.setdefault("description", action[name])
        if canonical := action.get("definitionCanonical"):
            what = {"type": {"text": "Questionnaire"}, "valueCanonical": canonical}
            writer.made["input"] = [what]
        if uri := action.get("definitionUri"):
            writer.made["instantiatesUri"] = uri
        if reasons := action.get("reason"):
            writer.made["reasonCode"] = reasons[0]
        return writer.made

    def _who(self, participant: Mapping[str, Any]) -> dict[str, Any] | None:
        name = {"patient": "subject", "practitioner": "practitioner"}.get(participant.get("type", ""))
        return self.context.reference(name) if name else None


def _group(actions: Sequence[Resource], canonical: str | None, context: Context) -> Resource:
    """The order and the choices among the actions. https://hl7.org/fhir/R4/requestgroup.html"""
    writer = Writer("RequestGroup", context)
    writer.begin(intent="proposal")
    if canonical:
        writer.say("instantiates", canonical)
    there = set(_ids(actions))
    return writer.made | {"id": "requestgroup", "action": [_related(one, there) for one in actions]}


def _ids(actions: Iterable[Resource]) -> Iterator[str]:
    for action in actions:
        if "id" in action:
            yield action["id"]
        yield from _ids(action.get("action", ()))


def _related(action: Resource, there: set[str]) -> Resource:
    """The action, related to those only that apply."""
    made = dict(action)
    if "relatedAction" in made:
        kept = [one for one in made["relatedAction"] if one.get("actionId") in there]
        made.pop("relatedAction")
        if kept:
            made["relatedAction"] = kept
    if "action" in made:
        made["action"] = [_related(one, there) for one in made["action"]]
    return made


def _goals(definition: Resource, context: Context) -> Iterator[Resource]:
    """What the plan is for, as Goals that are proposed. https://hl7.org/fhir/R4/goal.html"""
    for number, said in enumerate(definition.get("goal", ()), 1):
        goal: Resource = {"resourceType": "Goal", "id": f"goal-{number}", "lifecycleStatus": "proposed"}
        if "category" in said:
            goal["category"] = [said["category"]]
        goal |= {name: said[name] for name in ("priority", "description") if name in said}
        goal["subject"] = context.reference("subject")
        if "start" in said:
            goal["startCodeableConcept"] = said["start"]
        targets = [_target(one, context) for one in said.get("target", ())]
        if targets:
            goal["target"] = targets
        if notes := [one["text"] for one in said.get("addresses", ()) if "text" in one]:
            goal["note"] = [{"text": text} for text in notes]
        yield goal


def _target(said: Mapping[str, Any], context: Context) -> dict[str, Any]:
    made = {name: value for name, value in said.items() if name == "measure" or name.startswith("detail")}
    if "due" in said:
        made["dueDate"] = written(later(context.now, said["due"], "PlanDefinition.goal.target.due"))[:10]
    return made


def _renamed(resource: Resource, names: Mapping[str, str]) -> Resource:
    """The same with references within the definition by their new names."""
    return {name: _renamed_in(child, names) for name, child in resource.items()}


def _renamed_in(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        made = {name: _renamed_in(child, names) for name, child in value.items()}
        if isinstance(literal := value.get("reference"), str) and literal in names:
            made["reference"] = names[literal]
        return made
    return [_renamed_in(one, names) for one in value] if isinstance(value, list) else value
