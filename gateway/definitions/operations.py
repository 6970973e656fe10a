"""Operations from their table rows and from OperationDefinition resources.

https://hl7.org/fhir/R4/operationdefinition.html
"""

from __future__ import annotations

from typing import Any

from gateway.definitions.model import Operation, OperationParameter

Row = dict[str, Any]


def from_table(identifier: str, row: Row) -> Operation:
    return _operation(identifier, row, tuple(_table_parameter(entry) for entry in row["parameter"]))


def from_resource(resource: Row) -> Operation:
    parameters = tuple(_resource_parameter(entry) for entry in resource.get("parameter", ()))
    return _operation(resource["id"], resource, parameters)


def _operation(identifier: str, row: Row, parameters: tuple[OperationParameter, ...]) -> Operation:
    return Operation(
        id=identifier,
        code=row["code"],
        url=row["url"],
        name=row["name"],
        resources=tuple(row.get("resource", ())),
        system=row.get("system", False),
        type=row.get("type", False),
        instance=row.get("instance", False),
        affects_state=row.get("affectsState", False),
        parameters=parameters,
    )


def _table_parameter(row: list[Any]) -> OperationParameter:
    name, use, cardinality, kind, search_type, *parts = row
    low, _, high = cardinality.partition("..")
    inner = tuple(_table_parameter(part) for part in parts[0]) if parts else ()
    return OperationParameter(name, use, int(low), _limit(high), kind, search_type, inner)


def _resource_parameter(row: Row) -> OperationParameter:
    inner = tuple(_resource_parameter(part) for part in row.get("part", ()))
    return OperationParameter(
        row["name"], row["use"], row["min"], _limit(row["max"]), row.get("type", ""), row.get("searchType", ""), inner
    )


def _limit(high: str) -> int | None:
    return None if high == "*" else int(high)


def to_resource(operation: Operation) -> Row:
    """The definition as a resource: what is known of one that is R4's own."""
    return {
        "resourceType": "OperationDefinition",
        "id": operation.id,
        "url": operation.url,
        "version": "4.0.1",
        "name": "".join(part.capitalize() for part in operation.id.split("-")),
        "title": operation.name,
        "status": "draft",
        "kind": "operation",
        "affectsState": operation.affects_state,
        "code": operation.code,
        **({"resource": list(operation.resources)} if operation.resources else {}),
        "system": operation.system,
        "type": operation.type,
        "instance": operation.instance,
        "parameter": [_parameter(one) for one in operation.parameters],
    }


def _parameter(one: OperationParameter) -> Row:
    made: Row = {"name": one.name, "use": one.use, "min": one.min, "max": "*" if one.max is None else str(one.max)}
    if one.type:
        made["type"] = one.type
    if one.search_type:
        made["searchType"] = one.search_type
    if one.parts:
        made["part"] = [_parameter(part) for part in one.parts]
    return made
