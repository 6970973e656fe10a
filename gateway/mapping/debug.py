"""The trace of a run as Parameters: what FML editors replay.

The mapping language guide names the events (`enter`, `step`, `exit`), their depth, their place in the StructureMap and
the variables; FHIRPath Lab's debugger reads a `trace` whose parts have their place and variables as extensions. Each
part here is both: named after its event, with the extensions that the debugger reads and the guide's facts beside them.

https://build.fhir.org/ig/HL7/mapping-language-ig/debug.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway import __version__
from gateway.definitions import CANONICAL
from gateway.fhir.json import dump
from gateway.issues import Issue, operation_outcome
from gateway.mapping.steps import Step, Steps, Variable
from gateway.records import Resource

CURSOR = "http://fhirpath-lab.com/StructureDefinition/Cursor"
VARIABLE = "http://fhirpath-lab.com/StructureDefinition/Variable"
JSON_VALUE = "http://fhir.forms-lab.com/StructureDefinition/json-value"
OURS = f"{CANONICAL}/StructureDefinition/trace-"
"""Depth, place in the StructureMap, map, stretch of its text and messages: the guide's facts."""

Extension = dict[str, Any]


def parameters(
    result: Resource | None, steps: Steps, issues: Iterable[Issue], *, main: str, where: Mapping[int, str], whole: bool
) -> Resource:
    """`main` is the url of the map that was asked for, `where` the path of each node of the source by its id().

    Without `whole` the run was stopped by an error: what was entered then has no exit.
    """
    status = "truncated" if steps.truncated else "complete" if whole else "stopped"
    made: list[dict[str, Any]] = [{"name": "outcome", "resource": operation_outcome(issues)}]
    if result is not None:
        made.append({"name": "result", "valueString": dump(result).decode()})
        if "resourceType" in result:
            made.append({"name": "return", "resource": result})
    made.append({"name": "parameters", "part": [{"name": "evaluator", "valueString": f"Samverka {__version__}"}]})
    made.append({"name": "traceStatus", "valueCode": status})
    if steps.found:
        made.append({"name": "trace", "part": [_event(step, main, where) for step in steps.found]})
    return {"resourceType": "Parameters", "parameter": made}


def _event(step: Step, main: str, where: Mapping[int, str]) -> dict[str, Any]:
    start, end = step.place.utf16
    extensions: list[Extension] = []
    if step.place.map == main:  # A cursor does not say of which map it is: editors take it for the main one.
        extensions.append({"url": CURSOR, "valueString": f"{start} - {end}"})
    extensions += [_variable(one, where) for one in step.variables]
    extensions += [
        {"url": OURS + "depth", "valueInteger": step.depth},
        {"url": OURS + "position", "valueString": step.place.path},
        {"url": OURS + "map", "valueUri": step.place.map},
        {"url": OURS + "span", "valueString": f"{start} - {end}"},
        *({"url": OURS + "message", "valueString": text} for text in step.messages),
    ]
    return {
        "extension": [one for one in extensions if one.get("valueUri") != ""],
        "name": step.phase,
        "valueString": _words(step),
    }


def _words(step: Step) -> str:
    """The event in words; the debugger reads groups and rules, and how deep they are, out of them."""
    line, _ = step.place.text.place(step.place.span.start)
    if step.kind == "group":
        return f"Group : {step.place.label}"
    shown = step.place.text.content[step.place.span.start : step.place.span.end].strip()
    indent = "  " * max(step.depth - 1, 0)
    return f"{indent}{'rule' if step.kind == 'rule' else 'target'} : {' '.join(shown.split())[:120]} (line {line})"


def _variable(one: Variable, where: Mapping[int, str]) -> Extension:
    parts: list[Extension] = [{"url": f"name-{one.mode.upper()}", "valueString": one.name}]
    if one.node is not None and (path := where.get(id(one.node))):
        parts.append({"url": "path", "valueString": path})
    if one.type:
        parts.append({"url": "datatype", "valueString": one.type})
    if one.value is not None:
        parts.append({"url": JSON_VALUE, "valueString": one.value})
    return {"url": VARIABLE, "extension": parts}
