"""Values that are made for every record are as frozen dataclasses are, but for what it costs to make one."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.frozen import dataclass
from gateway.issues import Issue
from gateway.records import Draft, Position


@dataclass(frozen=True, slots=True)
class Value:
    path: str = ""
    line: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    path: str = ""
    line: int | None = None


@dataclass(frozen=True, eq=False)
class Itself:
    path: str = ""


def test_equality_hash_and_words_are_those_of_a_frozen_dataclass() -> None:
    assert Value("a", 1) == Value("a", 1) != Value("a", 2)
    assert hash(Value("a", 1)) == hash(Frozen("a", 1))
    assert repr(Value("a", 1)) == repr(Frozen("a", 1)).replace("Frozen", "Value")
    assert Itself("a") != Itself("a") and len({Itself("a"), Itself("a")}) == 2


@pytest.mark.parametrize(
    "value",
    [Value("a", 1), Position("PID-3", 2), Issue("error", "value", "rule", "Mend it."), Draft({}, datetime.now(UTC))],
)
def test_a_value_can_be_copied_with_another_field_and_travel(value: Any) -> None:
    assert dataclasses.replace(value) == value == pickle.loads(pickle.dumps(value))


def test_a_value_has_no_room_for_other_fields() -> None:
    with pytest.raises(AttributeError):
        Value("a").other = 1  # type: ignore[attr-defined]
    assert "__setattr__" not in vars(Value), "a field is set by a call"
