"""Binary: content of any kind goes in and comes out as it is; its resource is there for who asks for FHIR.

https://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.identity.systems import HSA_ID
from tests.rest.conftest import FHIR, REGION
from tests.rest.test_interactions import outcome

PDF = b"%PDF-1.4\n\x00\xff\xfe content"
AS_FHIR = {"accept": "application/fhir+json"}


def put(client: httpx.Client, id: str, raw: bytes, media_type: str, **headers: str) -> httpx.Response:
    return client.put(f"/fhir/Binary/{id}", content=raw, headers={"content-type": media_type} | headers)


@pytest.mark.parametrize(
    ("media_type", "raw"),
    [
        ("application/pdf", PDF),
        ("text/plain", b"b\xe5t"),
        ("text/plain; charset=iso-8859-1", b"b\xe5t"),
        ("text/html", b"<script>alert(1)</script>"),
        ("application/json", b'{"resourceType": "Patient"}'),
        ("application/json", b"[1, 2"),
        ("application/xml", b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"),
        ("application/json-patch+json", b"[]"),
        ('multipart/mixed; boundary="a b"', b"--a b--"),
        ("image/png", b""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_content_comes_back_as_it_was_sent(shared: httpx.Client, method: str, media_type: str, raw: bytes) -> None:
    path = "/fhir/Binary" if method == "POST" else f"/fhir/Binary/c{abs(hash((media_type, raw)))}"
    made = shared.request(method, path, content=raw, headers={"content-type": media_type})

    assert made.status_code in (200, 201), made.text
    where = made.headers["location"].partition("/_history/")[0]
    read = shared.get(where, headers={"accept": "application/pdf, */*;q=0.1"})
    assert (read.status_code, read.content, read.headers["content-type"]) == (200, raw, media_type)
    assert read.headers["etag"] == made.headers["etag"] and read.headers["last-modified"]
    resource = shared.get(where, headers=AS_FHIR).json()
    assert (resource["resourceType"], resource["contentType"]) == ("Binary", media_type)
    assert base64.b64decode(resource.get("data", "")) == raw


@pytest.mark.parametrize(
    ("accept", "is_resource"),
    [
        ("*/*", False),
        ("text/plain", False),
        ("image/png", False),
        ("application/json", False),
        ("application/fhir+json", True),
        ("application/fhir+xml;q=0.5, text/plain", True),
        ("application/fhir+json;q=0, */*", False),
    ],
)
def test_the_resource_is_for_who_accepts_fhir(shared: httpx.Client, accept: str, is_resource: bool) -> None:
    put(shared, "accepted", b"text", "text/plain")
    read = shared.get("/fhir/Binary/accepted", headers={"accept": accept})
    assert read.status_code == 200
    assert (read.content != b"text") is is_resource
    assert read.headers["vary"] == "Accept"


def test_format_asks_for_the_resource_whatever_is_accepted(shared: httpx.Client) -> None:
    put(shared, "formatted", b"text", "text/plain")
    assert shared.get("/fhir/Binary/formatted?_format=json").json()["data"] == "dGV4dA=="
    assert shared.get("/fhir/Binary/formatted?_format=xml").content.count(b"<Binary") == 1


@pytest.mark.parametrize("media_type", ["application/fhir+json", "application/json"])
def test_a_binary_is_sent_as_a_resource_too(shared: httpx.Client, media_type: str) -> None:
    sent = b'{"resourceType":"Binary","id":"as-resource","contentType":"text/plain","data":"aGVq"}'
    assert put(shared, "as-resource", sent, media_type).status_code in (200, 201)
    assert shared.get("/fhir/Binary/as-resource").content == b"hej"
    in_xml = b'<Binary xmlns="http://hl7.org/fhir"><id value="as-xml"/><contentType value="text/plain"/></Binary>'
    assert put(shared, "as-xml", in_xml, media_type.replace("json", "xml")).status_code in (200, 201)
    assert shared.get("/fhir/Binary/as-xml").content == b""


def test_each_version_has_its_own_content(shared: httpx.Client) -> None:
    first = put(shared, "versions", b"one", "text/plain")
    again = put(shared, "versions", b"one", "text/plain")
    second = put(shared, "versions", b"two", "text/csv", **{"if-match": first.headers["etag"]})

    assert again.headers["etag"] == first.headers["etag"] != second.headers["etag"]
    assert put(shared, "versions", b"three", "text/csv", **{"if-match": first.headers["etag"]}).status_code == 412
    before = shared.get(first.headers["location"])
    assert (before.content, before.headers["content-type"]) == (b"one", "text/plain")
    assert shared.get("/fhir/Binary/versions").content == b"two"
    unchanged = shared.get("/fhir/Binary/versions", headers={"if-none-match": second.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    history = shared.get("/fhir/Binary/versions/_history").json()
    assert [one["resource"]["contentType"] for one in history["entry"]] == ["text/csv", "text/plain"]
    head = shared.head("/fhir/Binary/versions")
    assert (head.content, head.headers["content-type"], head.headers["content-length"]) == (b"", "text/csv", "3")
    assert shared.delete("/fhir/Binary/versions").status_code == 204
    assert outcome(shared.get("/fhir/Binary/versions", headers={"accept": "text/plain"}), 410)


def test_a_write_is_answered_with_the_resource(shared: httpx.Client) -> None:
    made = put(shared, "answered", b"text", "text/plain", accept="text/plain")
    assert made.status_code == 201 and made.json()["contentType"] == "text/plain"
    assert put(shared, "answered", b"text", "text/plain", prefer="return=minimal").content == b""


def test_a_write_is_not_done_where_its_answer_cannot_be_given(shared: httpx.Client) -> None:
    headers = {"content-type": "text/plain"}
    for query, status in (("_format=pdf", 406), ("_pretty=perhaps", 400)):
        assert outcome(shared.put(f"/fhir/Binary/undone?{query}", content=b"x", headers=headers), status)
    assert outcome(shared.get("/fhir/Binary/undone"), 404)


def test_content_never_runs_as_ours(shared: httpx.Client) -> None:
    put(shared, "page", b"<script>alert(1)</script>", "text/html")
    headers = shared.get("/fhir/Binary/page", headers={"accept": "text/html"}).headers
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


def test_who_may_see_the_content_is_decided_by_its_security_context(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    task: dict[str, Any] = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}
    owner = {"type": "Organization", "identifier": {"system": HSA_ID, "value": REGION}}
    operator.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    operator.put("/fhir/Task/t", json=task | {"for": {"reference": "Patient/p"}, "owner": owner})
    put(operator, "of-p", PDF, "application/pdf", **{"x-security-context": "Patient/p"})
    put(operator, "of-nobody", PDF, "application/pdf")

    read = operator.get("/fhir/Binary/of-p")
    assert read.headers["x-security-context"] == "Patient/p"
    assert operator.get("/fhir/Binary/of-p", headers=AS_FHIR).json()["securityContext"] == {"reference": "Patient/p"}
    member, stranger = client_of(REGION), client_of("SE2120001348-T0100")
    assert member.get("/fhir/Binary/of-p").content == PDF
    assert outcome(stranger.get("/fhir/Binary/of-p"), 404)
    assert outcome(member.get("/fhir/Binary/of-nobody"), 404)


@pytest.mark.parametrize(
    ("headers", "status", "rule"),
    [
        ({"content-type": "text"}, 415, "media-type"),
        ({"content-type": "text/*"}, 415, "media-type"),
        ({"content-type": "text/plain; charset=\u00e5".encode("latin-1")}, 415, "media-type"),
        ({"content-type": "text/plain", "x-security-context": "nobody"}, 400, "security-context"),
        ({"content-type": "text/plain", "x-security-context": "Patient?identifier=1"}, 400, "security-context"),
        ({"content-type": "text/plain", "x-security-context": "Binary/not-there"}, 201, ""),
    ],
)
def test_headers_that_do_not_tell_what_it_is_are_refused(
    shared: httpx.Client, headers: dict[str, str], status: int, rule: str
) -> None:
    answer = shared.post("/fhir/Binary", content=b"x", headers=headers)
    if status == 201:
        assert answer.status_code == 201
    else:
        assert outcome(answer, status)["details"]["coding"][0]["code"] == rule


def test_content_without_a_type_is_refused(shared: httpx.Client) -> None:
    request = shared.build_request("POST", "/fhir/Binary", content=b"x")
    del request.headers["content-type"]
    assert outcome(shared.send(request), 415)


def test_content_is_bounded_so_that_it_can_be_sent_as_a_resource(operator: httpx.Client) -> None:
    """The fixture's bound is 1,000,000 bytes, and base64 is a third larger."""
    assert put(operator, "large", b"x" * 750_000, "text/plain").status_code == 201
    assert outcome(put(operator, "large", b"x" * 750_001, "text/plain"), 413)
    assert operator.get("/fhir/Binary/large").content == b"x" * 750_000


def test_of_other_types_there_is_no_content(shared: httpx.Client) -> None:
    assert outcome(shared.post("/fhir/Basic", content=b"x", headers={"content-type": "text/plain"}), 415)
    assert outcome(shared.get("/fhir/Basic/none", headers={"accept": "text/plain"}), 406)


def test_within_a_bundle_it_is_a_resource(shared: httpx.Client) -> None:
    put(shared, "bundled", b"text", "text/plain")
    entry = {"request": {"method": "GET", "url": "Binary/bundled"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    (answer,) = shared.post("/fhir", json=bundle, headers=FHIR).json()["entry"]
    assert answer["resource"]["data"] == "dGV4dA=="
    (found,) = shared.get("/fhir/Binary?_id=bundled").json()["entry"]
    assert found["resource"]["data"] == "dGV4dA=="
