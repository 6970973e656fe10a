"""A numbered snapshot of all definitions: the R4 tables, and the conformance resources laid over them.

https://hl7.org/fhir/R4/conformance-module.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache, cached_property

import orjson

from gateway.definitions import codes, operations, searchparameters, structures, tables
from gateway.definitions.codes import CodeSystem
from gateway.definitions.model import Invariant, Operation, SearchParameter, TypeDef
from gateway.definitions.shipped import folder
from gateway.records import Resource

CANONICAL = "https://samverka.example/fhir"
R4 = "4.0.1"


class Definitions:
    """What R4 and this server define. A snapshot does not change; `with_resources` makes the next one."""

    number: int
    types: Mapping[str, TypeDef]
    invariants: Mapping[str, tuple[Invariant, ...]]
    profiles: Mapping[str, Resource]
    """R4's own profiles and extensions by url: StructureDefinitions without what only describes."""
    compartments: Compartments
    """By name, the parameters that put a resource into it, by type."""
    operations: Mapping[str, Operation]
    resources: Mapping[str, Resource]
    """The conformance resources by canonical url (those without one, NamingSystem for example, by id)."""
    preparing: Mapping[str, SearchParameter]
    """Search parameters by url that are not in use yet: what they find is still being indexed."""
    resource_types: tuple[str, ...]
    """The types that can be stored: resources that are not abstract."""

    def __init__(
        self,
        shipped: Shipped,
        resources: Iterable[Resource] = (),
        number: int = 1,
        *,
        preparing: Collection[str] = (),
    ) -> None:
        self._shipped = shipped
        self.number = number
        self.types = shipped.types
        self.invariants = shipped.invariants
        self.profiles = shipped.profiles
        self.resources = {str(resource.get("url") or resource["id"]): resource for resource in resources}
        self.operations = shipped.operations | {
            resource["id"]: operations.from_resource(resource) for resource in self.of("OperationDefinition")
        }
        self.compartments = _with_own(shipped.compartments, self.of("CompartmentDefinition"))
        self._vocabulary = codes.Vocabulary(self.resources.values(), shipped.value_sets, shipped.code_systems)
        own = [searchparameters.from_resource(resource) for resource in self.of("SearchParameter")]
        self._own_parameters = {one.url: one for one in own if one.url not in preparing}
        self.preparing = {one.url: one for one in own if one.url in preparing}
        self._parameters: dict[str, Mapping[str, SearchParameter]] = {}
        self.resource_types = shipped.resource_types

    def of(self, resource_type: str) -> list[Resource]:
        """The conformance resources of one type."""
        return [resource for resource in self.resources.values() if resource["resourceType"] == resource_type]

    def published(self, resource_type: str, id: str) -> Resource | None:
        """A conformance resource by its id: one that is shipped, or R4's own definition of an operation."""
        for resource in self.of(resource_type):
            if resource["id"] == id:
                return resource
        operation = self.operations.get(id) if resource_type == "OperationDefinition" else None
        return None if operation is None else operations.to_resource(operation)

    def with_resources(
        self, resources: Iterable[Resource], number: int | None = None, *, preparing: Collection[str] = ()
    ) -> Definitions:
        """The next snapshot: these resources added, or put in the place of those with their url.

        Search parameters with a url in `preparing` are known and not in use.
        """
        found = [*self.resources.values(), *resources]
        return Definitions(self._shipped, found, number or self.number + 1, preparing=preparing)

    def applies(self, parameter: SearchParameter, resource_type: str) -> bool:
        """Whether a type can be searched by a parameter, for one of the types that it inherits from at the least."""
        return any(self.is_a(resource_type, base) for base in parameter.base)

    def shipped_parameter(self, url: str) -> bool:
        """Whether R4 itself has a search parameter of this url."""
        return url in self._shipped.parameters_by_url

    def is_a(self, name: str, base: str) -> bool:
        """Whether a type is that type or inherits from it."""
        current: str | None = name
        while current is not None:
            if current == base:
                return True
            current = self.types[current].base
        return False

    def search_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """By code, everything the type can be searched by, its bases' parameters included."""
        found = self._parameters.get(resource_type)
        if found is None:
            found = self._parameters[resource_type] = self._parameters_of(resource_type)
        return found

    def _parameters_of(self, resource_type: str) -> Mapping[str, SearchParameter]:
        parameters: dict[str, SearchParameter] = {}
        base: str | None = resource_type
        lineage: list[str] = []
        while base is not None:
            lineage.append(base)
            base = self.types[base].base
        for name in reversed(lineage):
            shipped = (self._shipped.search_parameters[key] for key in self._shipped.parameters_by_base.get(name, ()))
            own = (parameter for parameter in self._own_parameters.values() if name in parameter.base)
            for parameter in (*shipped, *own):
                parameters[parameter.code] = searchparameters.for_type(parameter, resource_type)
        return parameters

    def is_standard(self, parameter: SearchParameter) -> bool:
        """Whether it is R4's own: nobody changes or removes it here."""
        return parameter.url in self._shipped.parameters_by_url and parameter.url not in self._own_parameters

    def search_parameter(self, url: str) -> SearchParameter | None:
        """A parameter by its url, as a composite names its components."""
        if url in self._own_parameters:
            return self._own_parameters[url]
        key = self._shipped.parameters_by_url.get(url)
        return self._shipped.search_parameters[key] if key else None

    def codes(self, value_set: str) -> frozenset[tuple[str, str]] | None:
        """The (system, code) pairs of a value set, or None where it cannot be expanded here."""
        return self._vocabulary.codes(value_set)

    def code_system(self, url: str) -> CodeSystem | None:
        """A code system, where it is held whole."""
        return self._vocabulary.system(url.partition("|")[0])

    def code_systems(self) -> Iterable[str]:
        """The urls of the code systems that are held whole."""
        return self._vocabulary.systems()

    def display(self, system: str, code: str, language: str | None = None) -> str | None:
        """What a code is called in a language, as far as the conformance resources know."""
        return self._vocabulary.display(system, code, language)

    def shipped_version(self, url: str) -> str:
        """The version of a code system or value set that is shipped with R4: its own, or R4's."""
        return self._shipped.versions.get(url.partition("|")[0], R4)

    def shipped_display(self, system: str, code: str) -> str | None:
        """What R4 itself calls a code of a code system that it holds whole; None where it does not have the code."""
        known = self._shipped.code_systems.get(system)
        if known is None or code not in known.above:
            return None
        return self._shipped.displays.get(system, {}).get(code, code)


