"""A query executed: parsed, validated against the schema, bounded, answered from a reader that reads in batches.

What is referred to on one level is read at once, when the level is done. Each refusal is an error of GraphQL with an
OperationOutcome in its extensions.

https://spec.graphql.org/October2021/#sec-Execution
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final, Protocol

from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSyntaxError,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    execute,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import VariablesInAllowedPositionRule

from gateway.definitions import Definitions
from gateway.errors import BadRequest, GatewayError, NotFound, Unprocessable
from gateway.fhirpath import Environment
from gateway.graphql.bounds import LIMITS, Limits, bounded
from gateway.graphql.navigation import Asking, expression, navigated
from gateway.graphql.schema import CONNECTION, LIST
from gateway.graphql.shape import Path, shaped
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource

# A `String` may stand where the schema has a code, or several values: clients know it as the official schema has it.
RULES: Final = tuple(rule for rule in specified_rules if rule is not VariablesInAllowedPositionRule)
ROOT: Final = "_root"
INDEX: Final = "$index"
LONGEST: Final = 1000
_DESCRIBES = re.compile(r"__(?:schema|type)\b")
"""What asks for the schema: a name is written in one way only."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the query, which of its operations, and its variables; `root` is the resource that it is about."""

    query: str
    operation: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    root: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search. The links are cursors."""

    resources: Sequence[Resource]
    total: int | None = None
    offset: int = 0
    size: int = 0
    links: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """What the resources come from, as far as the caller may see them."""

    def read(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Resource]:
        """Those that there are, by type and id."""

    def target(self, references: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, str] | None]:
        """What references of resources lead to here, as far as it can be told."""

    def search(
        self,
        resource_type: str,
        params: Sequence[tuple[str, str]],
        *,
        count: int | None,
        offset: int,
        cursor: str | None,
        total: bool,
    ) -> Found:
        """A page of what is found. BadRequest."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered. `executed`: the query was understood, and its errors are of parts of the answer."""

    data: dict[str, Any] | None
    errors: Sequence[Mapping[str, Any]] = ()
    executed: bool = True

    def body(self) -> dict[str, Any]:
        made: dict[str, Any] = {"errors": list(self.errors)} if self.errors else {}
        return made | ({"data": self.data} if self.executed else {})


class _Stop(BaseException):
    """The answer is too large, or takes too long: no handler in between goes on with parts of it."""


def answer(
    schema: GraphQLSchema,
    definitions: Definitions,
    reader: Reader | None,
    asked: Asked,
    env: Environment,
    limits: Limits = LIMITS,
) -> Answered:
    """The answer to a request; without a reader, to one of the schema."""
    try:
        document, operation = _understood(schema, asked, limits)
    except GatewayError as error:
        return Answered(None, [_of_refusal(error)], executed=False)
    except _Invalid as invalid:
        return Answered(None, [_told(error) for error in invalid.errors], executed=False)
    work = _Work(definitions, reader, env, limits)
    fragments = _fragments(document)
    try:
        result = work.executed(schema, document, asked)
    except _Stop:
        text = "The answer is larger than is given, or takes longer. Ask for less: fewer resources, or fewer levels."
        return Answered(None, [_of_refusal(Unprocessable(text, rule="query-too-costly"))])
    data = result.data
    if data is not None:
        data = shaped(data, operation.selection_set, fragments, work.slices)
        if asked.root is not None:
            data = (data.pop(ROOT, None) or {}) | data
    return Answered(data, [_told(error) for error in result.errors or ()])


class _Invalid(Exception):
    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


def of_the_schema(asked: Asked) -> bool:
    """Whether only the schema is asked for: whoever asks, the answer is the same."""
    try:
        document = parse(asked.query, max_tokens=LIMITS.tokens)
        selected = _operation(document, asked.operation).selection_set.selections
    except (GraphQLSyntaxError, GatewayError, RecursionError):
        return False
    return all(
        isinstance(one, FieldNode) and one.name.value in ("__schema", "__type", "__typename") for one in selected
    )


