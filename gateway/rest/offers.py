"""What each route takes and answers, one row a handler: what the OpenAPI document is written from.

Whoever adds a route adds its row, by the handler's name; a test holds the two together.
https://spec.openapis.org/oas/v3.1.1.html#operation-object
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from gateway.access.histories import MOST_VERSIONS
from gateway.fhir import primitives

Taken = Literal["nothing", "resource", "content", "patch", "bundle", "form", "message", "parameters", "graphql", "bulk"]
Given = Literal[
    "nothing",
    "resource",
    "content",
    "outcome",
    "searchset",
    "history",
    "document",
    "bundle",
    "answer",
    "parameters",
    "capabilities",
    "json",
    "ndjson",
    "text",
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query, of the headers or of the path."""

    name: str
    place: Literal["query", "header", "path"]
    about: str
    schema: Mapping[str, Any]
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One way to be answered: what comes, under which headers."""

    about: str
    given: Given = "nothing"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """One route. `takes` are keys of PARAMETERS, `refuses` are statuses with an OperationOutcome."""

    title: str
    about: str
    answers: Mapping[int, Answer]
    takes: tuple[str, ...] = ()
    body: Taken = "nothing"
    refuses: tuple[int, ...] = ()
    searches: bool = False
    """Whether it takes the search parameters of its type too."""
    criteria: bool = False
    """Whether it takes those of them that are criteria."""
    known: bool = True
    """Whether it asks who is asking."""
    operation: str | None = None
    """The code of the OperationDefinition whose parameters it takes."""
    tag: str = "FHIR"


_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "pattern": f"^(?:{primitives.DATE_TIME.pattern})$"}
_ETAG: Final = {"type": "string", "pattern": '^(W/)?"[A-Za-z0-9.-]{1,64}"$'}
_ONE: Final = '(?:(?:W/)?"[A-Za-z0-9.-]{1,64}"|[*])'
_ETAGS: Final = {"type": "string", "pattern": f"^{_ONE}(?:, *{_ONE})*$"}

PARAMETERS: Final[Mapping[str, Parameter]] = {
    "resource_type": Parameter("resource_type", "path", "A resource type of R4.", _TEXT),
    "compartment": Parameter("compartment", "path", "A type that compartments are about.", _TEXT),
    "id": Parameter("id", "path", "The resource's id.", {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}),
    "version_id": Parameter(
        "version_id", "path", "A version, as ETag and history name it.", {"type": "string", "minLength": 1}
    ),
    "request_id": Parameter(
        "request_id",
        "path",
        "What the Content-Location of the first answer ends with.",
        {"type": "string", "minLength": 1},
    ),
    "file": Parameter("file", "path", "A file, as the manifest names it.", {"type": "string", "minLength": 1}),
    "source": Parameter("source", "path", "A configured source instance.", {"type": "string", "minLength": 1}),
    "message": Parameter("id", "path", "What the message was kept under.", {"type": "string", "minLength": 1}),
    "_format": Parameter(
        "_format", "query", "JSON or XML, whatever Accept says.", {"type": "string", "enum": ["json", "xml", ""]}
    ),
    "_pretty": Parameter("_pretty", "query", "Indented.", {"type": "string", "enum": ["true", "false", ""]}),
    "_count": Parameter(
        "_count",
        "query",
        "How many are on a page; 0 only counts.",
        {"type": "integer", "minimum": 0, "maximum": MOST_VERSIONS},
    ),
    "_since": Parameter("_since", "query", "Only versions made at or after this time.", _TIME),
    "_at": Parameter("_at", "query", "Only versions that were current at some time of this day, month or year.", _TIME),
    "history-sort": Parameter(
        "_sort",
        "query",
        "Oldest first, or newest first.",
        {"type": "string", "enum": ["_lastUpdated", "-_lastUpdated"]},
    ),
    "_summary": Parameter(
        "_summary", "query", "How much of each resource.", {"type": "string", "enum": ["true", "text", "data", "false"]}
    ),
    "_elements": Parameter("_elements", "query", "Only these elements, and those that are required.", _TEXT, "meta"),
    "if-match": Parameter(
        "If-Match", "header", "The version that is changed, as its ETag; 412 if it is another by now.", _ETAGS
    ),
    "if-none-match": Parameter(
        "If-None-Match", "header", "Versions not to be there; `*` is any. A reader who has it gets 304.", _ETAGS
    ),
    "if-modified-since": Parameter("If-Modified-Since", "header", "304 where nothing is newer than this.", _TEXT),
    "if-none-exist": Parameter(
        "If-None-Exist",
        "header",
        "A search that nothing may meet; what meets it is the answer.",
        _TEXT,
        "identifier=a|b",
    ),
    "prefer": Parameter(
        "Prefer",
        "header",
        "`return=minimal` leaves the resource out of the answer to a write, `return=OperationOutcome` says that "
        "it was done; `handling=lenient` lets a search pass over parameters that are not known.",
        _TEXT,
        "return=minimal",
    ),
    "x-request-id": Parameter(
        "X-Request-Id",
        "header",
        "The caller's name for the request; it comes back and stands in the AuditEvent.",
        {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
    ),
    "x-security-context": Parameter(
        "X-Security-Context",
        "header",
        "With the content of a Binary: the resource that decides who may see it.",
        {"type": "string", "pattern": "^[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}$"},
        "Patient/1",
    ),
    "x-care-plan": Parameter(
        "X-Care-Plan",
        "header",
        "To which plan a new Task comes that names none: one is made unless there is one (409), a new one, or none.",
        {"type": "string", "enum": ["offer", "new", "none"]},
    ),
    "as-of": Parameter("as-of", "query", "When what the message says was so, where it does not say.", _TIME),
    "max": Parameter(
        "max", "query", "How many of each code.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1}
    ),
    "sourceIdentifier": Parameter(
        "sourceIdentifier", "query", "An identifier of a person, as system|value.", {"type": "string"}, "urn:oid:1.2|3"
    ),
    "targetSystem": Parameter(
        "targetSystem", "query", "Of which system identifiers are wanted; may be repeated.", {"type": "string"}
    ),
    "type": Parameter("type", "query", "One resource type, with its schemas and search parameters.", _TEXT, "Task"),
}
"""By key; the key is the name but for two that share one."""

HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ETag": {"description": "The version of the resource.", "required": True, "schema": _ETAG},
    "Last-Modified": {"description": "When this version was made.", "required": True, "schema": _TEXT},
    "Location": {"description": "Where this version is read.", "required": True, "schema": _TEXT},
    "Deleted": {"description": "The version that says that it is gone.", "schema": _ETAG},
    "X-Request-Id": {"description": "What to quote when asking about this answer.", "schema": _TEXT},
}
HEADER_NAMES: Final = {"Deleted": "ETag"}
"""Headers that are named otherwise on the wire than in the table above."""

REFUSALS: Final[Mapping[int, str]] = {
    400: "The request cannot be understood.",
    401: "Nothing says who is asking, or the token does not hold.",
    403: "Known, and not allowed to do this.",
    404: "Nothing is there, or nothing that the caller may know of.",
    405: "Something is asked for that is not offered there.",
    406: "A format that is not served.",
    408: "The body did not come in time.",
    409: "What is stored says otherwise.",
    410: "It was deleted.",
    412: "A condition does not hold: the version is another, or several resources match.",
    413: "The body is larger than is accepted.",
    415: "A format that is not read.",
    422: "Understood, and wrong: the resource breaks the rules of its type.",
    428: "A condition must be named.",
    429: "The caller asks for too much at once.",
    503: "Not possible right now: try again.",
}

SHOWN: Final = ("_format", "_pretty", "x-request-id")
VIEWED: Final = ("_summary", "_elements", *SHOWN)
READING: Final = (400, 401, 404, 406, 503)
WRITING: Final = (400, 401, 403, 404, 406, 409, 412, 413, 415, 422, 428, 503)
VERSION: Final = ("ETag", "Last-Modified", "X-Request-Id")

_SEARCH: Final = Offer(
    "Search",
    "Parameters are those of the type; one that is given twice must hold twice, values between commas are "
    "alternatives. Unknown ones are refused. Search for people by POST: addresses are remembered.",
    {200: Answer("A Bundle of what was found.", "searchset", ("X-Request-Id",))},
    takes=("prefer", *SHOWN),
    refuses=(400, 401, 404, 406, 503),
    searches=True,
)

_SYSTEM: Final = replace(_SEARCH, title="Search all types", about="By what all types have; `_type` names some of them.")
_COMPARTMENT: Final = replace(
    _SEARCH,
    title="Search within a compartment",
    about="Those resources of a type (`*`: of all) that belong to one patient, encounter, device or other. "
    + _SEARCH.about,
)


_TRANSLATE: Final = Offer(
    "What ConceptMaps say of a code",
    "Those that are stored and those of the mapping packages in use, or one that is sent.",
    {200: Answer("Parameters: result, message, and each match.", "parameters", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=READING,
    operation="translate",
)


_TRANSFORM: Final = Offer(
    "Content, mapped by a StructureMap",
    "The map is sent, stored, or of a mapping package in use; the content is a parameter or the body. Nothing is kept.",
    {200: Answer("The result; with debug, Parameters with the trace.", "resource", ("X-Request-Id",))},
    takes=SHOWN,
    body="parameters",
    refuses=(*READING, 410, 413, 415, 422),
    operation="transform",
)


def _by_parameters(operation: Offer) -> Offer:
    return replace(
        operation,
        title=f"{operation.title}, by Parameters",
        body="parameters",
        refuses=(*operation.refuses, 413, 415),
        operation=None,
    )


def _of_codes(name: str, operation: str, title: str, about: str, gives: Answer) -> dict[str, Offer]:
    """An operation of the terminology, by GET and by POST, of all and of one."""
    first = Offer(title, about, {200: gives}, takes=SHOWN, refuses=(*READING, 422), operation=operation)
    one = replace(first, title=f"{title}, of this one", refuses=(*first.refuses, 410))
    return {
        name: first,
        f"{name}_by_post": _by_parameters(first),
        f"{name}_instance": one,
        f"{name}_instance_by_post": _by_parameters(one),
    }


_PARAMETERS_SAY: Final = Answer("Parameters.", "parameters", ("X-Request-Id",))
_VALIDATED: Final = Answer("Parameters: result, message and display.", "parameters", ("X-Request-Id",))
_TERMS: Final = {
    **_of_codes(
        "lookup",
        "lookup",
        "What a code is called and means",
        "Its name, designations and properties, as the code system has them that is held here.",
        _PARAMETERS_SAY,
    ),
    **_of_codes(
        "subsumes",
        "subsumes",
        "How two codes lie to one another",
        "Whether one of two codes of a code system subsumes the other.",
        Answer("Parameters: the outcome.", "parameters", ("X-Request-Id",)),
    ),
    **_of_codes(
        "codesystem_validate_code",
        "CodeSystem-validate-code",
        "Whether a code system has a code",
        "And whether it is called so.",
        _VALIDATED,
    ),
    **_of_codes(
        "valueset_validate_code",
        "ValueSet-validate-code",
        "Whether a value set has a code",
        "And whether it is called so.",
        _VALIDATED,
    ),
    **_of_codes(
        "expand",
        "expand",
        "The codes of a value set",
        "Those with all words of a text in them, a page at a time, with their names.",
        Answer("The ValueSet with its expansion.", "resource", ("X-Request-Id",)),
    ),
}
for _name in ("lookup_instance", "lookup_instance_by_post"):  # Only of all code systems.
    del _TERMS[_name]


def _by_form(search: Offer) -> Offer:
    return replace(search, title=f"{search.title} by form", body="form", refuses=(*search.refuses, 413, 415))


_HISTORY: Final = Offer(
    "History of a resource",
    "Its versions, the newest first.",
    {200: Answer("A Bundle of versions.", "history", ("X-Request-Id",))},
    takes=("_count", "_since", "_at", "history-sort", *VIEWED),
    refuses=READING,
)

_UPDATE: Final = Offer(
    "Update",
    "Store a resource under an id that the client names; it is created where there was none. The id in the body is "
    "the one in the address. The same content again makes no version.",
    {
        200: Answer("The resource as it is stored.", "resource", (*VERSION, "Location")),
        201: Answer("It is new.", "resource", (*VERSION, "Location")),
    },
    takes=("if-match", "if-none-match", "prefer", "x-care-plan", "x-security-context", *SHOWN),
    body="content",
    refuses=WRITING,
)
_PATCH: Final = Offer(
    "Patch",
    "Change a resource as it is: by JSON Patch, XML Patch or FHIRPath Patch. What comes out is checked as an "
    "update is. All operations are done, or none.",
    {200: Answer("The resource as it is stored.", "resource", (*VERSION, "Location"))},
    takes=("if-match", "prefer", *SHOWN),
    body="patch",
    refuses=(*WRITING, 410),
)
_DELETE: Final = Offer(
    "Delete",
    "The resource is gone for readers; its history stays. To delete what is gone is no error.",
    {
        200: Answer("It is gone, as an OperationOutcome.", "outcome", ("Deleted", "X-Request-Id")),
        204: Answer("It is gone.", "nothing", ("Deleted", "X-Request-Id")),
    },
    takes=("if-match", "prefer", *SHOWN),
    refuses=(400, 401, 403, 404, 406, 409, 412, 428, 503),
)

OFFERS: Final[Mapping[str, Offer]] = {
    "capabilities": Offer(
        "What is served",
        "The CapabilityStatement, written from what the server works by.",
        {200: Answer("The CapabilityStatement.", "capabilities", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(400, 401, 406),
    ),
    "read": Offer(
        "Read",
        "The current version of a resource.",
        {200: Answer("The resource.", "content", VERSION), 304: Answer("You have it already.", "nothing", VERSION)},
        takes=("if-none-match", "if-modified-since", *VIEWED),
        refuses=(*READING, 410),
    ),
    "vread": Offer(
        "Read a version",
        "One version of a resource, as it was.",
        {200: Answer("The resource.", "content", VERSION)},
        takes=VIEWED,
        refuses=(*READING, 410),
    ),
    "history_instance": _HISTORY,
    "history_type": replace(_HISTORY, title="History of a type", about="The versions of all its resources."),
    "history_system": replace(_HISTORY, title="History of everything", about="The versions of all resources."),
    "update": _UPDATE,
    "update_conditional": replace(
        _UPDATE,
        title="Update what meets a search",
        about="Store a resource in the place of the one that meets the search; where none does it is created.",
        criteria=True,
    ),
    "patch": _PATCH,
    "patch_conditional": replace(
        _PATCH, title="Patch what meets a search", about="Change the one resource that meets the search.", criteria=True
    ),
    "create": Offer(
        "Create",
        "Store a new resource under an id that the server chooses.",
        {
            200: Answer("What meets the condition; nothing is done.", "resource", (*VERSION, "Location")),
            201: Answer("The resource as it is stored.", "resource", (*VERSION, "Location")),
        },
        takes=("if-none-exist", "prefer", "x-care-plan", "x-security-context", *SHOWN),
        body="content",
        refuses=WRITING,
    ),
    "delete": _DELETE,
    "delete_conditional": replace(
        _DELETE,
        title="Delete what meets a search",
        about="All that meet the search are gone for readers; their history stays.",
        criteria=True,
    ),
    "transaction": Offer(
        "Transaction or batch",
        "A Bundle of requests: as a transaction all of them are done or none, as a batch each by itself.",
        {200: Answer("A Bundle with the answer to each, in their order.", "bundle", ("X-Request-Id",))},
        takes=("prefer", "x-care-plan", *SHOWN),
        body="bundle",
        refuses=(*WRITING, 405, 410),
    ),
    "search_type": _SEARCH,
    "search_type_by_post": _by_form(_SEARCH),
    "search_system": _SYSTEM,
    "search_system_by_post": _by_form(_SYSTEM),
    "search_compartment": _COMPARTMENT,
    "search_compartment_by_post": _by_form(_COMPARTMENT),
    "who_does_what": Offer(
        "Who does what for this person",
        "Who is responsible, what comes next, what is awaited from whom and what is missing.",
        {200: Answer("A document Bundle.", "document", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(*READING, 410),
        operation="who-does-what",
    ),
    "worklist": Offer(
        "The worklist of an organisation",
        "What waits for it, what it waits for from others, and what has changed.",
        {200: Answer("A collection Bundle with three Lists.", "bundle", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(400, 401, 403, 404, 406, 503),
        operation="worklist",
    ),
    **_TERMS,
    "transform": _TRANSFORM,
    "transform_instance": replace(_TRANSFORM, title="Content, mapped by this StructureMap"),
    "translate": _TRANSLATE,
    "translate_by_post": _by_parameters(_TRANSLATE),
    "translate_instance": replace(_TRANSLATE, title="What a ConceptMap says of a code", refuses=(*READING, 410)),
    "translate_instance_by_post": replace(_by_parameters(_TRANSLATE), refuses=(*READING, 410, 413, 415)),
    "asynchronous_status": Offer(
        "What became of a request",
        "Of one that was sent with `Prefer: respond-async`: its progress, or its answer as a Bundle of one entry.",
        {
            200: Answer("A Bundle with the answer.", "answer", ("X-Request-Id",)),
            202: Answer("There is no answer yet.", "outcome", ("X-Request-Id",)),
        },
        takes=SHOWN,
        refuses=(400, 401, 404, 406, 503),
    ),
    "asynchronous_cancel": Offer(
        "Withdraw a request",
        "Nobody needs its answer any more.",
        {202: Answer("It is withdrawn.", "outcome", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(400, 401, 404, 406, 503),
    ),
    "push": Offer(
        "A message of a source",
        "Kept before it is acknowledged, and tried afterwards.",
        {202: Answer("It is kept.", "json", ("Location", "X-Request-Id"))},
        takes=("as-of", "x-request-id"),
        body="message",
        refuses=(400, 401, 403, 404, 413, 503),
        tag="Ingest",
    ),
    "status": Offer(
        "What became of a message",
        "Its items, their states and their issues.",
        {200: Answer("The message's state.", "json", ("X-Request-Id",))},
        takes=("x-request-id",),
        refuses=(401, 403, 404, 503),
        tag="Ingest",
    ),
    "openapi": Offer(
        "This document",
        "The whole with generic paths, or one resource type with its schemas and search parameters.",
        {200: Answer("An OpenAPI 3.1 document.", "json", ("X-Request-Id",))},
        takes=("type", "x-request-id"),
        refuses=(400, 401),
        tag="Watching",
    ),
    "health": Offer(
        "The process answers",
        "For machines that watch.",
        {200: Answer("`alive`", "text")},
        known=False,
        tag="Watching",
    ),
    "ready": Offer(
        "The database answers",
        "For machines that watch.",
        {200: Answer("Ready.", "json"), 503: Answer("Not ready.", "json")},
        known=False,
        tag="Watching",
    ),
}
"""By the handler's name."""
