"""From a source's values to FHIR's: primitives by type, elements by their definition, choices by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from gateway.definitions import ElementDef
from gateway.formats import FhirType, Node
from gateway.formats.fhir_nodes import FhirNode
from gateway.mapping import plainly, primitives
from gateway.mapping.runtime import Run
from gateway.mapping.times import Unfit


def _taking(name: str, convert: primitives.Convert) -> Take:
    """The conversion of anything a rule can hold; times may have to mark an ambiguous hour."""
    timed = name in ("date", "dateTime", "instant")
    plain = primitives.PLAIN.get(name, _never)

    def take(run: Run, argument: Any, site: int, at: Any) -> Any:
        if argument.__class__ is str and plain(argument):
            return argument
        if isinstance(argument, Node):
            at = argument
            argument = argument.value
            if argument is None:
                if at.kids and at.type.__class__ is not FhirType:
                    run.unfit(site, at, "the source has parts here and no value, so the map has to name a part")
                return None
        if argument is None or argument == "":
            return None
        if argument.__class__ is dict or argument.__class__ is list:
            run.unfit(site, at, "one simple value is expected")
            return None
        if timed:
            run.at(site, at)
        try:
            found = convert(argument, run.zone, run.ambiguous)
        except Unfit as error:
            if primitives.as_text(argument).strip():  # Blanks say nothing.
                run.unfit(site, at, str(error))
            return None
        return None if found == "" else found

    return take


def _never(text: str) -> bool:
    return False


def _of_node(name: str, take: Take) -> TakeNode:
    """The conversion of a node of the source, which mostly holds text that is of the type as it stands."""
    plain = primitives.PLAIN.get(name, _never)

    def take_node(run: Run, node: Node, site: int) -> Any:
        value = node.value
        if value.__class__ is str and plain(value):
            return value
        return take(run, node, site, node)

    return take_node


Take = Callable[[Run, Any, int, Any], Any]
TakeNode = Callable[[Run, Node, int], Any]
TAKE: dict[str, Take] = {name: _taking(name, convert) for name, convert in primitives.CONVERT.items()}
"""For each primitive type: the value as that type, or None and an issue."""
TAKE_NODE = {name: _of_node(name, take) for name, take in TAKE.items()}
"""The same of what is known to be a node."""


def cast(run: Run, type_name: str, site: int, at: Any, argument: Any) -> Any:
    return TAKE[type_name](run, argument, site, at)


def bound_code(run: Run, code: Any, site: int, at: Any) -> Any:
    """A code that its value set allows; another would make the resource invalid."""
    allowed = run.program.sites[site].codes
    if code is None or allowed is None or code in allowed:
        return code
    path = run.program.sites[site].path
    text = f"The code is none that {path} may have. The field was left out; translate it with a ConceptMap."
    run.report(run.field, "code-invalid", "code-not-in-value-set", text, site, at)
    return None


def complex_value(run: Run, type_name: str | None, argument: Any, site: int, at: Any) -> Any:
    """A value for a complex element: as it was made, or the source's element with the names the type knows."""
    if argument is None:
        return None
    if isinstance(argument, dict):
        return argument or None
    if isinstance(argument, Node):
        made = copied(run, argument, type_name, site) or None
        if made is None and argument.value not in (None, "") and argument.type.__class__ is not FhirType:
            path = run.program.sites[site].path
            how = _MADE_BY.get(type_name or "", "fill its elements, each by a rule")
            text = f"{path} is a {type_name}, which a plain value does not become; it was left out. In the map: {how}."
            run.report(run.field, "value", "value-not-valid", text, site, argument)
        return made
    run.unfit(site, at, f"a {type_name} is expected, made with create or by a transform")
    return None


_MADE_BY = {
    "CodeableConcept": "translate(v, table, 'CodeableConcept') or cc(system, v)",
    "Coding": "translate(v, table, 'Coding') or c(system, v)",
    "Identifier": "id(system, v)",
    "ContactPoint": "cp(v)",
    "Quantity": "qty(v)",
}
"""What makes an element of a plain value. A copy cannot: a plain value has no parts to be copied by their names."""