Compartments = Mapping[str, Mapping[str, tuple[str, ...]]]


def _with_own(shipped: Compartments, own: Iterable[Resource]) -> Compartments:
    """The compartments, and what we add to them."""
    found = dict(shipped)
    for resource in own:
        members = {one["code"]: tuple(one["param"]) for one in resource.get("resource", ()) if "param" in one}
        found[resource["code"]] = {**found[resource["code"]], **members}
    return found


class Shipped:
    """The R4 tables, shared by all snapshots."""

    def __init__(self) -> None:
        rows = tables.lines("types")
        self.types = structures.types(rows)
        self.invariants = structures.invariants(self.types, rows)
        self.profiles: Mapping[str, Resource] = tables.Table(tables.lines("profiles"), structures.profile)
        self.value_sets = tables.Table(tables.lines("valuesets"), codes.from_table)
        self.code_systems = tables.Table(tables.lines("codesystems"), codes.system_from_table)
        self.compartments = tables.Table(
            tables.lines("compartments"), lambda _, row: {name: tuple(codes) for name, codes in row.items()}
        )
        self.operations = dict(tables.Table(tables.lines("operations"), operations.from_table))
        parameters = {key: orjson.loads(row) for key, row in tables.lines("searchparameters").items()}
        self.search_parameters = tables.Table(parameters, searchparameters.from_table)
        self.parameters_by_base: dict[str, list[str]] = {}
        self.parameters_by_url: dict[str, str] = {}
        for key, row in parameters.items():
            self.parameters_by_url[row.get("url", searchparameters.URL + key)] = key
            for base in row["base"]:
                self.parameters_by_base.setdefault(base, []).append(key)
        self.resource_types = tuple(
            name for name, line in rows.items() if b'"kind":"resource"' in line[:20] and b'"abstract":true' not in line
        )

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Of the code systems and value sets that have another version than R4; read when it is first asked for."""
        return tables.Table(tables.lines("versions"), lambda _, version: str(version))

    @cached_property
    def displays(self) -> Mapping[str, Mapping[str, str]]:
        """What codes are called that are not called like themselves; read when it is first asked for."""
        return tables.Table(tables.lines("displays"), lambda _, row: dict(row))


@cache
def load() -> Definitions:
    """The first snapshot: R4 and the conformance resources that are shipped."""
    files = sorted(folder("conformance").glob("*.json"))
    return Definitions(Shipped(), [orjson.loads(file.read_bytes()) for file in files])
