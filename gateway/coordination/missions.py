"""The forms of mission, read from their PlanDefinitions in conformance/: who may ask whom, in what order, and how soon.

https://hl7.org/fhir/R4/plandefinition.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import orjson

from gateway.definitions import CANONICAL
from gateway.definitions.shipped import folder

STEP: Final = f"{CANONICAL}/CodeSystem/mission-step"
MISSION: Final = f"{CANONICAL}/CodeSystem/mission"
STATUS: Final = f"{CANONICAL}/CodeSystem/mission-status"
DISPOSITION: Final = f"{CANONICAL}/CodeSystem/disposition"
UNITS: Final[Mapping[str, timedelta]] = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
"""Of UCUM, those that an expected time is written in."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One of the ways of a mission: who may ask, and whom, one after the other."""

    askers: tuple[str, ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mission:
    """One form of mission. Kinds of units are codes of `mission-party`."""

    code: str
    url: str
    asks: tuple[Ask, ...]
    parallel: bool
    """Whether all candidates are asked at once, each with a Task of his own for the same need."""
    answer_within: timedelta | None
    report_within: timedelta | None
    arrived: frozenset[str]
    """What is reported when a trained person is with the patient: codes of `mission-status`."""
    outcomes: tuple[str, ...]
    """How it may end: codes of `disposition`."""
    measures: tuple[str, ...]
    """The urls of the Measures that it is led by."""

    def may_ask(self, asker: str, candidate: str) -> bool:
        """Whether a kind of unit may ask another one."""
        return any(asker in one.askers and candidate in one.candidates for one in self.asks)

    def next_candidates(self, asker: str, asked: str) -> tuple[str, ...]:
        """Whom the asker may turn to when a kind of unit has said no; none where all are asked at once."""
        if self.parallel:
            return ()
        ways = [one for one in self.asks if asker in one.askers and asked in one.candidates]
        return tuple(kind for one in ways for kind in one.candidates[one.candidates.index(asked) + 1 :])


@cache
def shipped(url: str) -> Mission:
    """The mission of a PlanDefinition that is shipped, by its canonical url."""
    path = folder("conformance") / f"PlanDefinition-{url.rpartition('/')[2]}.json"
    return read_mission(orjson.loads(path.read_bytes()))


def read_mission(plan: Mapping[str, Any]) -> Mission:
    """The mission that a PlanDefinition describes; KeyError or ValueError where it leaves something out."""
    steps = {step: action for action in plan["action"] for step in _codes(action.get("code", ()), STEP)}
    ask = steps["ask"]
    (code,) = _codes(plan["topic"], MISSION)
    return Mission(
        code=code,
        url=plan["url"],
        asks=tuple(_asks(ask, ())),
        parallel=ask.get("selectionBehavior") == "all",
        answer_within=_within(steps["answer"]),
        report_within=_within(steps["report"]),
        arrived=frozenset(_codes(steps.get("arrive", {}).get("code", ()), STATUS)),
        outcomes=tuple(_outcomes(steps["carry-out"])),
        measures=tuple(one["resource"] for one in plan.get("relatedArtifact", ()) if one["type"] == "composed-of"),
    )


def _asks(action: Mapping[str, Any], askers: tuple[str, ...]) -> Iterator[Ask]:
    """Each innermost group: the participants of what is around it ask those of the actions within it."""
    askers = tuple(_roles(action)) or askers
    within = action.get("action", ())
    asked = tuple(role for one in within if "definitionCanonical" in one for role in _roles(one))
    if asked:
        yield Ask(askers, asked)
    for one in within:
        if "action" in one:
            yield from _asks(one, askers)


def _roles(action: Mapping[str, Any]) -> Iterator[str]:
    for participant in action.get("participant", ()):
        yield from (coding["code"] for coding in participant["role"]["coding"])


def _within(action: Mapping[str, Any]) -> timedelta | None:
    """The longest time that may lie between the action and what comes before it."""
    for related in action.get("relatedAction", ()):
        if high := related.get("offsetRange", {}).get("high"):
            if high.get("code") not in UNITS:
                raise ValueError(f"An expected time is in {', '.join(UNITS)}: {action['id']} is not.")
            return UNITS[high["code"]] * float(high["value"])
    return None


def _outcomes(action: Mapping[str, Any]) -> Iterator[str]:
    for output in action.get("output", ()):
        for one in output.get("codeFilter", ()):
            yield from (coding["code"] for coding in one.get("code", ()) if coding["system"] == DISPOSITION)


def _codes(concepts: Any, system: str) -> list[str]:
    return [c["code"] for concept in concepts for c in concept.get("coding", ()) if c.get("system") == system]
