"""The route table of the FHIR API and of ingest: one generic route for each interaction.

https://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from re import Pattern
from typing import Final

from starlette.applications import Starlette
from starlette.routing import compile_path

from gateway.rest.ingest import push, status
from gateway.rest.interactions.asynchronous import asynchronous_cancel, asynchronous_status
from gateway.rest.interactions.batch import batch
from gateway.rest.interactions.capabilities import capabilities
from gateway.rest.interactions.create import create
from gateway.rest.interactions.delete import delete, delete_conditional
from gateway.rest.interactions.history import history_instance, history_system, history_type
from gateway.rest.interactions.patch import patch, patch_conditional
from gateway.rest.interactions.read import read
from gateway.rest.interactions.search_compartment import search_compartment, search_compartment_by_post
from gateway.rest.interactions.search_system import search_system, search_system_by_post
from gateway.rest.interactions.search_type import search_type, search_type_by_post
from gateway.rest.interactions.transaction import transaction
from gateway.rest.interactions.update import update, update_conditional
from gateway.rest.interactions.vread import vread
from gateway.rest.later import deferrable
from gateway.rest.openapi import openapi
from gateway.rest.operations import (
    apply,
    as_of,
    bulk_import,
    capacity,
    correct,
    evaluate_measure,
    everything,
    explain,
    export,
    graphql,
    handover,
    ihe_pix,
    lastn,
    match,
    meta,
    negotiation,
    settle,
    terminology,
)
from gateway.rest.operations.transform import transform, transform_instance
from gateway.rest.operations.translate import (
    translate,
    translate_by_post,
    translate_instance,
    translate_instance_by_post,
)
from gateway.rest.operations.validate import validate, validate_instance, validate_instance_by_post, validate_system
from gateway.rest.operations.who_does_what import who_does_what
from gateway.rest.operations.worklist import worklist
from gateway.rest.request import Handler
from gateway.rest.served import BESIDE


def _methods(method: str) -> list[str]:
    """Wherever something can be got, its head can."""
    return ["GET", "HEAD"] if method == "GET" else [method]


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/fhir/_async/{request_id}", asynchronous_status),
    ("DELETE", "/fhir/_async/{request_id}", asynchronous_cancel),
    *export.ROUTES,
    *bulk_import.ROUTES,
    ("GET", "/fhir/metadata", capabilities),
    ("GET", "/fhir/Patient/{id}/$who-does-what", who_does_what),
    ("GET", "/fhir/Organization/{id}/$worklist", worklist),
    ("GET", "/fhir/ConceptMap/$translate", translate),
    ("POST", "/fhir/ConceptMap/$translate", translate_by_post),
    ("GET", "/fhir/ConceptMap/{id}/$translate", translate_instance),
    ("POST", "/fhir/ConceptMap/{id}/$translate", translate_instance_by_post),
    *everything.ROUTES,
    *meta.ROUTES,
    *graphql.ROUTES,
    *capacity.ROUTES,
    *evaluate_measure.ROUTES,
    *lastn.ROUTES,
    *apply.ROUTES,
    *as_of.ROUTES,
    *explain.ROUTES,
    *match.ROUTES,
    *ihe_pix.ROUTES,
    *negotiation.ROUTES,
    *correct.ROUTES,
    *handover.ROUTES,
    *settle.ROUTES,
    *terminology.ROUTES,
    ("POST", "/fhir/StructureMap/$transform", transform),
    ("POST", "/fhir/StructureMap/{id}/$transform", transform_instance),
    ("POST", "/fhir/$validate", validate_system),
    ("POST", "/fhir/{resource_type}/$validate", validate),
    ("GET", "/fhir/{resource_type}/{id}/$validate", validate_instance),
    ("POST", "/fhir/{resource_type}/{id}/$validate", validate_instance_by_post),
    ("GET", "/fhir", search_system),
    ("GET", "/fhir/", search_system),
    ("POST", "/fhir", transaction),
    ("POST", "/fhir/", transaction),
    ("POST", "/fhir/_search", search_system_by_post),
    ("POST", "/fhir/{resource_type}/_search", search_type_by_post),
    ("POST", "/fhir/{compartment}/{id}/{resource_type}/_search", search_compartment_by_post),
    ("GET", "/fhir/{resource_type}/{id}/_history/{version_id}", vread),
    ("GET", "/fhir/{resource_type}/{id}/_history", history_instance),
    ("GET", "/fhir/{resource_type}/_history", history_type),
    ("GET", "/fhir/_history", history_system),
    ("GET", "/fhir/{compartment}/{id}/{resource_type}", search_compartment),
    ("GET", "/fhir/{resource_type}/{id}", read),
    ("PUT", "/fhir/{resource_type}/{id}", update),
    ("PATCH", "/fhir/{resource_type}/{id}", patch),
    ("DELETE", "/fhir/{resource_type}/{id}", delete),
    ("GET", "/fhir/{resource_type}", search_type),
    ("PUT", "/fhir/{resource_type}", update_conditional),
    ("PATCH", "/fhir/{resource_type}", patch_conditional),
    ("DELETE", "/fhir/{resource_type}", delete_conditional),
    ("POST", "/fhir/{resource_type}", create),
    ("POST", "/ingest/{source}", push),
    ("GET", "/ingest/{source}/{id}", status),
    ("GET", "/openapi.json", openapi),
)
WATCHING: Final = tuple(("GET", path, path[1:]) for path in BESIDE)


DEFERRABLE = (
    "search",
    "history",
    "transaction",
    "who_does_what",
    "translate",
    "transform",
    "patient_everything",
    "encounter_everything",
    "evaluate_measure",
)
"""How the names begin of what may take long, and can be asked to be answered later."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address, as the table writes it, and who answers there, by method."""

    path: str
    pattern: Pattern[str]
    handlers: Mapping[str, Handler]


