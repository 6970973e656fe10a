"""Every FHIRPath expression of R4's search parameters and invariants, on R4's examples, beside fhirpathpy.

    .venv/bin/python -m bench.second_opinion EXAMPLES [--state var/second-opinion.json] [--show CLASS]

EXAMPLES is a folder with the specification's examples as JSON. What has been compared is kept in the state, so that a
run goes on where it was stopped. A difference has a class (`bench/differences.py`); one of no class makes the end 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from bench.differences import CLASSES, Difference, classified
from gateway.definitions import load
from gateway.fhirpath import Element, Environment, FHIRPathError, compile

JSON = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DEFINITIONS = load()
MOST_PLACES = 5
"""Of an element that comes more often in one example, the first are enough to differ on."""


@dataclass(frozen=True)
class Asked:
    """An expression, the type it is about, and the places of an example where it is asked."""

    kind: str
    expression: str
    context: str


def questions(resource: JSON) -> Iterator[tuple[Asked, Any]]:
    """What R4 asks of a resource: search parameters of it, invariants of it and of its elements."""
    name = resource["resourceType"]
    for parameter in DEFINITIONS.search_parameters(name).values():
        if parameter.expression:
            yield Asked("search parameter", parameter.expression, name), resource
    asked: Counter[Asked] = Counter()
    for path, context, value in places(name, resource):
        for expression in invariants(path, context):
            question = Asked("invariant", expression, context)
            asked[question] += 1
            if asked[question] <= MOST_PLACES:
                yield question, value


def places(context: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Every object and primitive of a resource: its path, its type and itself."""
    yield from below(context, context, value)


