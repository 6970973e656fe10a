"""`$apply`: what a definition leads to for a subject, from the specification's words and examples (C-50)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.coordination.applying import Context, apply_activity, apply_plan
from gateway.coordination.applying.plan import MOST_ACTIONS
from gateway.definitions import load
from gateway.errors import Unprocessable
from gateway.fhir.check import check

EXAMPLES = Path(__file__).parents[3] / "shared/data/r4/examples/json"
SUBJECT = {"resourceType": "Patient", "id": "p", "birthDate": "1950-05-17", "gender": "female"}
CLINICIAN = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "Test Läkare"}]}


def context(find: Mapping[str, dict[str, Any]] | None = None, **concepts: Any) -> Context:
    known = find or {}
    return Context(
        definitions=load(),
        now=datetime(2026, 3, 1, 9, tzinfo=UTC),
        references={"subject": "Patient/p", "encounter": "Encounter/e", "practitioner": "Practitioner/d"},
        resources={"subject": SUBJECT, "practitioner": CLINICIAN},
        concepts=concepts,
        find=lambda kind, url: found if (found := known.get(url)) and found["resourceType"] == kind else None,
    )


def activity(kind: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "ActivityDefinition", "status": "active", "kind": kind} | more


def plan(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "PlanDefinition", "status": "active", "action": list(actions)} | more


def set_by(path: str, expression: str) -> dict[str, Any]:
    return {"path": path, "expression": {"language": "text/fhirpath", "expression": expression}}


def only_if(expression: str) -> dict[str, Any]:
    return {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": expression}}


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    assert [issue.text for issue in check(resource, load()) if issue.severity in ("fatal", "error")] == []
    return resource


def refused(call: Any, definition: dict[str, Any], **known: Any) -> tuple[str, str | None]:
    with pytest.raises(Unprocessable) as caught:
        call(definition, context(**known))
    return caught.value.issues[0].rule, caught.value.issues[0].expression


def test_an_activity_leads_to_a_draft_of_the_type_that_it_names() -> None:
    made = apply_activity(
        activity(
            "Task",
            url="http://example.org/visit",
            version="2",
            code={"text": "Hembesök"},
            description="Se till såret.",
            priority="urgent",
            participant=[{"type": "practitioner", "role": {"text": "sjuksköterska"}}],
            timingPeriod={"start": "2026-03-02", "end": "2026-03-04"},
        ),
        context(),
    )
    assert valid(made) == {
        "resourceType": "Task",
        "status": "draft",
        "intent": "proposal",
        "for": {"reference": "Patient/p"},
        "encounter": {"reference": "Encounter/e"},
        "requester": {"reference": "Practitioner/d"},
        "authoredOn": "2026-03-01T10:00:00+01:00",
        "instantiatesCanonical": "http://example.org/visit|2",
        "code": {"text": "Hembesök"},
        "priority": "urgent",
        "description": "Se till såret.",
        "executionPeriod": {"start": "2026-03-02", "end": "2026-03-04"},
        "performerType": [{"text": "sjuksköterska"}],
        "owner": {"reference": "Practitioner/d"},
    }


def test_the_specifications_prescription_is_a_draft_with_what_it_refers_to_within_itself() -> None:
    """ActivityDefinition/citalopramPrescription of R4, its two expressions in FHIRPath."""
    medication = {
        "resourceType": "Medication",
        "id": "citalopramMedication",
        "ingredient": [{"itemReference": {"reference": "#citalopramSubstance"}}],
    }
    substance = {"resourceType": "Substance", "id": "citalopramSubstance", "code": {"text": "citalopram"}}
    unused = {"resourceType": "Substance", "id": "unused", "code": {"text": "x"}}
    made = apply_activity(
        activity(
            "MedicationRequest",
            intent="order",
            contained=[unused, medication, substance],
            productReference={"reference": "#citalopramMedication"},
            dosage=[{"text": "1 tablet oral 1 time daily"}],
            dynamicValue=[
                set_by("dispenseRequest.numberOfRepeatsAllowed", "3"),
                set_by("dispenseRequest.quantity", "30 '{tbl}'"),
            ],
        ),
        context(),
    )
    assert valid(made)["contained"] == [medication, substance]
    assert made["medicationReference"] == {"reference": "#citalopramMedication"}
    assert made["dosageInstruction"] == [{"text": "1 tablet oral 1 time daily"}]
    tablets = {"value": Decimal(30), "unit": "{tbl}", "system": "http://unitsofmeasure.org", "code": "{tbl}"}
    assert made["dispenseRequest"] == {"numberOfRepeatsAllowed": 3, "quantity": tablets}
    assert made["intent"] == "order"


@pytest.mark.parametrize(
    ("kind", "path", "expression", "name", "value"),
    [
        ("ServiceRequest", "occurrence", "now()", "occurrenceDateTime", "2026-03-01T10:00:00.000+01:00"),
        ("ServiceRequest", "occurrenceDateTime", "@2026-04-01", "occurrenceDateTime", "2026-04-01"),
        ("ServiceRequest", "reasonCode", "'ont'", "reasonCode", [{"text": "ont"}]),
        ("ServiceRequest", "requester", "%practitioner", "requester", {"reference": "Practitioner/d"}),
        ("Task", "priority", "iif(%subject.gender = 'female', 'urgent', 'routine')", "priority", "urgent"),
        ("Task", "restriction.repetitions", "2 + 1", "restriction", {"repetitions": 3}),
        ("Task", "note[0].text", "%userType.text", "note", [{"text": "patient"}]),
        ("Task", "description", "Patient.birthDate.toString() & '!'", "description", "1950-05-17!"),
        ("Task", "description", "%definition.title", "description", "Besök"),
        ("Task", "code", "{}", "code", None),
        ("CommunicationRequest", "occurrence", "today()", "occurrenceDateTime", "2026-03-01"),
    ],
)
def test_values_are_evaluated_and_put_where_the_type_says(
    kind: str, path: str, expression: str, name: str, value: Any
) -> None:
    definition = activity(kind, title="Besök", dynamicValue=[set_by(path, expression)])
    made = valid(apply_activity(definition, context(userType={"text": "patient"})))
    found = made.get(name)
    if name == "occurrenceDateTime" and "T" in str(value):
        assert datetime.fromisoformat(found) == datetime.fromisoformat(value)
    else:
        assert found == value


def test_values_are_evaluated_in_the_order_in_which_they_stand() -> None:
    definition = activity(
        "Task", dynamicValue=[set_by("description", "'a'"), set_by("description", "%request.description & 'b'")]
    )
    assert apply_activity(definition, context())["description"] == "ab"


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"timingDateTime": "2026-03-05"}, {"start": "2026-03-05"}),
        (
            {"timingDuration": {"value": 3, "unit": "d", "code": "d"}},
            {"start": "2026-03-01T10:00:00+01:00", "end": "2026-03-04T10:00:00+01:00"},
        ),
        ({"timingAge": {"value": 80, "code": "a"}}, {"start": "2030-05-17"}),
        ({"timingTiming": {"event": ["2026-03-09", "2026-03-07"]}}, {"start": "2026-03-07", "end": "2026-03-09"}),
        (
            {"timingTiming": {"repeat": {"boundsPeriod": {"start": "2026-03-07"}, "frequency": 2}}},
            {"start": "2026-03-07"},
        ),
    ],
)
def test_times_are_told_in_the_terms_of_the_request(timing: dict[str, Any], expected: dict[str, Any]) -> None:
    made = valid(apply_activity(activity("Task", **timing), context()))
    assert {name: datetime.fromisoformat(time) for name, time in made["executionPeriod"].items()} == {
        name: datetime.fromisoformat(time) for name, time in expected.items()
    }
    again = valid(apply_activity(activity("ServiceRequest", **timing), context()))
    assert any(name.startswith("occurrence") for name in again)


def test_a_list_of_actions_leads_to_draft_tasks_as_activities() -> None:
    """C-50: CarePlan with draft Tasks."""
    made = valid(
        apply_plan(
            plan(
                {"title": "Ring", "code": [{"text": "Telefonkontakt"}], "priority": "asap"},
                {"title": "Besök", "timingPeriod": {"start": "2026-03-02"}, "participant": [{"type": "practitioner"}]},
                title="Efter utskrivning",
                url="http://example.org/after",
                goal=[{"description": {"text": "Läkt sår"}, "target": [{"due": {"value": 2, "code": "wk"}}]}],
            ),
            context(),
        )
    )
    assert (made["status"], made["intent"], made["title"]) == ("draft", "proposal", "Efter utskrivning")
    assert made["instantiatesCanonical"] == ["http://example.org/after"]
    assert [one["reference"]["reference"] for one in made["activity"]] == ["#task-1", "#task-2"]
    goal, first, second = made["contained"]
    assert goal["target"] == [{"dueDate": "2026-03-15"}]
    assert made["goal"] == [{"reference": "#goal-1"}]
    assert (first["status"], first["code"], first["priority"]) == ("draft", {"text": "Telefonkontakt"}, "asap")
    assert (second["description"], second["owner"]) == ("Besök", {"reference": "Practitioner/d"})
    assert second["executionPeriod"] == {"start": "2026-03-02"}


def test_an_order_among_actions_stands_in_a_request_group() -> None:
    """PlanDefinition/options-example and RequestGroup/example of R4."""
    drugs = [
        activity("MedicationRequest", id=f"drug-{n}", productCodeableConcept={"text": f"Medication {n}"})
        for n in (1, 2)
    ]
    after = {"actionId": "first", "relationship": "after-end", "offsetDuration": {"value": 1, "unit": "h"}}
    made = valid(
        apply_plan(
            plan(
                {
                    "groupingBehavior": "logical-group",
                    "selectionBehavior": "all",
                    "action": [
                        {"id": "first", "definitionCanonical": "#drug-1"},
                        {"id": "second", "definitionCanonical": "#drug-2", "relatedAction": [after]},
                    ],
                },
                contained=drugs,
            ),
            context(),
        )
    )
    first, second, group = made["contained"]
    assert [one["medicationCodeableConcept"]["text"] for one in (first, second)] == ["Medication 1", "Medication 2"]
    assert made["activity"][0]["reference"]["reference"] == f"#{group['id']}"
    (whole,) = group["action"]
    assert (whole["groupingBehavior"], whole["selectionBehavior"]) == ("logical-group", "all")
    assert whole["action"] == [
        {"id": "first", "resource": {"reference": f"#{first['id']}"}},
        {"id": "second", "relatedAction": [after], "resource": {"reference": f"#{second['id']}"}},
    ]


def test_what_is_one_of_several_choices_is_an_option() -> None:
    choice = {"selectionBehavior": "exactly-one", "action": [{"title": "a"}, {"title": "b"}]}
    made = valid(apply_plan(plan(choice, {"title": "c"}), context()))
    assert [one["intent"] for one in made["contained"] if one["resourceType"] == "Task"] == [
        "option",
        "option",
        "proposal",
    ]


def test_an_action_that_does_not_apply_leads_to_nothing_and_nothing_is_related_to_it() -> None:
    actions = (
        {"id": "men", "title": "a", "condition": [only_if("%subject.gender = 'male'")]},
        {
            "id": "women",
            "title": "b",
            "condition": [only_if("gender = 'female'"), only_if("birthDate < @2000-01-01")],
            "relatedAction": [{"actionId": "men", "relationship": "after"}],
        },
        {"id": "unknown", "title": "c", "condition": [only_if("deceased")]},
    )
    made = valid(apply_plan(plan(*actions), context()))
    task, group = made["contained"]
    assert task["description"] == "b"
    assert [one["id"] for one in group["action"]] == ["women"]
    assert "relatedAction" not in group["action"][0]


def test_a_nested_plan_is_laid_into_the_one_plan() -> None:
    inner = plan({"title": "inner"}, url="http://example.org/inner")
    visit = activity("Task", description="visit")
    outer = plan(
        {"title": "group", "definitionCanonical": "http://example.org/inner"},
        {"definitionCanonical": "http://example.org/visit"},
    )
    made = valid(apply_plan(outer, context({"http://example.org/inner": inner, "http://example.org/visit": visit})))
    assert [one.get("description") for one in made["contained"] if one["resourceType"] == "Task"] == ["inner", "visit"]
    group = made["contained"][-1]
    assert group["action"][0]["action"][0]["resource"] == {"reference": "#task-1"}


def test_a_questionnaire_is_asked_for_by_a_task() -> None:
    form = {"resourceType": "Questionnaire", "status": "active"}
    made = valid(
        apply_plan(plan({"definitionCanonical": "http://example.org/form"}), context({"http://example.org/form": form}))
    )
    assert made["contained"][0]["input"][0]["valueCanonical"] == "http://example.org/form"


def test_an_action_says_more_than_its_definition() -> None:
    visit = activity("ServiceRequest", id="v", priority="routine", timingDateTime="2026-03-02", code={"text": "x"})
    action = {
        "definitionCanonical": "#v",
        "priority": "stat",
        "timingDateTime": "2026-03-03",
        "dynamicValue": [set_by("code", "'y'")],
    }
    made = valid(apply_plan(plan(action, contained=[visit]), context()))["contained"][0]
    assert (made["priority"], made["occurrenceDateTime"], made["code"]) == ("stat", "2026-03-03", {"text": "y"})


CQL = {"path": "description", "expression": {"language": "text/cql", "expression": "Now()"}}
WRONG = set_by("description", "1 +")
NOWHERE, CALLED = set_by("nothing.there", "1"), set_by("where(true)", "1")
UNKNOWN = {"definitionCanonical": "http://example.org/none"}
REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("expression-language", activity("Task", dynamicValue=[CQL]), "dynamicValue[0].expression.language"),
    ("expression-failed", activity("Task", dynamicValue=[WRONG]), "dynamicValue[0].expression.expression"),
    ("dynamic-path-unknown", activity("Task", dynamicValue=[NOWHERE]), "dynamicValue[0].path"),
    ("dynamic-path-unknown", activity("Task", dynamicValue=[CALLED]), "dynamicValue[0].path"),
    ("definition-without-kind", {"resourceType": "ActivityDefinition", "status": "draft"}, "kind"),
    ("definition-by-transform", activity("Task", transform="http://example.org/map"), "transform"),
    ("definition-without-place", activity("Task", dosage=[{"text": "1"}]), "dosage"),
    ("timing-not-applied", activity("Task", timingRange={"low": {"value": 1}}), "timingRange"),
    ("definition-unknown", plan(UNKNOWN), "action[0].definitionCanonical"),
    ("plan-too-large", plan(*({"title": str(n)} for n in range(MOST_ACTIONS + 1))), f"action[{MOST_ACTIONS}]"),
)


@pytest.mark.parametrize(("rule", "definition", "path"), REFUSED)
def test_what_cannot_be_carried_out_is_refused_with_its_place(rule: str, definition: dict[str, Any], path: str) -> None:
    call = apply_plan if definition["resourceType"] == "PlanDefinition" else apply_activity
    assert refused(call, definition) == (rule, f"{definition['resourceType']}.{path}")


def test_a_plan_that_leads_into_itself_is_refused() -> None:
    round_ = plan({"definitionCanonical": "http://example.org/round"})
    assert refused(apply_plan, round_, find={"http://example.org/round": round_})[0] == "plan-in-itself"


def test_actions_within_actions_end() -> None:
    deep: dict[str, Any] = {"title": "x"}
    for _ in range(40):
        deep = {"action": [deep]}
    assert refused(apply_plan, plan(deep))[0] == "plan-too-large"


def test_every_definition_of_the_specification_is_applied_or_refused_by_name() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("the specification's examples are not here")
    told: dict[str, int] = {}
    for path in sorted((*EXAMPLES.glob("ActivityDefinition-*.json"), *EXAMPLES.glob("PlanDefinition-*.json"))):
        definition = json.loads(path.read_text(encoding="utf-8"))
        call = apply_plan if definition["resourceType"] == "PlanDefinition" else apply_activity
        try:
            valid(call(definition, context()))
            rule = "applied"
        except Unprocessable as refusal:
            rule = refusal.issues[0].rule
        told[rule] = told.get(rule, 0) + 1
    # Most of them have expressions in CQL, which is said.
    assert set(told) == {
        "applied",
        "expression-language",
        "timing-by-extension",
        "definition-by-transform",
        "definition-without-kind",
    }
