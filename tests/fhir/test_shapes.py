"""The short way through the structural check: it accepts only what the whole check has nothing to say of."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from gateway.definitions import load
from gateway.fhir.elements import Scope
from gateway.fhir.plans import Plans
from gateway.fhir.shapes import USES

EXTENSION = {"url": "http://example.org/e", "valueString": "x"}
GOOD: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "p",
        "language": "sv",
        "identifier": [{"system": "urn:x", "value": "1"}, {"use": "usual", "system": "urn:x", "value": "2"}],
        "name": [{"family": "Ö", "given": ["A", "B"], "period": {"start": "2026-01-01", "end": "2026-02"}}],
        "birthDate": "1934-10-02",
        "deceasedBoolean": False,
        "contact": [{"gender": "male"}],
        "photo": [{"contentType": "image/png", "data": "aGVq"}],
        "generalPractitioner": [{"reference": "Organization/o"}, {"type": "Practitioner", "display": "x"}],
        "extension": [{"url": "http://example.org/e", "extension": [{"url": "a", "valueInteger": 3}]}],
    },
    {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": "urn:x", "code": "x"}], "text": "line\nline"},
        "owner": {"type": "Organization", "identifier": {"system": "urn:x", "value": "1"}},
        "restriction": {"repetitions": 2, "period": {"end": "2026-01-23T10:00:00+01:00"}},
        "input": [{"type": {"text": "x"}, "valueDate": "2026-01-23"}],
    },
    {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "location": [{"location": {"reference": "Location/l"}, "physicalType": {"text": "x"}}],
    },
]
WRONG: list[Any] = [None, "", " ", "\x01", "x y", "2026-02-30", 0, -1, 2**40, True, [], ["x"], [None], {}, {"id": "x"}]
WRONG += [
    {"extension": [EXTENSION]},
    [{}],
    [{"id": "x"}],
    {"reference": "Medication/m"},
    {"start": "2027", "end": "2026"},
]


@pytest.fixture(scope="module")
def plans() -> Plans:
    """Plans that have met the good resources, and each of their shapes, often enough."""
    made = Plans(load())
    for one in GOOD:
        for resource in (one, *altered(one)):
            for _ in range(2 * USES):
                made.whole(resource, None)
    return made


def altered(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The resource with each of its parts taken away, made another, said under another name."""
    for path in list(_paths(resource, ())):
        for value in WRONG:
            yield _with(resource, path, value)
        yield _with(resource, path, ...)
        if isinstance(path[-1], str):
            yield _with(_with(resource, path, ...), (*path[:-1], "_" + path[-1]), {"extension": [EXTENSION]})
            yield _with(resource, (*path[:-1], "unheardOf"), "x")
            yield _with(resource, (*path[:-1], "deceasedDateTime"), "2026-01-01")


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in places:
        if name != "resourceType":
            yield (*path, name)
            yield from _paths(child, (*path, name))


def _with(resource: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    made = deepcopy(resource)
    owner: Any = made
    for name in path[:-1]:
        owner = owner[name]
    if value is ...:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return made


@pytest.mark.parametrize("resource", GOOD, ids=lambda one: str(one["resourceType"]))
def test_the_short_way_accepts_a_good_resource(plans: Plans, resource: dict[str, Any]) -> None:
    assert plans[resource["resourceType"]].shapes.accepts(resource, Scope(None, {}))


@pytest.mark.parametrize("resource", GOOD, ids=lambda one: str(one["resourceType"]))
def test_the_short_way_accepts_nothing_that_the_whole_check_refuses(plans: Plans, resource: dict[str, Any]) -> None:
    plan, scope = plans[resource["resourceType"]], Scope(None, {})
    accepted = refused = 0
    for one in altered(resource):
        if plan.shapes.accepts(one, scope):
            assert plan.faults(one, scope) is None
            accepted += 1
        else:
            refused += plan.faults(one, scope) is not None
    assert accepted > 10
    assert refused > 100


def test_shapes_that_nobody_repeats_are_not_kept(plans: Plans) -> None:
    shapes = Plans(load())["Coding"].shapes
    for number in range(10_000):
        shapes.accepts({f"x{number}": 1}, Scope(None, {}))
    assert len(shapes._met) < 1000
