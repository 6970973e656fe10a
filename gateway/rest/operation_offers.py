"""What operations on records and persons take and answer, one row a handler, beside the rows of `offers.py`.

https://spec.openapis.org/oas/v3.1.1.html#operation-object
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.rest.offers import READING, SHOWN, VERSION, WRITING, Answer, Offer

_FOUND: Final = Answer("A Bundle of what was found.", "searchset", ("X-Request-Id",))


def _posted(offer: Offer) -> Offer:
    return replace(
        offer,
        title=f"{offer.title}, by Parameters",
        body="parameters",
        refuses=(*offer.refuses, 413, 415),
        operation=None,
    )


def _both(name: str, offer: Offer) -> dict[str, Offer]:
    """By GET, and by POST."""
    return {name: offer, f"{name}_by_post": _posted(offer)}


_CONTRADICTIONS: Final = Answer("Parameters: a contradiction for each element.", "parameters", ("X-Request-Id",))

_EVERYTHING: Final = Offer(
    "The records of all patients",
    "Everything that belongs to the patients that the caller may see, and what it refers to, in pages.",
    {200: _FOUND},
    takes=SHOWN,
    refuses=READING,
    operation="Patient-everything",
)

_META: Final = Offer(
    "The labels that are in use",
    "Profiles, tags and security labels of all resources that the caller may see.",
    {200: Answer("Parameters with a Meta.", "parameters", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=(*READING, 422),
)
_META_OF_ONE: Final = replace(
    _META,
    title="The labels of a resource",
    about="Its Meta, without the resource.",
    answers={200: Answer("Parameters with its Meta.", "parameters", VERSION)},
    refuses=(*READING, 410),
)
_META_CHANGE: Final = Offer(
    "Add labels to a resource",
    "Profiles, tags and security labels, in Parameters with a Meta; those that are there already are not added again.",
    {200: Answer("Parameters with the Meta of the resource as it is stored.", "parameters", VERSION)},
    takes=("if-match", *SHOWN),
    body="parameters",
    refuses=(*WRITING, 410),
)
_VALIDATE: Final = Offer(
    "What is wrong with a resource",
    "Everything at once, by R4 and by profiles: of the resource that is sent, alone or in Parameters. Nothing is kept.",
    {200: Answer("An OperationOutcome, whether the resource is valid or not.", "outcome", ("X-Request-Id",))},
    takes=SHOWN,
    body="resource",
    refuses=(400, 401, 404, 406, 413, 415, 503),
    operation="validate",
)
_GRAPHQL: Final = Offer(
    "A GraphQL query",
    "Of whatever the caller may see: read by id, searched, and followed along references.",
    {200: Answer("`data`, and `errors` with an OperationOutcome each.", "json", ("X-Request-Id",))},
    takes=("x-request-id",),
    refuses=(400, 401, 413, 415, 503),
    operation="graphql",
)
_GRAPHQL_OF_ONE: Final = replace(
    _GRAPHQL, title="A GraphQL query of a resource", refuses=(400, 401, 404, 410, 413, 415, 503)
)
_LASTN: Final = Offer(
    "The last few observations of each code",
    "Of one subject, of a category or by a code, by the search parameters of Observation; those of one time together.",
    {200: _FOUND},
    takes=("max", *SHOWN),
    refuses=(400, 401, 406, 422, 503),
    searches=True,
)
_PIX: Final = Offer(
    "The other identifiers of a person",
    "As IHE's PIXm has it: those of all Patients that are this person, and the Patients themselves.",
    {200: Answer("Parameters: targetIdentifier and targetId.", "parameters", ("X-Request-Id",))},
    takes=("sourceIdentifier", "targetSystem", *SHOWN),
    refuses=(400, 401, 403, 404, 406, 503),
)
_STEPS: Final = Offer(
    "What the caller may do next with a Task",
    "The moves that the rules let him make, each with what must be given.",
    {200: Answer("Parameters: status, role and step.", "parameters", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=(*READING, 410),
)
_DRY_RUN: Final = Offer(
    "What the rules would say to a change of a Task",
    "Whether the caller may move it so, why not, and what he may do instead. Nothing is changed.",
    {200: Answer("Parameters: result, outcome and step.", "parameters", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=(*READING, 410, 422),
    operation="Task-validate-transition",
)

_APPLY_ACTIVITY: Final = Offer(
    "The request that a definition describes",
    "An ActivityDefinition that is sent, applied to a subject: a draft of the type that it names. Nothing is kept.",
    {200: Answer("The draft.", "resource", ("X-Request-Id",))},
    takes=SHOWN,
    body="parameters",
    refuses=(*READING, 410, 413, 415, 422),
    operation="ActivityDefinition-apply",
)
_APPLY_PLAN: Final = replace(
    _APPLY_ACTIVITY,
    title="The plan that a definition describes",
    about="A PlanDefinition that is sent, applied to a subject: a CarePlan with drafts contained. Nothing is kept.",
    operation="PlanDefinition-apply",
)


def _stored(name: str, offer: Offer) -> dict[str, Offer]:
    """Of what is sent; and of what is stored, by GET and by POST."""
    of_one = replace(
        offer,
        title=f"{offer.title}, of a stored one",
        about=offer.about.replace("that is sent, applied", "applied"),
        body="nothing",
        refuses=(*READING, 410, 422),
    )
    return {name: offer, **_both(f"{name}_instance", of_one)}


_CORRECT: Final = Offer(
    "Put right what was said of a Task that has ended",
    "A new version of it, and a Provenance that says of which version it was made, by whom, when and why.",
    {200: Answer("The Task as it is stored.", "resource", VERSION)},
    takes=("if-match", *SHOWN),
    body="parameters",
    refuses=(*WRITING, 410),
    operation="Task-correct",
)
_EVALUATE: Final = Offer(
    "A measure over a period",
    "How long, how often, how many: of the missions that the caller may see, over whole Swedish days. What is of a few "
    "persons is not told.",
    {200: Answer("A MeasureReport.", "resource", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=(*READING, 422),
    operation="Measure-evaluate-measure",
)
_CAPACITY: Final = Offer(
    "Which unit can take what now",
    "Services with their free places, whether they are open, and whom to call. No person is named, or asked about.",
    {200: Answer("Parameters: each service, those that can take something first.", "parameters", ("X-Request-Id",))},
    takes=SHOWN,
    refuses=(400, 401, 406, 503),
    operation="HealthcareService-capacity",
)

_EXPORT: Final = Offer(
    "Bulk export of everything",
    "With `Prefer: respond-async`: all that the caller may see, as NDJSON files that are fetched later.",
    {202: Answer("It is begun; the Content-Location tells what becomes of it.", "outcome", ("X-Request-Id",))},
    takes=("prefer", *SHOWN),
    refuses=(400, 401, 406, 429, 503),
    operation="export",
)
_EXPORTED: Final = (400, 401, 404, 406, 503)

OPERATIONS: Final[Mapping[str, Offer]] = {
    "plan_as_of": Offer(
        "A plan and its team as they were",
        "At a time, by what was known of it by a time; and which statuses and members they had until then.",
        {200: Answer("Parameters: plan, team, statusHistory and teamHistory.", "parameters", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(*READING, 410),
        operation="CarePlan-as-of",
    ),
    "explain": Offer(
        "Where each value comes from",
        "Who says it, by which line of which map, from which place of the message; or by which rule of the gateway.",
        {200: Answer("Parameters: resource, statement and element.", "parameters", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=(*READING, 410),
        operation="explain",
    ),
    **_stored("apply_activity", _APPLY_ACTIVITY),
    **_stored("apply_plan", _APPLY_PLAN),
    "validate_system": _VALIDATE,
    "validate": _VALIDATE,
    "validate_instance": replace(
        _VALIDATE,
        title="What is wrong with a stored resource",
        about="Everything at once, by R4 and by profiles.",
        body="nothing",
        refuses=(*READING, 410),
    ),
    "validate_instance_by_post": replace(
        _VALIDATE,
        about="Of what is sent, as a change of the stored resource; or of the stored one, where none is sent.",
        refuses=(*_VALIDATE.refuses, 410),
    ),
    **_both("patient_everything", _EVERYTHING),
    **_both(
        "patient_everything_instance",
        replace(
            _EVERYTHING,
            title="The record of a patient",
            about="Everything that belongs to a person, and what it refers to; in one Bundle, or in pages.",
            refuses=(*READING, 410),
        ),
    ),
    **_both(
        "encounter_everything",
        replace(
            _EVERYTHING,
            title="The record of an encounter",
            about="Everything that belongs to an encounter, and what it refers to; in one Bundle, or in pages.",
            refuses=(*READING, 410),
            operation="Encounter-everything",
        ),
    ),
    **_both("meta", _META),
    **_both("meta_type", replace(_META, title="The labels that are in use in a type")),
    **_both("meta_instance", _META_OF_ONE),
    **_both("meta_version", replace(_META_OF_ONE, title="The labels of a version")),
    "capacity": _CAPACITY,
    **_both("evaluate_measure", _EVALUATE),
    **_both("evaluate_measure_instance", replace(_EVALUATE, refuses=(*_EVALUATE.refuses, 410))),
    "lastn": _LASTN,
    "lastn_by_post": replace(_LASTN, title="The last few of each code, by form", body="form", searches=True),
    "match": Offer(
        "Who a person may be",
        "From a Patient, perhaps not a whole one, alone or in Parameters: those who are alike, the likeliest first.",
        {200: Answer("A Bundle of matches with score and grade.", "searchset", ("X-Request-Id",))},
        takes=SHOWN,
        body="parameters",
        refuses=(400, 401, 406, 413, 415, 422, 503),
    ),
    "ihe_pix": _PIX,
    "ihe_pix_by_post": replace(_posted(_PIX), takes=SHOWN, refuses=(*_PIX.refuses, 413, 415)),
    **_both("next_steps_instance", _STEPS),
    **_both(
        "next_steps",
        replace(
            _STEPS,
            title="What the caller may do next with his Tasks",
            about="Those that have not ended in which he has a role, the latest change first.",
            answers={200: Answer("Parameters: a task for each.", "parameters", ("X-Request-Id",))},
            refuses=(400, 401, 406, 503),
            operation="Task-next-steps",
        ),
    ),
    **_both("validate_transition_instance", _DRY_RUN),
    "validate_transition": replace(_posted(_DRY_RUN), title="What the rules would say to a Task that is sent"),
    "correct": _CORRECT,
    "contradictions": Offer(
        "What sources do not agree on of a resource",
        "Who said what and when, what is served and by which rule, and what a person has decided.",
        {200: _CONTRADICTIONS},
        takes=SHOWN,
        refuses=(*READING, 410),
        operation="Resource-contradictions",
    ),
    "settle": Offer(
        "Decide what sources do not agree on",
        "Whose word of an element is right, or that the parties are asked; or undo what was decided. The operator's.",
        {200: _CONTRADICTIONS},
        takes=SHOWN,
        body="parameters",
        refuses=(*READING, 409, 410, 413, 415),
        operation="Resource-settle",
    ),
    "handover": Offer(
        "Hand a Task over to another organisation",
        "Offered by its owner, or asked for by who would take over; accepted, declined or withdrawn. Until it is "
        "accepted the leaving owner is responsible.",
        {200: Answer("The hand-over, a Task.", "resource", VERSION)},
        takes=SHOWN,
        body="parameters",
        refuses=(*WRITING, 410),
    ),
    "graphql": _GRAPHQL,
    "graphql_by_post": replace(_GRAPHQL, title="A GraphQL query, as a body", body="graphql", operation=None),
    "graphql_instance": _GRAPHQL_OF_ONE,
    "graphql_instance_by_post": replace(
        _GRAPHQL_OF_ONE, title="A GraphQL query of a resource, as a body", body="graphql", operation=None
    ),
    **_both("export", _EXPORT),
    **_both(
        "export_patient",
        replace(_EXPORT, title="Bulk export of the records of all patients", operation="patient-export"),
    ),
    **_both(
        "export_group",
        replace(
            _EXPORT,
            title="Bulk export of the records of a group's patients",
            refuses=(*_EXPORT.refuses, 404, 410),
            operation="group-export",
        ),
    ),
    "export_status": Offer(
        "What became of a bulk export",
        "Its progress, or the manifest of its files.",
        {
            200: Answer("The manifest.", "json", ("X-Request-Id",)),
            202: Answer("It is not ready yet.", "outcome", ("X-Request-Id",)),
        },
        takes=SHOWN,
        refuses=_EXPORTED,
    ),
    "export_delete": Offer(
        "Delete a bulk export",
        "Nobody needs it any more: it ends, and its files are gone.",
        {202: Answer("It is deleted.", "outcome", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=_EXPORTED,
    ),
    "export_file": Offer(
        "A file of a bulk export",
        "A resource on each line; of what was deleted, a transaction Bundle.",
        {200: Answer("NDJSON.", "ndjson", ("X-Request-Id",))},
        takes=("x-request-id",),
        refuses=_EXPORTED,
    ),
    "bulk_import": Offer(
        "Bulk import",
        "With `Prefer: respond-async`: NDJSON files, fetched or sent, each line written in the caller's name.",
        {202: Answer("It is begun; the Content-Location tells what becomes of it.", "outcome", ("X-Request-Id",))},
        takes=("prefer", *SHOWN),
        body="bulk",
        refuses=(400, 401, 406, 413, 415, 429, 503),
        operation="import",
    ),
    "bulk_import_status": Offer(
        "What became of a bulk import",
        "Its progress, or what was imported of each file, and where the refusals are.",
        {
            200: Answer("What was imported.", "json", ("X-Request-Id",)),
            202: Answer("It is not done yet.", "outcome", ("X-Request-Id",)),
        },
        takes=SHOWN,
        refuses=_EXPORTED,
    ),
    "bulk_import_delete": Offer(
        "End a bulk import",
        "What is not written will not be; what is written stays.",
        {202: Answer("It is ended.", "outcome", ("X-Request-Id",))},
        takes=SHOWN,
        refuses=_EXPORTED,
    ),
    "bulk_import_errors": Offer(
        "What a bulk import refused",
        "An OperationOutcome on each line.",
        {200: Answer("NDJSON.", "ndjson", ("X-Request-Id",))},
        takes=("x-request-id",),
        refuses=_EXPORTED,
    ),
    "meta_add": _META_CHANGE,
    "meta_delete": replace(
        _META_CHANGE,
        title="Take labels from a resource",
        about="Profiles, tags and security labels, in Parameters with a Meta; those that are not there are no error.",
    ),
}
"""By the handler's name."""
