"""Profiles by their canonical: those that are kept, those that are shipped, and R4's own; each with its bases.

https://hl7.org/fhir/R4/profiling.html#snapshot
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.fhir.json import dump, parse
from gateway.records import Resource
from gateway.validation.surroundings import Surroundings
from gateway.validation.tree import CORE, Tree, tree

DEEPEST: Final = 30
"""Profiles that stand on one another."""


class Unusable(Exception):
    """A profile cannot be used; the text says why, and what to do."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule, self.text = rule, text


class Library:
    """The trees of profiles, each made once in a validation; those of R4 once in a snapshot."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._made: dict[str, Tree | Unusable] = {}
        self._structures: dict[str, Resource | None] = {}

    def structure(self, canonical: str) -> Resource | None:
        """The StructureDefinition: what is kept goes before what is shipped."""
        if canonical not in self._structures:
            found = self._around.structure(canonical)
            self._structures[canonical] = found if found is not None else shipped(self._around.definitions, canonical)
        return self._structures[canonical]

    def is_type(self, canonical: str) -> str | None:
        """The type of R4 that a canonical names, if it names one."""
        name = canonical.partition("|")[0].removeprefix(CORE)
        return name if "." not in name and name in self._around.definitions.types else None

    def find(self, canonical: str) -> Tree:
        """The profile. Unusable."""
        found = self._made.get(canonical)
        if found is None:
            try:
                found = self._make(canonical, ())
            except Unusable as error:
                found = error
            self._made[canonical] = found
        if isinstance(found, Unusable):
            raise found
        return found

    def _make(self, canonical: str, below: tuple[str, ...]) -> Tree:
        url = canonical.partition("|")[0]
        if url in below or len(below) > DEEPEST:
            way = " → ".join((*below, url))
            raise Unusable("profile-circular", f"The profile stands on itself: {way}. Mend its baseDefinition.")
        structure = self.structure(canonical)
        if structure is None:
            whose = f", which {below[-1]} stands on," if below else ""
            text = f"The profile {canonical}{whose} is not held here: store it, or add the package that has it."
            raise Unusable("profile-unknown", text)
        d = self._around.definitions
        if structure.get("type") not in d.types:
            text = f"The profile {canonical} is of the type {structure.get('type')}, which R4 does not have."
            raise Unusable("profile-type-unknown", text)
        own = _elements(structure, "differential")
        whole = _elements(structure, "snapshot")
        if own is None and whole is None:
            raise Unusable("profile-empty", f"The profile {canonical} has neither a differential nor a snapshot.")
        base: Tree | None = None
        parent = structure.get("baseDefinition")
        if own is not None and isinstance(parent, str) and self.is_type(parent) is None:
            try:
                base = self._make(parent, (*below, url))
            except Unusable as error:
                if whole is None or error.rule == "profile-circular":
                    raise
                own = None
        view = "differential" if own is not None else "snapshot"
        return _tree(d, dump({**_head(structure), view: {"element": own or whole}}), view, base)


HEAD: Final = ("url", "type", "context", "contextInvariant")


def _head(structure: Resource) -> Resource:
    return {name: structure[name] for name in HEAD if name in structure}


@lru_cache(maxsize=512)
def _tree(d: Definitions, body: bytes, view: str, base: Tree | None) -> Tree:
    """By its content and its base: another version of a profile is another tree."""
    structure = parse(body)
    return tree(structure, structure[view]["element"], base, d)


def _elements(structure: Resource, view: str) -> list[dict[str, Any]] | None:
    held = structure.get(view)
    found = held.get("element") if isinstance(held, dict) else None
    elements = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return elements or None


@lru_cache(maxsize=4096)
def shipped(d: Definitions, canonical: str) -> Resource | None:
    """A StructureDefinition of ours or of R4; of another version than is asked for, none."""
    url, _, version = canonical.partition("|")
    own = d.resources.get(url)
    if own is not None and own["resourceType"] == "StructureDefinition":
        return own if version in ("", own.get("version", "")) else None
    if url in d.profiles and version in ("", "4.0.1", "4.0"):
        return d.profiles[url]
    return None
