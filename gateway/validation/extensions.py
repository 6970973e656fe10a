"""Extensions held to their definitions: whether they are known, may stand where they do, and change the meaning or not.

https://hl7.org/fhir/R4/extensibility.html, https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.fhirpath import Environment, FHIRPathError
from gateway.fhirpath import compile as compiled
from gateway.records import Resource
from gateway.validation.datatypes import Told
from gateway.validation.invariants import focus_of, verdict
from gateway.validation.spots import Spot
from gateway.validation.tree import CORE

OFFICIAL: Final = "http://hl7.org/fhir/StructureDefinition/"
ANYWHERE: Final = frozenset(
    f"{OFFICIAL}structuredefinition-{name}"
    for name in ("fmm", "standards-status", "wg", "normative-version", "fhir-type")
)
"""Extensions that R4's own definitions have elsewhere than these allow."""
EXAMPLES: Final = re.compile(r"https?://(?:[\w.-]+\.)?(?:example\.(?:org|com)|acme\.com)/")
"""Where nobody publishes anything: R4's examples have their extensions from there."""


def told(
    spot: Spot, structure: Resource | None, d: Definitions, environment: Callable[[], Environment]
) -> Iterator[Told]:
    """What is wrong with an extension by its definition's head; its content is held to it as to any profile."""
    url = spot.value.get("url")
    if type(url) is not str or ":" not in url:
        return
    modifies = spot.element is not None and spot.element.name == "modifierExtension"
    if structure is None:
        yield from _unknown(url, modifies=modifies)
        return
    if structure.get("type") != "Extension":
        text = "The definition of this url is not one of an extension."
        yield "error", "value", "extension-not-one", text, "url"
        return
    if _modifies(structure) is not modifies and spot.up is not None and spot.up.type != "Extension":
        name = "modifierExtension" if not modifies else "extension"
        text = f"By its definition this is written as {name}."
        yield "error", "structure", "extension-modifier", text, "url"
    contexts = structure.get("context")
    allowed = [one for one in contexts if isinstance(one, dict)] if isinstance(contexts, list) else []
    if allowed and url not in ANYWHERE and not any(_fits(spot, one, d, environment) for one in allowed):
        text = f"By its definition the extension stands in: {', '.join(str(one.get('expression')) for one in allowed)}."
        yield "error", "structure", "extension-context", text, "url"
    for rule in _unkept(spot, structure, d, environment):
        text = f"By its definition the extension stands where this holds: {rule}"
        yield "error", "invariant", "extension-context-rule", text, "url"


def _unkept(spot: Spot, structure: Resource, d: Definitions, environment: Callable[[], Environment]) -> Iterator[str]:
    """The rules of its definition that the element around an extension does not keep."""
    rules = structure.get("contextInvariant")
    if not isinstance(rules, list) or spot.up is None:
        return
    known = environment()
    env = replace(known, variables={**known.variables, "extension": focus_of(spot)})
    for rule in rules:
        if isinstance(rule, str):
            with suppress(FHIRPathError):
                good, _ = verdict(compiled(rule, None, d), focus_of(spot.up), env)
                if not good:
                    yield rule


def _unknown(url: str, *, modifies: bool) -> Iterator[Told]:
    if modifies and EXAMPLES.match(url) is None:
        text = "What an extension does that is not known here cannot be told, and it may change the meaning of all."
        yield "error", "extension", "modifier-extension-unknown", text, "url"
    elif url.startswith(OFFICIAL):
        text = "R4 defines no extension of this url: look at how it is written, or add the package that has it."
        yield "warning", "extension", "extension-unknown", text, "url"
    else:
        text = "The extension's definition is not held here: what it has is not looked at."
        yield "information", "extension", "extension-unknown", text, "url"


def _modifies(structure: Mapping[str, Any]) -> bool:
    for view in ("snapshot", "differential"):
        elements = structure.get(view, {}).get("element", ())
        for element in elements:
            if isinstance(element, dict) and element.get("path") == "Extension" and "isModifier" in element:
                return element["isModifier"] is True
    return False


def _fits(spot: Spot, context: Mapping[str, Any], d: Definitions, environment: Callable[[], Environment]) -> bool:
    holder, expression = spot.up, str(context.get("expression", ""))
    if holder is None:
        return True
    match context.get("type"):
        case "extension":
            return holder.type == "Extension" and _is_of_extension(holder, *expression.partition("#")[::2])
        case "fhirpath":
            try:
                path = compiled(expression, None, d)
                found = path(holder.frame.resource, environment())
            except FHIRPathError:
                return True
            return found == [True] or any(one is holder.value for one in found)
    url, _, within = expression.partition("#")
    if within and not url.startswith(CORE):
        return True  # An element of a profile: which one the resource is of is not looked at.
    name = within or expression.removeprefix(CORE)
    # What later versions call several types is not known in R4.
    return name.partition(".")[0] not in (*d.types, "*") or name in _names(holder, d)


def _is_of_extension(holder: Spot, url: str, part: str) -> bool:
    """Whether the holder is an extension, or that part of it, wherever in it the part stands."""
    if not part:
        return bool(_url_of(holder) == url)
    outer = holder.up
    while outer is not None and outer.type == "Extension" and _url_of(outer) != url:
        outer = outer.up
    return bool(_url_of(holder) == part) and outer is not None and outer.type == "Extension"


def _url_of(extension: Spot) -> Any:
    return extension.value.get("url") if type(extension.value) is dict else None


def _names(holder: Spot, d: Definitions) -> Iterator[str]:
    """All that a context can call the element that holds an extension."""
    yield from ("Element", "*") if d.types[holder.type].kind != "resource" else ("Element", "*", "Resource")
    kind: str | None = holder.type
    while kind is not None:
        yield kind
        kind = d.types[kind].base
    for path in _paths(holder):
        yield path
        yield path + "[x]"


def _paths(holder: Spot) -> Iterator[str]:
    """The element by its path, from each type around it and from those that they inherit from."""
    below = ""
    spot: Spot | None = holder
    while spot is not None and spot.up is not None and spot.element is not None:
        name = spot.element.choice_of or spot.element.name
        below = f".{name}{below}"
        yield f"{spot.up.type}{below}"
        owner = spot.element.path.rpartition(".")[0]
        yield f"{owner}{below}"
        # `Observation.valueQuantity` is written in some contexts.
        if spot is holder and spot.element.choice_of:
            yield f"{spot.up.type}.{spot.element.name}"
        if spot.up.frame is not spot.frame:
            return
        spot = spot.up
