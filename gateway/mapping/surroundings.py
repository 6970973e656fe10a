"""What a map's expressions may ask for besides their variables: all of it comes with the record or the definitions.

`resolve()` finds what the source itself holds: contained resources and the other entries of its Bundle. `memberOf()`
knows the value sets that can be written out, `subsumes()` the code systems and `slice()` the profiles that are shipped;
`now()` is when the record was received.
https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.definitions import Definitions
from gateway.fhirpath.environment import Environment
from gateway.formats import Node
from gateway.mapping import primitives
from gateway.terminology import Terminology


def of(
    source: Any, variables: Mapping[str, Any], definitions: Definitions, now: datetime | None, untold: list[str]
) -> Environment:
    """The environment of one run: nothing is looked for before it is asked for. `untold` gets what `trace()` says."""

    def trace(name: str, values: list[Any]) -> None:
        shown = [primitives.as_text(one.value if isinstance(one, Node) else one) for one in values]
        untold.append(f"{name}: {', '.join(shown)}")

    return Environment(
        variables=variables,
        resolve=_resolver(source),
        member_of=_member_of(definitions),
        subsumes=_subsumes(definitions),
        structure=definitions.resources.get,
        now=now,
        trace=trace,
    )


def _resolver(source: Any) -> Callable[[str], Any]:
    known: dict[str, Node] = {}

    def resolve(reference: str) -> Node | None:
        if not known and isinstance(source, Node):
            known[""] = source
            for name, node in _resources(source):
                known.setdefault(name, node)
        return known.get(reference) or known.get(reference.partition("/_history/")[0])

    return resolve


def _resources(root: Node) -> Iterator[tuple[str, Node]]:
    """Every resource of a source by what a reference may call it."""
    for entry in root.kids.get("entry", ()):
        for node in entry.kids.get("resource", ()):
            yield from _names(node)
            if url := entry.text("fullUrl"):
                yield url, node
    for node in (*root.kids.get("resource", ()), root):
        yield from _names(node)


def _names(node: Node) -> Iterator[tuple[str, Node]]:
    if node.type and (own := node.text("id")):
        yield f"{node.type}/{own}", node
    for inner in node.kids.get("contained", ()):
        yield f"#{inner.text('id')}", inner


def _member_of(definitions: Definitions) -> Callable[[Any, str], bool | None]:
    def member_of(item: Any, url: str) -> bool | None:
        codes = definitions.codes(url.partition("|")[0])
        if codes is None:
            return None
        return any(code in codes if code[0] else code[1] in {one for _, one in codes} for code in _codings(item))

    return member_of


def _subsumes(definitions: Definitions) -> Callable[[str, str, str], bool | None]:
    def subsumes(system: str, upper: str, lower: str) -> bool | None:
        below = Terminology(definitions).below(system, upper)
        return None if below is None else lower in below

    return subsumes


def _codings(item: Any) -> Iterator[tuple[str, str]]:
    """System and code of a code, a Coding or a CodeableConcept, as JSON or as nodes."""
    if isinstance(item, Node):
        if item.value is not None:
            yield "", str(item.value)
        elif item.kids.get("coding"):
            for coding in item.kids["coding"]:
                yield coding.text("system"), coding.text("code")
        else:
            yield item.text("system"), item.text("code")
    elif isinstance(item, dict):
        for coding in item.get("coding", [item]):
            yield coding.get("system", ""), coding.get("code", "")
    else:
        yield "", str(item)
