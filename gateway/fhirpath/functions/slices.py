"""`slice()`: those of the elements that a slice of a profile means, told apart by its discriminators.

https://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.fhirpath import navigate, values
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import Run, listed
from gateway.fhirpath.values import Element, Items
from gateway.records import Resource

# What an extension is told apart by, where a differential does not repeat it.
_BY_URL = ({"type": "value", "path": "url"},)


@listed("slice", "value", "value", run=True)
def slice_of(run: Run, items: Items, structure: Any, name: Any) -> Items:
    """The items that are in the slice."""
    profile: Resource | None = None if run.env.structure is None else run.env.structure(str(structure))
    if profile is None:
        raise EvaluationError("This structure is not known here.", "The caller passes Environment(structure=…).")
    elements = (profile.get("snapshot") or profile.get("differential") or {}).get("element", [])
    sliced: Resource | None = next((element for element in elements if element.get("sliceName") == name), None)
    if sliced is None:
        raise EvaluationError("The structure has no slice of this name.")
    below = {element.get("id", ""): element for element in elements}
    by = _discriminators(sliced, below)
    return [item for item in items if all(_meets(run, item, one, sliced, below) for one in by)]


def _discriminators(sliced: Resource, elements: Mapping[str, Resource]) -> Sequence[Resource]:
    """Those of the element that is sliced; its id is the slice's without the slice's name."""
    whole = elements.get(sliced.get("id", "").rpartition(":")[0], {})
    found: Sequence[Resource] = whole.get("slicing", {}).get("discriminator", ())
    if not found and sliced.get("path", "").endswith(("extension", "modifierExtension")):
        return _BY_URL
    if not found:
        raise EvaluationError("The slice has no discriminator: which elements it means is not known.")
    return found


def _meets(run: Run, item: Any, by: Resource, sliced: Resource, elements: Mapping[str, Resource]) -> bool:
    path = by.get("path", "$this")
    test = _TESTS.get(by.get("type", ""))
    if test is None or "(" in path:
        raise EvaluationError("The slice's discriminator is none that is known here.")
    found = [item]
    says = sliced
    if path != "$this":
        for step in path.split("."):
            found = [kid for one in found for kid in navigate.step(one, step, run.model)]
        says = elements.get(f"{sliced.get('id', '')}.{path}", {})
    if path == "url" and not _asked(says):
        # An extension's url is that of the profile which the slice has for its type.
        profiles = [url for kind in sliced.get("type", ()) for url in kind.get("profile", ())]
        says = {"fixedUri": profiles[0]} if profiles else says
    return test(run, found, says)


def _asked(says: Resource) -> tuple[bool, Any] | None:
    """What an element is to be: whether exactly so, and the value."""
    for name, value in says.items():
        if name.startswith(("fixed", "pattern")):
            return name.startswith("fixed"), value
    return None


def _by_value(run: Run, found: Items, says: Resource) -> bool:
    asked = _asked(says)
    if asked is None:
        raise EvaluationError("The slice does not say which value it means.")
    exactly, wanted = asked
    return any(_same(run, one, wanted) if exactly else _contains(run, one, wanted) for one in found)


def _same(run: Run, item: Any, wanted: Any) -> bool:
    given = values.raw(item)
    if isinstance(wanted, dict) and not isinstance(given, dict):
        # A source's node: all of the value, and as many elements.
        return _contains(run, item, wanted) and len(getattr(item, "kids", ())) == len(wanted)
    return bool(given == wanted)


def _contains(run: Run, item: Any, wanted: Any) -> bool:
    """Whether a value has all of a pattern: https://hl7.org/fhir/R4/elementdefinition.html#pattern"""
    if not isinstance(wanted, dict):
        return bool(values.raw(item) == wanted)
    for name, part in wanted.items():
        kids = navigate.step(item, name, run.model)
        if not all(
            any(_contains(run, kid, one) for kid in kids) for one in (part if isinstance(part, list) else [part])
        ):
            return False
    return True


def _by_existence(_: Run, found: Items, says: Resource) -> bool:
    return not found if says.get("max") == "0" else bool(found)


def _by_type(run: Run, found: Items, says: Resource) -> bool:
    kinds = [kind.get("code", "") for kind in says.get("type", ())]
    return any(run.model.is_a(values.type_name(one)[1], kind) for one in found for kind in kinds)


def _by_profile(run: Run, found: Items, says: Resource) -> bool:
    profiles = [url for kind in says.get("type", ()) for url in kind.get("profile", ())]
    asked = run.env.conforms_to
    if asked is None or not profiles:
        raise EvaluationError("This profile is not known here.")
    resources = [one.value for one in found if isinstance(one, Element)]
    return any(asked(resource, url) is True for resource in resources for url in profiles)


_TESTS: Mapping[str, Callable[[Run, Items, Resource], bool]] = {
    "value": _by_value,
    "pattern": _by_value,
    "exists": _by_existence,
    "type": _by_type,
    "profile": _by_profile,
}