def below(path: str, context: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    yield path, context, value
    for name, element in DEFINITIONS.types[context].elements.items():
        found = value.get(name)
        for child in found if isinstance(found, list) else [found]:
            if isinstance(child, dict):
                inner = child.get("resourceType", element.type)
                if inner in DEFINITIONS.types:
                    yield from below(element.path, inner, child)
            elif child is not None and element.type in DEFINITIONS.types:
                yield element.path, element.type, child


@cache
def invariants(path: str, context: str) -> list[str]:
    """The rules for what stands at a path and is of a type, those of what the type is made of included."""
    found: dict[str, None] = {}
    owners = [path.partition(".")[0]]
    current: str | None = context
    while current is not None:
        owners.append(current)
        current = DEFINITIONS.types[current].base if current in DEFINITIONS.types else None
    for owner in owners:
        for invariant in DEFINITIONS.invariants.get(owner, ()):
            if invariant.path == path or invariant.path == owner != path.partition(".")[0] or invariant.path == context:
                found[invariant.expression] = None
    return list(found)


def ours(asked: Asked, value: Any, resource: JSON) -> list[str]:
    environment = Environment(
        variables={"resource": resource, "rootResource": resource}, now=NOW, resolve=lambda _: None
    )
    try:
        focus = value if isinstance(value, dict) else Element(value, asked.context)
        found = compile(asked.expression, asked.context, DEFINITIONS)(focus, environment)
    except FHIRPathError as problem:
        return [f"refused: {problem.problems[0].text}"]
    return shown(found)


def has_value(items: list[Any]) -> list[Any]:
    return [len(items) == 1 and not isinstance(data(items[0]), dict) and data(items[0]) is not None]


def data(item: Any) -> Any:
    return getattr(item, "data", item)


# Functions of FHIR that fhirpathpy leaves to its caller. Neither side has a server: nothing is resolved.
GIVEN = {"hasValue": {"fn": has_value, "arity": {0: []}}, "resolve": {"fn": lambda _: [], "arity": {0: []}}}


@cache
def other(expression: str) -> Callable[..., Any] | str:
    import fhirpathpy
    from fhirpathpy.models import models

    options = {"userInvocationTable": GIVEN, "traceFn": lambda *_: None}
    try:
        return fhirpathpy.compile(expression, models["r4"], options)  # type: ignore[no-any-return]
    except Exception as problem:
        return f"refused: {problem}"[:200]


def theirs(asked: Asked, value: Any, resource: JSON) -> list[str]:
    from fhirpathpy.engine.nodes import ResourceNode

    path = other(asked.expression)
    if isinstance(path, str):
        return [path]
    focus = value if value is resource else ResourceNode.create_node(value, asked.context)
    try:
        return shown(path(focus, {"resource": resource, "rootResource": resource}))
    except Exception as problem:
        return [f"refused: {problem}"[:200]]


def shown(values: list[Any]) -> list[str]:
    return sorted(json.dumps(plain(value), sort_keys=True) for value in values)


def plain(value: Any) -> Any:
    """JSON of what either library gives; numbers as floats, for fhirpathpy reads no other."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return float(value)
    return value if isinstance(value, str | bool | float | None) else str(value)


def compare(example: Path) -> tuple[Counter[str], list[JSON], set[str]]:
    """How many answers are alike and how many in each class of differences; the differences; the expressions."""
    content = example.read_text(encoding="utf-8")
    exact, rough = json.loads(content, parse_float=Decimal), json.loads(content)
    counted: Counter[str] = Counter()
    differences: list[JSON] = []
    expressions: set[str] = set()
    for (asked, value), (_, same) in zip(questions(exact), questions(rough), strict=True):
        expressions.add(asked.expression)
        mine, others = ours(asked, value, exact), theirs(asked, same, rough)
        name = (
            "alike" if mine == others else classified(Difference(asked.expression, asked.context, value, mine, others))
        )
        counted[name] += 1
        if name != "alike":
            told = {"class": name, "kind": asked.kind, "expression": asked.expression, "context": asked.context}
            differences.append({**told, "example": example.name, "ours": mine[:3], "fhirpathpy": others[:3]})
    return counted, differences, expressions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=Path)
    parser.add_argument("--state", type=Path, default=Path("var/second-opinion.json"))
    parser.add_argument("--show", help="print the differences of this class, each expression once")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    state: JSON = {"done": [], "counted": {}, "differences": [], "expressions": [], "cpu": 0.0}
    if given.state.exists():
        state = json.loads(given.state.read_text())
    begun = time.process_time()
    files = [file for file in sorted(given.examples.glob("*.json")) if file.name not in set(state["done"])]
    for number, file in enumerate(files, 1):
        if json.loads(file.read_text(encoding="utf-8")).get("resourceType") in DEFINITIONS.resource_types:
            counted, differences, expressions = compare(file)
            state["counted"] = dict(Counter(state["counted"]) + counted)
            state["differences"] += differences
            state["expressions"] = sorted({*state["expressions"], *expressions})
        state["done"].append(file.name)
        if number % 20 == 0 or file == files[-1]:
            state["cpu"] += time.process_time() - begun
            begun = time.process_time()
            given.state.parent.mkdir(parents=True, exist_ok=True)
            given.state.write_text(json.dumps(state))
    report(state, given.show)


def report(state: JSON, show: str | None) -> None:
    counted = Counter(state["counted"])
    print(
        f"{len(state['expressions'])} expressions on {len(state['done'])} examples, {counted.total():,} answers, "
        f"{state['cpu']:.0f} s of CPU"
    )
    for name, count in counted.most_common():
        of = {difference["expression"] for difference in state["differences"] if difference["class"] == name}
        print(f"{count:8,}  {name}" + (f": {len(of)} expressions ({CLASSES[name][0]})" if name in CLASSES else ""))
    seen = set()
    for difference in state["differences"]:
        if difference["class"] == show and difference["expression"] not in seen:
            seen.add(difference["expression"])
            print(json.dumps(difference, ensure_ascii=False))
    sys.exit(1 if "unexplained" in counted else 0)


if __name__ == "__main__":
    main()