def _understood(schema: GraphQLSchema, asked: Asked, limits: Limits) -> tuple[DocumentNode, OperationDefinitionNode]:
    """The document, and the operation that is meant. BadRequest, _Invalid."""
    if len(asked.query) > limits.characters:
        text = f"A query has at most {limits.characters} characters."
        raise BadRequest(text, rule="query-too-large", where="query")
    try:
        document = parse(asked.query, no_location=False, max_tokens=limits.tokens)
        operation = _operation(document, asked.operation)
        if asked.root is not None:
            document, operation = _about(document, operation, asked.root)
        if errors := validate(schema, document, RULES, max_errors=20):
            raise _Invalid(errors)
        bounded(operation.selection_set, _fragments(document), limits)
    except GraphQLSyntaxError as error:
        raise _Invalid([error]) from error
    except RecursionError:
        raise BadRequest("The query is nested too deeply.", rule="query-too-deep", where="query") from None
    return document, operation


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    known = [one for one in operations if name is None or (one.name is not None and one.name.value == name)]
    if len(known) != 1:
        text = "Say by operationName which one of the operations of the query is meant."
        raise BadRequest(text, rule="operation-unknown", where="operationName")
    if known[0].operation is not OperationType.QUERY:
        text = "Only queries are answered here: write by create, update, patch and delete."
        raise BadRequest(text, rule="query-only", where="query")
    return known[0]


def _about(
    document: DocumentNode, operation: OperationDefinitionNode, root: tuple[str, str]
) -> tuple[DocumentNode, OperationDefinitionNode]:
    """The same, with the resource that it is about above what is selected of it."""
    own: list[Any] = []
    schema: list[Any] = []
    for node in operation.selection_set.selections:
        asks_schema = isinstance(node, FieldNode) and node.name.value in ("__schema", "__type")
        (schema if asks_schema else own).append(node)
    kind, id = root
    if own:
        named = ArgumentNode(name=NameNode(value="id"), value=StringValueNode(value=id))
        schema.append(
            FieldNode(
                alias=NameNode(value=ROOT),
                name=NameNode(value=kind),
                arguments=(named,),
                directives=(),
                selection_set=SelectionSetNode(selections=tuple(own)),
            )
        )
    made = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=operation.directives,
        selection_set=SelectionSetNode(selections=tuple(schema)),
        loc=operation.loc,
    )
    others = [made if one is operation else one for one in document.definitions]
    return DocumentNode(definitions=tuple(others), loc=document.loc), made


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}


