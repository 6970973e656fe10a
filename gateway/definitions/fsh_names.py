"""What the names of a FHIR Shorthand project mean: its own entities, its aliases, the types of R4.

https://hl7.org/fhir/uv/shorthand/reference.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.definitions.fsh_grammar import Entity, Unread, text
from gateway.definitions.model import TypeDef

Json = dict[str, Any]
CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
CARETS: Final = {"Profile": "StructureDefinition", "Extension": "StructureDefinition"}


class Names:
    """The entities of all files, which name each other."""

    def __init__(self, canonical: str, types: Mapping[str, TypeDef]) -> None:
        self.types = types
        self.problems: list[str] = []
        self.aliases: dict[str, str] = {}
        self.entities: dict[str, Entity] = {}
        self.canonical = canonical
        self.gaps = 0
        """How many places the indexes of carets have left empty."""

    def entity(self, name: str) -> Entity | None:
        """An entity of the project by its name or its id."""
        found = self.entities.get(name)
        return found or next((one for one in self.entities.values() if one.id == name), None)

    def url(self, name: str, kind: str = "StructureDefinition") -> str:
        """The canonical of a name: of the project's own, of an alias, of a type of R4; a url is itself."""
        name = self.aliases.get(name, name)
        entity = self.entity(name)
        if entity is not None:
            return f"{self.canonical}/{CARETS.get(entity.kind, entity.kind)}/{entity.id}"
        if ":" in name:
            return name
        return f"http://hl7.org/fhir/{kind}/{name}"

    def type_of(self, name: str) -> str | None:
        """The type of R4 that a profile, or a type by its own name, is of."""
        seen: set[str] = set()
        while name not in self.types and name not in seen:
            seen.add(name)
            entity = self.entities.get(name) or next(
                (one for one in self.entities.values() if self.url(one.name) == name), None
            )
            if entity is None:
                return name.removeprefix(CORE) if name.removeprefix(CORE) in self.types else None
            name = "Extension" if entity.kind == "Extension" else entity.heads.get("Parent", "")
            name = self.aliases.get(name, name)
        return name if name in self.types else None

    def invariant(self, name: str) -> Json:
        entity = self.entities.get(name)
        if entity is None or entity.kind != "Invariant":
            raise Unread(f"there is no invariant {name}")
        return {
            "key": name,
            "severity": entity.heads.get("Severity", "#error").lstrip("#"),
            "human": text(entity.heads.get("Description", "")) or name,
            "expression": text(entity.heads.get("Expression", "true")),
        }

    def coding(self, word: str, display: str | None = None) -> Json:
        system, _, code = word.partition("#")
        made: Json = {}
        if system:
            system = self.url(system, "CodeSystem")
            url, _, version = system.partition("|")
            made["system"] = url
            if version:
                made["version"] = version
        made["code"] = text(code)
        return made | ({"display": display} if display is not None else {})