def _places() -> Iterator[Place]:
    for path in dict.fromkeys(path for _, path, _ in ROUTES):
        handlers = {name: handler for method, one, handler in ROUTES if one == path for name in _methods(method)}
        yield Place(path, compile_path(path)[0], handlers)


PLACES = tuple(_places())
Form = tuple[int, bool]


def _form(path: str) -> Form:
    return path.count("/"), "/$" in path


BY_FORM: Mapping[Form, tuple[Place, ...]] = {
    form: tuple(place for place in PLACES if _form(place.path) == form) for form in {_form(one.path) for one in PLACES}
}
"""A part of an address holds no slash, and only an operation begins with `$`: places of its own form can be meant."""


def place_of(path: str) -> tuple[Place, dict[str, str]] | None:
    """The first place that an address is, and the parts of its path; None where there is nothing.

    Only the first: what is said of `metadata` is not said of a type of this name. An operation is no type and no id.
    """
    for place in BY_FORM.get(_form(path), ()):
        found = place.pattern.match(path)
        if found is not None and not any(part.startswith("$") for part in found.groups()):
            return place, found.groupdict()
    return None


def allowed(path: str) -> list[str]:
    """The methods that an address has."""
    found = place_of(path)
    return [] if found is None else sorted(found[0].handlers)


_ANSWERING: Final[Mapping[Handler, Handler]] = {
    handler: deferrable(handler) if handler.__name__.startswith(DEFERRABLE) else handler for _, _, handler in ROUTES
}
_AT: Final[Mapping[str, Mapping[str, Handler]]] = {
    place.path: {method: _ANSWERING[handler] for method, handler in place.handlers.items()} for place in PLACES
}


def answering(path: str) -> tuple[Mapping[str, Handler], dict[str, str]] | None:
    """Who answers at an address, by method, with the parts of its path; None where there is nothing."""
    found = place_of(path)
    if found is None:
        return None
    place, parts = found
    return _AT[place.path], parts


def install(app: Starlette) -> None:
    """What others look up in the table; handlers have the specification's names, and are announced by them."""
    app.state.allowed, app.state.place_of = allowed, place_of
    app.state.described = (*((method, path, handler.__name__) for method, path, handler in ROUTES), *WATCHING)
    # A batch comes where a transaction does.
    app.state.offered = (*(handler.__name__.replace("_", "-") for _, _, handler in ROUTES), batch.__name__)