def copied(run: Run, node: Node, type_name: str | None, site: int) -> Any:
    """A source element as FHIR JSON, element by element; what the type does not know is left out and told.

    Where the map has a default group (`<<types>>`) for an element's type, that makes it.
    """
    copier = run.copiers.get(type_name or "")
    if copier is not None:
        filled: dict[str, Any] = {}
        copier(run, 1, node, filled)
        return filled
    if node.__class__ is FhirNode and not run.copiers and type_name is not None and type_name == node.type:
        made = plainly.copy(node.raw, type_name, run.zone, run.tick)
        if made is not None:
            return made
    kids = node.kids
    own = kids["resourceType"][0] if "resourceType" in kids else None
    if own is not None:
        type_name = str(own.value)
    known = run.definitions.types.get(type_name or "")
    if known is None:
        return plain(node)
    found: dict[str, Any] = {"resourceType": type_name} if own is not None else {}
    for name, nodes in kids.items():
        if name == "resourceType" and own is not None:
            continue
        run.tick()
        element = known.elements.get(name)
        if element is None:
            text = f"{type_name} has no such element in R4; it was left out. Ask the source to send R4."
            run.report(run.field, "structure", "unknown-element", text, site, nodes[0])
            continue
        if not element.is_list and len(nodes) > 1:
            text = f"{type_name}.{name} holds one value and the source has several; the first was taken."
            run.report(run.field, "structure", "several-values", text, site, nodes[1])
        take = TAKE.get(element.type)
        if take is not None:
            _copy_primitives(run, nodes, take, element, found, site)
            continue
        parts = [part for each in nodes if (part := copied(run, each, element.type, site))]
        if parts:
            found[name] = parts if element.is_list else parts[0]
    return found


def _copy_primitives(
    run: Run, nodes: Sequence[Node], take: Take, element: ElementDef, found: dict[str, Any], site: int
) -> None:
    """Primitives with what FHIR keeps beside them: ids and extensions go under the name with `_`."""
    if len(nodes) == 1 and not nodes[0].kids:  # As most are.
        value = take(run, nodes[0], site, nodes[0])
        if value is not None:
            found[element.name] = [value] if element.is_list else value
        return
    values = [take(run, node, site, node) if node.value is not None else None for node in nodes]
    about = [copied(run, node, "Element", site) or None if node.kids else None for node in nodes]
    both = [(value, meta) for value, meta in zip(values, about, strict=True) if value is not None or meta is not None]
    for name, parts in ((element.name, [v for v, _ in both]), ("_" + element.name, [m for _, m in both])):
        if any(part is not None for part in parts):
            found[name] = parts if element.is_list else parts[0]


def plain(node: Node) -> Any:
    """A source element as JSON where no definition says how: one is itself, several are a list."""
    if not node.kids:
        return node.value
    found = {}
    for name, nodes in node.kids.items():
        parts = [part for each in nodes if (part := plain(each)) is not None]
        if parts:
            found[name] = parts if len(parts) > 1 else parts[0]
    return found


def opened(argument: Any) -> Any:
    """A value for a structure without definition."""
    return plain(argument) if isinstance(argument, Node) else argument


_CHOOSE: tuple[tuple[type, tuple[str, ...]], ...] = (
    (bool, ("boolean",)),
    (int, ("integer", "decimal", "positiveInt", "unsignedInt")),
    (Decimal, ("decimal",)),
    (str, ("string", "code", "markdown", "uri")),
)


def choose(run: Run, choices: dict[str, str], argument: Any, site: int, at: Any) -> tuple[str, Any] | None:
    """Key and value for a choice element whose type only the value can tell."""
    if argument is None:
        return None
    type_name = _type_of(argument, choices)
    if type_name is None:
        run.unfit(site, at, f"its type cannot be told, so the map has to say it: one of {', '.join(choices)}")
        return None
    take = TAKE.get(type_name)
    made = take(run, argument, site, at) if take else complex_value(run, type_name, argument, site, at)
    return None if made is None else (choices[type_name], made)


def _type_of(argument: Any, choices: dict[str, str]) -> str | None:
    if isinstance(argument, Node):
        for type_name, key in choices.items():  # FHIR's own: `valueQuantity` in the source too.
            if argument.name == key or argument.name.endswith(type_name[0].upper() + type_name[1:]):
                return type_name
        argument = argument.value
    named = {"Date": "date", "DateTime": "dateTime", "Time": "time", "Quantity": "Quantity"}
    own = named.get(type(argument).__name__)
    if own in choices:
        return own
    for kind, names in _CHOOSE:
        if isinstance(argument, kind):
            return next((name for name in names if name in choices), None)
    return None
