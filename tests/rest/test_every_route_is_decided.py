"""Default deny, held by the route table itself: whoever adds a route says who may take it, or this fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import create_engine, func, select
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from gateway.access.caller import Caller
from gateway.app import Gateway, create_app
from gateway.rest.routes import ROUTES
from gateway.tables import audit

OPEN = {
    ("GET", "/health"): "Says that the process lives.",
    ("GET", "/ready"): "Says that the database answers, and which versions of the mapping packages are in use.",
    ("GET", "/find"): "Leads back to the start page.",
    ("POST", "/identity"): "Gives a test identity, where there are any and to our own page only.",
    ("POST", "/language"): "Sets a cookie.",
}
"""Routes that say nothing of anybody, and need no decision."""
CALLED = {
    ("GET", "/fhir/metadata"): "Says what this server does, and nothing of anybody.",
    ("GET", "/openapi.json"): "The same.",
    ("GET", "/api"): "The same.",
}
"""Routes for callers that are known, without a decision."""
MOUNTED = {"/static": "Style sheets and pictures."}
PARTS = {"compartment": "Patient", "resource_type": "Patient", "source": "rivta-logistics"}
ASKED = {
    "$lookup": "?system=http://hl7.org/fhir/administrative-gender&code=male",
    "$subsumes": "?system=http://hl7.org/fhir/administrative-gender&codeA=male&codeB=female",
    "$expand": "?url=http://hl7.org/fhir/ValueSet/administrative-gender",
    "CodeSystem/$validate-code": "?url=http://hl7.org/fhir/administrative-gender&code=male",
    "ValueSet/$validate-code": "?url=http://hl7.org/fhir/ValueSet/administrative-gender&system=http://a.example&code=b",
    "$translate": "?system=http://example.org&code=none",
    "$transform": "?source=http://example.org/none",
    "$graphql": "?query={PatientList{id}}",
    "$apply": "?subject=Patient/none",
    "$evaluate-measure": "?measure=sent-on&periodStart=2026&periodEnd=2026",
    "/fhir/Measure/{id}/$evaluate-measure": "?periodStart=2026&periodEnd=2026",
    "$lastn": "?patient=none&category=vital-signs",
    "$ihe-pix": "?sourceIdentifier=urn:none|1",
    "$validate-transition": "?status=accepted",
}
"""What operations must be asked to come to a decision."""
CODING = {"name": "coding", "valueCoding": {"system": "http://example.org", "code": "none"}}
PARAMETERS = json.dumps({"resourceType": "Parameters", "parameter": [CODING]})
SOURCE = {"name": "sourceIdentifier", "valueIdentifier": {"system": "urn:none", "value": "1"}}
PERIOD = [{"name": name, "valueDate": "2026"} for name in ("periodStart", "periodEnd")]
MEASURE = {"name": "measure", "valueString": "sent-on"}
SUBJECT = {"name": "subject", "valueString": "Patient/none"}
ACTIVITY = {"name": "activityDefinition", "resource": {"resourceType": "ActivityDefinition", "status": "draft"}}
PLAN = {"name": "planDefinition", "resource": {"resourceType": "PlanDefinition", "status": "draft"}}
META = {"name": "meta", "valueMeta": {"tag": [{"code": "none"}]}}
REASON = {"name": "reason", "valueString": "x"}
RIGHT = {
    "name": "resource",
    "resource": {"resourceType": "Task", "id": "none", "status": "completed", "intent": "order"},
}
SETTLED = [
    {"name": "element", "valueString": "Task.owner"},
    {"name": "statement", "valueString": "a"},
    {"name": "statement", "valueString": "b"},
    {"name": "decision", "valueCode": "ask"},
    REASON,
]
BODIES = {
    "$translate": PARAMETERS,
    "$match": '{"resourceType":"Patient","birthDate":"1912-12-12"}',
    "$apply": json.dumps({"resourceType": "Parameters", "parameter": [SUBJECT]}),
    "/fhir/ActivityDefinition/$apply": json.dumps({"resourceType": "Parameters", "parameter": [SUBJECT, ACTIVITY]}),
    "/fhir/PlanDefinition/$apply": json.dumps({"resourceType": "Parameters", "parameter": [SUBJECT, PLAN]}),
    "$evaluate-measure": json.dumps({"resourceType": "Parameters", "parameter": [*PERIOD, MEASURE]}),
    "/fhir/Measure/{id}/$evaluate-measure": json.dumps({"resourceType": "Parameters", "parameter": PERIOD}),
    "$ihe-pix": json.dumps({"resourceType": "Parameters", "parameter": [SOURCE]}),
    "$graphql": json.dumps({"resourceType": "Parameters", "parameter": [{"name": "query", "valueString": "{id}"}]}),
    "$meta-add": json.dumps({"resourceType": "Parameters", "parameter": [META]}),
    "$correct": json.dumps({"resourceType": "Parameters", "parameter": [RIGHT, REASON]}),
    "$settle": json.dumps({"resourceType": "Parameters", "parameter": SETTLED}),
    "$handover": '{"resourceType":"Parameters","parameter":[{"name":"answer","valueCode":"accept"}]}',
    "$next-steps": '{"resourceType":"Parameters"}',
    "$validate-transition": '{"resourceType":"Task","status":"requested","intent":"order"}',
    "$meta-delete": json.dumps({"resourceType": "Parameters", "parameter": [META]}),
    "$import": '{"input":[{"url":"https://files.example/none"}]}',
}
"""What operations must be sent to come to a decision."""
STRANGER = Caller("organisation", "SE2321000081-T0100", "Stranger", "SE2321000081-T0000")
FHIR = {"content-type": "application/fhir+json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
BUNDLE = '{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/none"}}]}'


def routes(app: Starlette) -> Iterator[tuple[str, str]]:
    """Method and path of every route there is, however it was included."""
    yield from ((method, path) for method, path, _ in ROUTES)
    pending = [*app.routes, *app.state.beside.app.routes]
    while pending:
        route = pending.pop()
        if isinstance(route, Mount):
            assert route.path in MOUNTED, f"{route.path} is mounted: say what it shows, and to whom"
        elif isinstance(route, Route):
            # Wherever something can be got, its head can: by the same handler, and so the same decision.
            yield from ((method, route.path) for method in sorted(route.methods or ()) if method != "HEAD")
        elif hasattr(route, "original_router"):  # FastAPI keeps included routers whole.
            pending += route.original_router.routes
        else:
            raise AssertionError(f"{route} is of a kind that this test does not know")


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as made:
        yield made


def call(client: httpx.Client, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """The route, with values in its path and a body where it takes one."""
    filled = re.sub(r"\{(\w+)\}", lambda part: PARTS.get(part[1], "none"), path)
    is_form = path == "/find" or path.endswith(("/_search", "/$lastn"))
    body = '{"resourceType":"Patient","id":"none"}' if method in ("PUT", "POST") and not is_form else None
    kind = FORM if is_form else FHIR
    if method == "PATCH":
        body, kind = "[]", {"content-type": "application/json-patch+json"}
    operation = path.rpartition("/")[2]
    if method == "POST" and path.rstrip("/") == "/fhir":
        body = BUNDLE
    elif operation in BODIES and method == "POST":
        body = BODIES.get(path, BODIES[operation])
    else:
        about = path.split("/")[2] if operation.startswith("$") else ""
        filled += ASKED.get(path) or ASKED.get(operation) or ASKED.get(f"{about}/{operation}", "")
        by_parameters = operation.startswith("$") and operation not in ("$validate", "$lastn")
        if by_parameters and about != "StructureMap" and method == "POST":
            body = '{"resourceType":"Parameters"}'
    later = {"prefer": "respond-async"} if operation in ("$export", "$import") else {}
    client.cookies.clear()  # What one route gives is nothing that another is shown.
    origin = {"origin": str(client.base_url).rstrip("/")}
    return client.request(method, filled, content=body, headers=kind | later | origin | headers)


@pytest.fixture
def decided(gateway: Gateway) -> list[tuple[str, str]]:
    found = sorted(set(routes(create_app(gateway))))
    assert ("GET", "/fhir/{resource_type}/{id}") in found
    assert {*OPEN, *CALLED} <= set(found)
    return [route for route in found if route not in OPEN]


def test_no_route_answers_whom_it_does_not_know(decided: list[tuple[str, str]], client: httpx.Client) -> None:
    for method, path in decided:
        for headers in ({"host": "elsewhere.example"}, {"authorization": "Bearer none"}, {"x-forwarded-for": "::1"}):
            assert call(client, method, path, headers).status_code in (401, 403), (method, path, headers)


@pytest.mark.parametrize("caller", ["stranger", "operator"])
def test_every_route_leaves_its_decision_in_the_audit_trail(
    decided: list[tuple[str, str]], client: httpx.Client, gateway: Gateway, caller: str
) -> None:
    token = gateway.identities.token(STRANGER)
    headers = {"authorization": f"Bearer {token}"} if caller == "stranger" else {}
    engine = create_engine(gateway.settings.database_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        def rows() -> int:
            found: int = connection.scalar(select(func.count()).select_from(audit))
            return found

        for method, path in decided:
            before = rows()
            answer = call(client, method, path, headers)
            assert answer.status_code not in (401, 500), (method, path, answer.status_code)
            assert (rows() > before) is ((method, path) not in CALLED), (method, path, answer.status_code)
    engine.dispose()