class _Work:
    """One execution: what was spent of its limits, what was read, and what is to be read next."""

    def __init__(self, definitions: Definitions, reader: Reader | None, env: Environment, limits: Limits) -> None:
        self._d, self._limits = definitions, limits
        self._asking = Asking(definitions, replace(env, turns=self._turns()), self._spend, limits.expression)
        self._given = reader
        self.slices: dict[Path, list[str]] = {}
        self._values = self._described = self._resources = self._searches = 0
        begun = monotonic()
        self._until, self._described_until = begun + limits.seconds, begun + limits.describing
        self._read: dict[tuple[str, str], Resource | None] = {}
        self._contained: dict[int, Resource] = {}
        self._waiting: list[tuple[Mapping[str, Any] | tuple[str, str], asyncio.Future[Resource | None]]] = []

    @property
    def _reader(self) -> Reader:
        assert self._given is not None
        return self._given

    def executed(self, schema: GraphQLSchema, document: DocumentNode, asked: Asked) -> ExecutionResult:
        def describe(resolve: Callable[..., Any], source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            if info.parent_type.name.startswith("__"):
                self._described += 1
                if self._described > self._limits.described or monotonic() > self._described_until:
                    raise _Stop
            return resolve(source, info, **arguments)

        # The library resolves the schema's description by itself: who does not ask for it does not pay for its bound.
        around = [describe] if _DESCRIBES.search(asked.query) else None

        async def run() -> ExecutionResult:
            result = execute(
                schema,
                document,
                variable_values=dict(asked.variables),
                operation_name=asked.operation,
                field_resolver=self._resolve,
                middleware=around,
            )
            return await result if isinstance(result, Awaitable) else result

        return asyncio.run(run())

    def _resolve(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """The value of a field, whatever it is of."""
        self._spend(1)
        known = info.parent_type.fields[info.field_name].extensions
        if "search" in known:
            return self._searched(source, info, known["search"], arguments)
        if "read" in known:
            return self._one(known["read"], str(arguments["id"]))
        if "refers" in known:
            return self._referred(source, arguments)
        value = source.get(info.field_name) if isinstance(source, Mapping) else None
        if isinstance(value, list) and "type" in known:
            if arguments:
                value = navigated(value, arguments, known["type"], self._asking)
            self._spend(len(value))
            self._slice(info, value, known["type"])
        return value

    def _spend(self, values: int) -> None:
        self._values += values
        if self._values > self._limits.values or monotonic() > self._until:
            raise _Stop

    def _turns(self) -> Iterator[None]:
        """Those that all expressions of the query have together."""
        for turn in range(self._limits.turns):
            if turn % 64 == 0 and monotonic() > self._until:
                break
            yield
        raise _Stop

    def _slice(self, info: GraphQLResolveInfo, values: Sequence[Any], type: str) -> None:
        for node in info.field_nodes:
            for directive in node.directives:
                if directive.name.value == "slice":
                    given = {one.name.value: one.value for one in directive.arguments}
                    text = next((one.value for one in given.values() if isinstance(one, StringValueNode)), "")
                    if text == INDEX:
                        names = [str(place) for place in range(len(values))]
                    else:
                        ask = expression(text, type, self._asking)
                        names = [".".join(map(str, ask(one))) for one in values]
                    self.slices[tuple(info.path.as_list())] = names

    async def _one(self, resource_type: str, id: str) -> Resource:
        found = await self._load((resource_type, id))
        if found is None:
            raise NotFound(rule="resource-unknown", where=resource_type)
        return found

    async def _referred(self, source: Mapping[str, Any], arguments: Mapping[str, Any]) -> Resource | None:
        found = self._contained.get(id(source)) or await self._load(source)
        if found is None:
            if arguments.get("optional") is True:
                return None
            text = (
                "A reference leads to nothing that is here, or that may be seen. With optional: true this is no error."
            )
            raise NotFound(text, rule="reference-unresolved")
        wanted = arguments.get("type")
        return found if wanted is None or found["resourceType"] == wanted else None

    def _load(self, wanted: Mapping[str, Any] | tuple[str, str]) -> asyncio.Future[Resource | None]:
        """Read it with everything else that this level asks for."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Resource | None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._fetch)
        self._waiting.append((wanted, future))
        return future

    def _fetch(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            references = [one for one, _ in waiting if isinstance(one, Mapping)]
            targets = iter(self._reader.target(references) if references else ())
            keys = [next(targets) if isinstance(one, Mapping) else one for one, _ in waiting]
            self._fetched([one for one in dict.fromkeys(keys) if one is not None and one not in self._read])
        except BaseException as error:
            for _, future in waiting:
                future.set_exception(error)
            return
        for key, (_, future) in zip(keys, waiting, strict=True):
            future.set_result(None if key is None else self._read.get(key))

    def _fetched(self, keys: Sequence[tuple[str, str]]) -> None:
        if not keys:
            return
        found = self._reader.read(keys)
        for key in keys:
            self._read[key] = None
        for one in found.values():
            self._met(one)

    def _met(self, resource: Resource) -> Resource:
        """The resource, the same whichever way it is met; and which of its references lead into itself."""
        if (known := self._read.get((resource["resourceType"], resource["id"]))) is not None:
            return known
        self._resources += 1
        if self._resources > self._limits.resources:
            raise _Stop
        self._read[resource["resourceType"], resource["id"]] = resource
        if contained := {f"#{one.get('id')}": one for one in resource.get("contained", ()) if isinstance(one, dict)}:
            self._mark(resource, contained)
        return resource

    def _mark(self, value: Any, contained: Mapping[str, Resource]) -> None:
        if isinstance(value, list):
            for one in value:
                self._mark(one, contained)
        elif isinstance(value, dict):
            if (target := contained.get(str(value.get("reference")))) is not None:
                self._contained[id(value)] = target
            for one in value.values():
                self._mark(one, contained)

    def _searched(self, source: Any, info: GraphQLResolveInfo, name: str, arguments: dict[str, Any]) -> Any:
        self._searches += 1
        if self._searches > self._limits.searches:
            raise _Stop
        wanted = {one: arguments.pop(one, None) for one in ("_count", "_offset", "_cursor", "fhirpath")}
        codes = self._codes(name)
        params: list[tuple[str, str]] = []
        if (along := arguments.pop("_reference", None)) is not None:
            if source.get("id") is None:
                raise BadRequest("Only what is stored by itself is referred to.", rule="reference-unknown")
            params.append((codes.get(along, str(along)), f"{source['resourceType']}/{source['id']}"))
        for one, values in arguments.items():
            # One that is a variable comes as the client declared it, perhaps by itself.
            several = values if isinstance(values, list) else [] if values is None else [values]
            params += [(codes.get(one, one), _text(value)) for value in several]
        connects = info.field_name.endswith(CONNECTION)
        found = self._reader.search(
            name,
            params,
            count=wanted["_count"],
            offset=wanted["_offset"] or 0,
            cursor=wanted["_cursor"],
            total=connects and _selects(info, "count"),
        )
        resources = [self._met(resource) for resource in found.resources]
        if not connects:
            assert info.field_name.endswith(LIST)
            chosen = {"fhirpath": wanted["fhirpath"]} if wanted["fhirpath"] is not None else {}
            return navigated(resources, chosen, name, self._asking)
        edges = [{"mode": "match", "resource": resource} for resource in resources]
        told = {"count": found.total, "offset": found.offset, "pagesize": found.size, "edges": edges}
        return told | dict(found.links)

    def _codes(self, name: str) -> dict[str, str]:
        return {code.replace("-", "_"): code for code in self._d.search_parameters(name)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _selects(info: GraphQLResolveInfo, name: str) -> bool:
    """Whether a field is selected, directly or by a fragment: what is not asked for is not counted."""

    def among(selected: SelectionSetNode | None) -> bool:
        return selected is not None and any(
            node.name.value == name
            if isinstance(node, FieldNode)
            else among(
                info.fragments[node.name.value].selection_set
                if hasattr(node, "name")
                else getattr(node, "selection_set", None)
            )
            for node in selected.selections
        )

    return any(among(node.selection_set) for node in info.field_nodes)


def _told(error: GraphQLError) -> dict[str, Any]:
    """An error as GraphQL has it; what is no refusal of ours and none of the query's is a fault, and not hidden."""
    original = error.original_error
    if isinstance(original, GatewayError):
        issues: Sequence[Issue] = original.issues
        message = original.text
    elif original is None or isinstance(original, GraphQLError):
        message = error.message[:LONGEST]
        issues = [Issue("error", "invalid", "query-invalid", message)]
    else:
        raise original
    made: dict[str, Any] = {"message": message}
    if error.locations:
        made["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    if error.path:
        made["path"] = [one for one in error.path if one != ROOT]
    return made | {"extensions": {"outcome": operation_outcome(issues)}}


def _of_refusal(error: GatewayError) -> dict[str, Any]:
    return {"message": error.text, "extensions": {"outcome": operation_outcome(error.issues)}}
