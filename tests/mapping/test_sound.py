"""What R4 refuses of a draft is left out and told; the draft is held only where it cannot be without it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.definitions import load
from gateway.mapping.sound import make_sound

TASK: dict[str, Any] = {"resourceType": "Task", "status": "requested", "intent": "order"}


def sound(**elements: Any) -> tuple[dict[str, Any], list[tuple[str, str, str | None]]]:
    task = TASK | elements
    issues = [(issue.severity, issue.rule, issue.expression) for issue in make_sound(task, load())]
    return {name: value for name, value in task.items() if name not in TASK or value != TASK[name]}, issues


def test_a_sound_draft_is_left_as_it_is() -> None:
    assert sound(description="x", priority="stat") == ({"description": "x", "priority": "stat"}, [])


@pytest.mark.parametrize(
    ("elements", "left", "issues"),
    [
        ({"priority": "soon"}, {}, [("required-binding", "Task.priority")]),
        (
            {"input": [{"type": {"text": "a"}}, {"type": {"text": "b"}, "valueString": "c"}]},
            {"input": [{"type": {"text": "b"}, "valueString": "c"}]},
            [("missing-element", "Task.input[0].value")],
        ),
        (
            {"executionPeriod": {"start": "soon"}},
            {},
            [("primitive-format", "Task.executionPeriod.start"), ("empty-element", "Task.executionPeriod")],
        ),
        ({"mood": "good", "note": [{}]}, {}, [("unknown-element", "Task.mood"), ("empty-element", "Task.note[0]")]),
    ],
)
def test_what_does_not_fit_is_left_out(
    elements: dict[str, Any], left: dict[str, Any], issues: list[tuple[str, str]]
) -> None:
    found, told = sound(**elements)
    assert found == left
    assert sorted(told) == sorted(("warning", rule, path) for rule, path in issues)


def test_a_draft_that_cannot_be_without_it_is_held() -> None:
    assert sound(status="maybe")[1] == [
        ("warning", "required-binding", "Task.status"),
        ("error", "missing-element", "Task.status"),
    ]


def test_a_draft_that_is_wrong_all_over_is_held() -> None:
    _, told = sound(note=[{"authorString": 5} for _ in range(60)])
    assert told[-1][0] == "error"
