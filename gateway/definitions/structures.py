"""Types and invariants from their table rows.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.definitions.model import ElementDef, Invariant, TypeDef
from gateway.definitions.tables import Table

Row = dict[str, Any]


def types(lines: Mapping[str, Any]) -> Table[TypeDef]:
    """All types; one is built, with those it inherits from, when it is first looked at."""

    def build(name: str, row: Row) -> TypeDef:
        base: str | None = row.get("base")
        elements: dict[str, ElementDef] = dict(table[base].elements) if base else {}
        choices: dict[str, Mapping[str, str]] = dict(table[base].choices) if base else {}
        for entry in row.get("elements", ()):
            _add(name, entry, elements, choices)
        return TypeDef(name, row["kind"], base, row.get("abstract", False), elements, choices)

    table = Table(lines, build)
    return table


def _add(owner: str, row: list[Any], elements: dict[str, ElementDef], choices: dict[str, Mapping[str, str]]) -> None:
    """Add one element row to its type's elements: `[name, cardinality, types, options]`."""
    name, cardinality, codes = row[:3]
    options: Row = row[3] if len(row) > 3 else {}
    low, _, high = cardinality.partition("..")
    path = f"{owner}.{name}"
    order = len(elements)
    choice = name[:-3] if name.endswith("[x]") else None
    names: dict[str, str] = {}
    for code in codes.split("|"):
        json_name = choice + code[0].upper() + code[1:] if choice else name
        names[code] = json_name
        elements[json_name] = ElementDef(
            name=json_name,
            path=path,
            type=_type(path, code),
            min=int(low),
            max=None if high == "*" else int(high),
            targets=tuple(options.get("targets", {}).get(code, ())),
            binding=tuple(options["binding"]) if "binding" in options else None,
            is_summary=options.get("summary", False),
            is_modifier=options.get("modifier", False),
            order=order,
            choice_of=choice,
            profiles=tuple(options.get("profiles", {}).get(code, ())),
            limit=options.get("limit"),
        )
    if choice:
        choices[choice] = names


def _type(path: str, code: str) -> str:
    """`.` is a backbone described at this very path; `#path` is one described elsewhere (contentReference)."""
    if code == ".":
        return path
    return code.removeprefix("#")


def invariants(types_of: Table[TypeDef], lines: Mapping[str, Any]) -> Table[tuple[Invariant, ...]]:
    """The rules that hold for a type or a path, those of its bases first."""
    own = Table(lines, _rules)

    def build(name: str, _: object) -> tuple[Invariant, ...]:
        base = types_of[name].base
        return (*(table[base] if base else ()), *own[name])

    table: Table[tuple[Invariant, ...]] = Table(lines, build)
    return table


def _rules(name: str, row: Row) -> tuple[Invariant, ...]:
    return tuple(
        Invariant(key, severity, human, expression, f"{name}.{rest[0]}" if rest else name)
        for key, severity, human, expression, *rest in row.get("rules", ())
    )


def profile(url: str, row: Row) -> Row:
    """A StructureDefinition from its row; an element's id is its path, where the row has none."""
    elements = [{"id": one["path"], **one} for one in row["differential"]]
    return {**row, "resourceType": "StructureDefinition", "url": url, "differential": {"element": elements}}
