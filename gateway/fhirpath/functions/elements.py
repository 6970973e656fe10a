"""What FHIR says of an element: its definition, and the extensions that change its meaning.

https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.definitions import ElementDef
from gateway.fhirpath import navigate, values
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import Run, listed
from gateway.fhirpath.values import Element, Items, system

_PROFILE = "http://hl7.org/fhir/StructureDefinition/"


def element_definitions(run: Run, parents: Items, name: str) -> Items:
    """For each element of a name below the parents its ElementDefinition, as R4 has it."""
    found: Items = []
    for parent in parents:
        known = run.model.types.get(values.type_name(parent)[1])
        if known is not None:
            types = [of for of in known.elements.values() if name in (of.name, of.choice_of)]
            described = Element(_described(types, run), "ElementDefinition") if types else None
            found += [described for _ in navigate.step(parent, name, run.model) if described]
    return found


def _described(types: Sequence[ElementDef], run: Run) -> dict[str, Any]:
    """The definition of an element; of a choice there is one for each type."""
    first = types[0]
    owner = first.path.rpartition(".")[0]
    path = f"{owner}.{first.choice_of}[x]" if first.choice_of else first.path
    most = "*" if first.max is None else str(first.max)
    told: dict[str, Any] = {"id": path, "path": path, "min": first.min, "max": most}
    told["type"] = [_typed(of, run) for of in types]
    told |= {"isModifier": first.is_modifier, "isSummary": first.is_summary}
    if first.binding is not None:
        strength, value_set = first.binding
        told["binding"] = {"strength": strength, "valueSet": value_set}
    return told


def _typed(of: ElementDef, run: Run) -> dict[str, Any]:
    known = run.model.types.get(of.type)
    code = known.base if known is not None and known.kind == "backbone" and known.base else of.type
    targets = {"targetProfile": [_PROFILE + target for target in of.targets]} if of.targets else {}
    return {"code": code, **targets}


@listed("checkModifiers", "list", required=0, run=True)
def check_modifiers(run: Run, items: Items, known: Items = ()) -> Items:  # type: ignore[assignment]
    """The items, where none has a modifying extension but those that are named."""
    urls = {system(url) for url in known}
    for item in items:
        for extension in navigate.step(item, "modifierExtension", run.model):
            for url in navigate.step(extension, "url", run.model):
                if system(url) not in urls:
                    raise EvaluationError(f"A modifying extension is not known here: {system(url)}.")
    return items
