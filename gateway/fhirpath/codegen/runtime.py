"""The names that compiled expressions may call: nothing else is within their reach."""

from __future__ import annotations

from typing import Any

from gateway.fhirpath import navigate, operators, values
from gateway.fhirpath.environment import well_known
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions import FUNCTIONS, Run, collections, elements, tree
from gateway.fhirpath.model import Model
from gateway.fhirpath.values import Element, Items


class Extended(Exception):
    """A primitive was met that has an extension and no value: only the boxed code can tell it from nothing."""


def _extended() -> None:
    raise Extended


def _truth_of(items: Items) -> bool | None:
    return values.truth(values.one(items))


def _is_type(item: Any, name: str, model: Model) -> bool:
    """Whether an item is of a type, by namespace and inheritance."""
    namespace, kind = values.type_name(item)
    if name.startswith("System."):
        return namespace == "System" and kind == name[7:]
    if namespace == "FHIR":
        return model.is_a(kind, name)
    return namespace == "Source" and kind.rpartition("}")[2] == name


def _of_type(item: Any, name: str, model: Model) -> bool:
    """As `_is_type`, but a primitive has to be of just that type: a code is a string, `as(string)` does not give it."""
    if type(item) is Element:
        return item.type == name if not isinstance(item.value, dict) else model.is_a(item.type, name)
    own = getattr(item, "type", None)
    if own is not None and values.namespace(own) == "FHIR" and model.is_primitive(own):
        return bool(own == name)
    return _is_type(item, name, model)


def _holds(item: Any, name: str, model: Model) -> bool:
    """Whether an item is an Element with a JSON object of a type."""
    return type(item) is Element and isinstance(item.value, dict) and model.is_a(item.type, name)


def _start(item: Any, name: str, model: Model) -> Any:
    """A leading name: an element of the item, or the item's own type."""
    found = navigate.step(item, name, model)
    if not found and type(item) is Element and model.is_a(item.type, name):
        return [item]
    return found


def _variable(run: Run, name: str) -> Items:
    if name in run.env.variables:
        return values.collection(run.env.variables[name])
    if name in ("resource", "rootResource", "context"):
        return [] if run.root is None else [values.element(run.root)]
    constant = well_known(name)
    if constant is None:
        raise EvaluationError(f"There is no variable %{name}.", "The caller passes it in Environment(variables=…).")
    return [constant]


def _resource(value: Any) -> Element:
    return Element(value, value.get("resourceType"))


def _distinct_raw(items: Items) -> Items:
    found: Items = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


RUNTIME: dict[str, Any] = {
    **{f"op_{name}": call for table in (operators.ARITHMETIC, operators.ORDERING) for name, call in table.items()},
    **{f"op_{name}": call for table in (operators.LOGIC, operators.EQUALITY) for name, call in table.items()},
    **{f"op_{name}": call for name, call in operators.EQUIVALENCE.items()},
    **{f"fn_{name}": function.call for name, function in FUNCTIONS.items()},
    "concatenated": operators.concatenated,
    "negative": operators.negative,
    "positive": operators.positive,
    "member": operators.member,
    "one": values.one,
    "system": values.system,
    "from_fhir": values.from_fhir,
    "truth": values.truth,
    "truth_of": _truth_of,
    "box_all": values.box_all,
    "Element": Element,
    "distinct": values.distinct,
    "distinct_raw": _distinct_raw,
    "step": navigate.step,
    "own_value": navigate.own_value,
    "start": _start,
    "of_field": navigate.of_field,
    "at_index": navigate.at_index,
    "sort": collections.sort,
    "refers_to": tree.refers_to,
    "element_definitions": elements.element_definitions,
    "is_type": _is_type,
    "of_type": _of_type,
    "holds": _holds,
    "variable": _variable,
    "resource": _resource,
    "extended": _extended,
    "len": len,
    "E": (),
}
