"""What a Task tells of having passed on to heirs, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.coordination.heirs import PASSED_ON, as_named, passings_in


@pytest.mark.parametrize(
    "written",
    [
        {"valueString": "x"},
        {"extension": []},
        {"extension": [{"url": "heir", "valueReference": {"display": "x"}}]},
        {"extension": [{"url": name, "valueString": "x"} for name in ("closed", "heir", "since", "element")]},
    ],
)
def test_what_the_operator_wrote_there_that_lacks_something_tells_nothing(written: dict[str, Any]) -> None:
    """A command of a party to such a Task was answered by a 500."""
    task = {"resourceType": "Task", "id": "1", "extension": [{"url": PASSED_ON, **written}]}
    assert list(passings_in(task)) == []
    assert as_named(task, task) == task
