"""The GraphQL schema, written from the definitions when it is first asked for: elements are fields.

Each type can be read by id, searched as a list and as a connection; what refers to a resource can be searched from it.

https://hl7.org/fhir/R4/graphql.html, https://spec.graphql.org/October2021/#sec-Type-System
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLArgumentMap,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLField,
    GraphQLFieldMap,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    ValueNode,
    specified_directives,
    value_from_ast_untyped,
)

from gateway.definitions import Definitions, ElementDef, SearchParameter, TypeDef

Searchable = Callable[[str], Mapping[str, SearchParameter]]
"""The parameters that a type is searched by, by their codes."""

RESOURCE: Final = "Resource"
REFERENCE: Final = "Reference"
LIST, CONNECTION = "List", "Connection"
NAVIGATION: Final = ("fhirpath", "_offset", "_count")
"""Arguments of every list, beside the plain elements of what is in it."""
CONTROLS: Final = ("_sort", "_filter", "_list")
"""What a search takes beside the parameters of its type, each as in the address."""
OF_A_PAGE: Final = ("_count", "_offset", "_sort", "_filter")
"""What every search takes, also of what refers to a resource."""
BUILT_IN: Final = {
    "string": GraphQLString,
    "xhtml": GraphQLString,
    "boolean": GraphQLBoolean,
    "integer": GraphQLInt,
    "positiveInt": GraphQLInt,
    "unsignedInt": GraphQLInt,
    "id": GraphQLID,
}
"""Primitives that GraphQL has itself; the others are scalars of their own name."""


def _as_written(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
    """Codes may stand without quotes: `name(use: official)`."""
    return value_from_ast_untyped(node, variables)


def _scalar(name: str, about: str | None = None) -> GraphQLScalarType:
    return GraphQLScalarType(name, description=about, parse_value=lambda value: value, parse_literal=_as_written)


VALUE: Final = _scalar("SearchValue", "A value of a search parameter, as in an address.")
DIRECTIVES: Final = tuple(
    GraphQLDirective(
        name,
        [DirectiveLocation.FIELD],
        {one: GraphQLArgument(GraphQLString) for one in arguments},
        description=about,
    )
    for name, arguments, about in (
        ("flatten", (), "Leave this level out: what is below it belongs to what is above."),
        ("singleton", (), "There is one value, not a list."),
        ("first", (), "The first value only, not a list."),
        ("slice", ("path", "fhirpath"), "Behind the name stands what this expression says of each."),
    )
)


class _Writer:
    """Writes each type once, when something first leads to it."""

    def __init__(self, definitions: Definitions, searchable: Searchable) -> None:
        self._d, self._searchable = definitions, searchable
        self._objects: dict[str, GraphQLObjectType] = {}
        self._scalars: dict[str, GraphQLScalarType] = {}
        self._finding: dict[tuple[str, bool], GraphQLFieldMap] = {}
        self._searches: dict[str, tuple[GraphQLArgumentMap, GraphQLObjectType]] = {}
        self._base = GraphQLObjectType(
            "ElementBase",
            lambda: {
                "id": GraphQLField(GraphQLString),
                "extension": GraphQLField(GraphQLList(self._object("Extension"))),
            },
            description="What an element of a primitive type has beside its value.",
        )
        self._any = GraphQLInterfaceType(
            RESOURCE, self._common, resolve_type=lambda value, *_: str(value["resourceType"])
        )
        self._referring = _referring(definitions, searchable)

    def schema(self) -> GraphQLSchema:
        types = self._d.resource_types
        query: GraphQLFieldMap = {}
        for name in types:
            id = {"id": GraphQLArgument(GraphQLNonNull(GraphQLID))}
            query[name] = GraphQLField(self._object(name), id, extensions={"read": name})
            query |= self._found(name, within=False)
        root = GraphQLObjectType("Query", query)
        objects = [self._object(name) for name in types]
        # It is written by rule; a test holds that it is valid, so that no request has to look at all of it.
        directives = [*specified_directives, *DIRECTIVES]
        return GraphQLSchema(query=root, types=objects, directives=directives, assume_valid=True)

    def _common(self) -> GraphQLFieldMap:
        own = {name: one for name, one in self._elements(self._d.types[RESOURCE]).items() if name[0] != "_"}
        return {"resourceType": GraphQLField(GraphQLString), **own}

    def _object(self, name: str) -> GraphQLObjectType:
        found = self._objects.get(name)
        if found is None:
            kind = self._d.types[name]
            is_resource = kind.kind == "resource"
            found = self._objects[name] = GraphQLObjectType(
                "".join(part[:1].upper() + part[1:] for part in name.split(".")),
                lambda: self._fields(kind),
                interfaces=[self._any] if is_resource else (),
            )
        return found

    def _fields(self, kind: TypeDef) -> GraphQLFieldMap:
        fields = self._elements(kind)
        if kind.kind == "resource":
            fields["resourceType"] = GraphQLField(GraphQLString)
            for source in self._referring.get(kind.name, ()):
                fields |= self._found(source, within=True)
        elif kind.name == REFERENCE:
            arguments = {"optional": GraphQLArgument(GraphQLBoolean), "type": GraphQLArgument(self._scalar("code"))}
            fields["resource"] = GraphQLField(self._any, arguments, extensions={"refers": True})
        return fields

    def _elements(self, kind: TypeDef) -> GraphQLFieldMap:
        fields: GraphQLFieldMap = {}
        for name, element in kind.elements.items():
            plain = self._d.types[element.type].kind == "primitive"
            of = self._of(element.type)
            arguments = self._navigation(element) if element.is_list else None
            wrapped: GraphQLOutputType = GraphQLList(of) if element.is_list else of
            fields[name] = GraphQLField(wrapped, arguments, extensions={"type": element.type})
            if plain and name != "id" and element.type != "xhtml":
                fields[f"_{name}"] = GraphQLField(GraphQLList(self._base) if element.is_list else self._base)
        return fields

    def _of(self, name: str) -> GraphQLOutputType:
        kind = self._d.types[name]
        if kind.kind == "primitive":
            return self._scalar(name)
        return self._any if kind.kind == "resource" and kind.abstract else self._object(name)

    def _scalar(self, name: str) -> GraphQLScalarType:
        built_in = BUILT_IN.get(name)
        if built_in is not None:
            return built_in
        if name not in self._scalars:
            self._scalars[name] = _scalar(name)
        return self._scalars[name]

    def _navigation(self, element: ElementDef) -> GraphQLArgumentMap:
        arguments = {"fhirpath": GraphQLArgument(GraphQLString)}
        arguments |= {name: GraphQLArgument(GraphQLInt) for name in NAVIGATION[1:]}
        for name, child in self._d.types[element.type].elements.items():
            plain = self._d.types[child.type].kind == "primitive" and child.type != "xhtml"
            # Nobody looks for an extension by each type that its value could have: that would be half of the schema.
            if plain and not child.is_list and child.choice_of is None:
                arguments.setdefault(name, GraphQLArgument(self._scalar(child.type)))
        return arguments

    def _found(self, name: str, *, within: bool) -> GraphQLFieldMap:
        """A type's searches: of all of it, or (`within`) of what refers to a resource."""
        key = name, within
        if key not in self._finding:
            self._finding[key] = self._finds(name, within=within)
        return self._finding[key]

    def _finds(self, name: str, *, within: bool) -> GraphQLFieldMap:
        arguments, connection = self._searched(name)
        if within:
            # What every type has is left out but for these: half of the schema would be said of each again.
            arguments = {code: one for code, one in arguments.items() if code[0] != "_" or code in OF_A_PAGE}
            arguments["_reference"] = GraphQLArgument(GraphQLNonNull(VALUE))
        cursor = {**arguments, "_cursor": GraphQLArgument(GraphQLString)}
        extensions = {"search": name}
        return {
            name + LIST: GraphQLField(
                GraphQLList(self._object(name)),
                arguments | {"fhirpath": GraphQLArgument(GraphQLString)},
                extensions=extensions,
            ),
            name + CONNECTION: GraphQLField(connection, cursor, extensions=extensions),
        }

    def _searched(self, name: str) -> tuple[GraphQLArgumentMap, GraphQLObjectType]:
        found = self._searches.get(name)
        if found is None:
            codes = [*self._searchable(name), *CONTROLS]
            arguments = {
                argument(code): GraphQLArgument(GraphQLList(VALUE)) for code in ("_id", "_lastUpdated", *codes)
            }
            arguments |= {one: GraphQLArgument(GraphQLInt) for one in ("_count", "_offset")}
            found = self._searches[name] = arguments, self._connection(name)
        return found

    def _connection(self, name: str) -> GraphQLObjectType:
        edge = GraphQLObjectType(
            f"{name}Edge",
            lambda: {
                "mode": GraphQLField(self._scalar("code")),
                "score": GraphQLField(GraphQLFloat),
                "resource": GraphQLField(self._object(name)),
            },
        )
        numbers = {one: GraphQLField(GraphQLInt) for one in ("count", "offset", "pagesize")}
        links = {one: GraphQLField(GraphQLString) for one in ("first", "previous", "next", "last")}
        return GraphQLObjectType(f"{name}{CONNECTION}", {**numbers, "edges": GraphQLField(GraphQLList(edge)), **links})


def argument(code: str) -> str:
    """A search parameter's code as GraphQL can write it."""
    return code.replace("-", "_")


def _referring(definitions: Definitions, searchable: Searchable) -> dict[str, list[str]]:
    """By type, the types that can be searched by what refers to it; not by what refers to whatever there is.

    That would be some 40 types in each of all types, and a schema that no client can read in a second.
    """
    found: dict[str, list[str]] = {}
    every = len(definitions.resource_types)
    for name in definitions.resource_types:
        references = [one.target for one in searchable(name).values() if one.type == "reference"]
        named = (target for targets in references if len(targets) * 2 < every for target in targets)
        for target in dict.fromkeys(named):
            found.setdefault(target, []).append(name)
    return found


def schema(definitions: Definitions, searchable: Searchable) -> GraphQLSchema:
    """The schema of a snapshot of definitions."""
    return _Writer(definitions, searchable).schema()
