"""The typed face for Python: `fhir.resources` models of a resource, for operations' parameters, tests and scripts.

https://pypi.org/project/fhir.resources/ (its R4B models: nearest to R4, and it has no others that keep R4's elements)

Loaded per type on first use. Not for what is stored or served: these models lose the digits of decimals and rewrite
times. The structural check (`gateway.fhir.check`), not the model, says whether a resource is valid R4.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from gateway.errors import Unprocessable
from gateway.fhir.json import parse
from gateway.records import Resource


@cache
def model(resource_type: str) -> type[Any]:
    """The model class of an R4 type; LookupError for the 18 R4 resources that R4B does not have."""
    try:
        found: type[Any] = getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)
    except (ModuleNotFoundError, AttributeError) as error:
        raise LookupError("fhir.resources has no R4B model of this type.") from error
    return found


def to_typed(resource: Resource) -> Any:
    """The resource as its model; Unprocessable, without the values, where the model does not take it."""
    from pydantic import ValidationError

    kind = model(resource["resourceType"])
    try:
        return kind.model_validate(resource)
    except (ValidationError, KeyError) as error:
        # The chained error would quote what was sent.
        places = [_path(found["loc"]) for found in error.errors()] if isinstance(error, ValidationError) else []
        at = f" at {', '.join(places[:5])}" if places else ""
        raise Unprocessable(f"The {resource['resourceType']} does not fit its model{at}.", rule="typed") from None


def from_typed(value: Any) -> Resource:
    """A model, made in code, as the JSON resource that it stands for."""
    return parse(value.model_dump_json().encode())


def _path(location: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
