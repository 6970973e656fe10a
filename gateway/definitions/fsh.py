"""FHIR Shorthand: the profiles, extensions, value sets and code systems of a project that publishes its sources.

https://hl7.org/fhir/uv/shorthand/reference.html

Rules of cardinality, flags, types, values, bindings, slices, invariants and carets are read, and rule sets, with
parameters too.
Instances, mappings and logical models are passed over; what cannot be read is told with its file and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from gateway.definitions.fsh_grammar import KINDS, Entity, Rule, Unread, entities, filled, inserted, text
from gateway.definitions.fsh_names import CARETS, Json, Names
from gateway.definitions.fsh_writers import CodeSystem, Structure, ValueSet
from gateway.definitions.model import TypeDef

MOST_RULES: Final = 200_000
"""Rules of a project, those of rule sets counted each time that they are inserted."""
MOST_TEXT: Final = 10_000_000
"""Characters of all that rule sets with parameters become."""


def compiled(
    texts: Mapping[str, str], canonical: str, version: str, types: Mapping[str, TypeDef]
) -> tuple[list[Json], list[str]]:
    """The resources that the files define, and what in them cannot be read."""
    return _Project(texts, canonical.rstrip("/"), version, types).resources()


class _Project(Names):
    """The entities of all files, which name each other."""

    def __init__(self, texts: Mapping[str, str], canonical: str, version: str, types: Mapping[str, TypeDef]) -> None:
        super().__init__(canonical, types)
        self._version = version
        self._count = self._filled = 0
        for file, source in texts.items():
            for entity in entities(file, source, self.problems):
                if entity.kind == "Alias":
                    name, _, value = entity.name.partition("=")
                    self.aliases[name.strip()] = value.strip()
                elif entity.kind in KINDS:
                    if entity.name in self.entities:
                        self.problems.append(f"{entity.where}: there is another {entity.name}, which is not kept")
                    self.entities[entity.name] = entity

    def resources(self) -> tuple[list[Json], list[str]]:
        made = [self._resource(one) for one in self.entities.values() if one.kind not in ("Invariant", "RuleSet")]
        return made, self.problems

    def _resource(self, entity: Entity) -> Json:
        kind = CARETS.get(entity.kind, entity.kind)
        resource: Json = {
            "resourceType": kind,
            "id": entity.id,
            "url": f"{self.canonical}/{kind}/{entity.id}",
            "version": self._version,
            "name": entity.name,
            **({"title": text(entity.heads["Title"])} if "Title" in entity.heads else {}),
            "status": "draft",
            **({"description": text(entity.heads["Description"])} if "Description" in entity.heads else {}),
        }
        writers = {"ValueSet": ValueSet, "CodeSystem": CodeSystem}
        writer = writers.get(entity.kind, Structure)(self, entity, resource)
        for rule in self._rules(entity.rules):
            try:
                writer.add(rule)
            except (Unread, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                self.problems.append(f"{rule.where}: {error if isinstance(error, Unread) else 'cannot be read'}")
        writer.end()
        return resource

    def _rules(self, rules: Iterable[Rule], depth: int = 0) -> Iterator[Rule]:
        """The rules with those of the rule sets that they insert."""
        for rule in rules:
            self._count += 1
            if self._count > MOST_RULES:
                if self._count == MOST_RULES + 1:
                    self.problems.append(
                        f"{rule.where}: a project has at most {MOST_RULES} rules; the rest is not read"
                    )
                return
            if rule.words[0] != "insert":
                yield rule
                continue
            try:
                within = self._inserted(rule, depth)
            except Unread as problem:
                self.problems.append(f"{rule.where}: {problem}")
            else:
                yield from self._rules(within, depth + 1)

    def _inserted(self, rule: Rule, depth: int) -> list[Rule]:
        """The rules of the rule set that a rule inserts. Unread."""
        name, values = inserted(rule)
        found = self.entities.get(name)
        if found is None or found.kind != "RuleSet" or depth > 10:
            raise Unread(f"there is no rule set {name}")
        if len(values) != len(found.parameters):
            raise Unread(f"the rule set {name} has {len(found.parameters)} parameters, and {len(values)} are given")
        if found.parameters:
            longest = max(map(len, values))
            self._filled += sum(len(one.text) + one.text.count("{") * longest for one in found.rules)
            if self._filled > MOST_TEXT:
                raise Unread("what the rule sets with parameters become is too long")
        given = (filled(one, found.parameters, values) for one in found.rules)
        return [replace(one, indent=one.indent + rule.indent) for one in given if one.words]
