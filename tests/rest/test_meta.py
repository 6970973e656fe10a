"""$meta, $meta-add and $meta-delete: which labels there are, and what becomes of a resource when they change."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

A, B = {"system": "urn:test", "code": "Akut", "display": "Acute"}, {"system": "urn:test", "code": "b"}
RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
PROFILE = "http://example.org/StructureDefinition/mine"


def labelled(client: httpx.Client, kind: str, id: str, **meta: Any) -> str:
    """Stores a resource with labels, and tells its ETag."""
    body = {"resourceType": kind, "id": id, "meta": meta}
    answer = client.put(f"/fhir/{kind}/{id}", content=json.dumps(body))
    assert answer.is_success, answer.text
    return answer.headers["etag"]


def meta_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["parameter"]
    assert one["name"] == "return"
    return one.get("valueMeta", {})


def given(**meta: Any) -> str:
    return json.dumps({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})


def test_the_labels_in_use_are_told_of_all_and_of_a_type(operator: httpx.Client) -> None:
    assert meta_of(operator.get("/fhir/$meta")) == {}
    labelled(operator, "Patient", "one", tag=[A, B], profile=[PROFILE])
    labelled(operator, "Patient", "two", tag=[A | {"display": "Something else"}])
    labelled(operator, "Location", "three", security=[RESTRICTED])

    whole = meta_of(operator.get("/fhir/$meta"))
    assert whole == {"profile": [PROFILE], "security": [RESTRICTED], "tag": [A, B]}
    assert meta_of(operator.get("/fhir/Patient/$meta")) == {"profile": [PROFILE], "tag": [A, B]}
    assert meta_of(operator.get("/fhir/Task/$meta")) == {}
    assert meta_of(operator.post("/fhir/Patient/$meta", content='{"resourceType":"Parameters"}'))["tag"] == [A, B]
    assert operator.delete("/fhir/Location/three").is_success
    assert "security" not in meta_of(operator.get("/fhir/$meta"))


def test_labels_are_sets_by_system_and_code_and_a_change_is_a_version(operator: httpx.Client) -> None:
    first = labelled(operator, "Patient", "p", tag=[A])
    same = operator.post("/fhir/Patient/p/$meta-add", content=given(tag=[{**A, "display": "Other", "version": "2"}]))
    assert (meta_of(same)["tag"], same.headers["etag"]) == ([A], first)

    more = operator.post("/fhir/Patient/p/$meta-add", content=given(tag=[B], security=[RESTRICTED], profile=[PROFILE]))
    meta = meta_of(more)
    assert {name: meta[name] for name in ("tag", "security", "profile")} == {
        "tag": [A, B],
        "security": [RESTRICTED],
        "profile": [PROFILE],
    }
    assert more.headers["etag"] == f'W/"{meta["versionId"]}"' != first
    assert meta_of(operator.get("/fhir/Patient/p/$meta")) == meta
    assert operator.get("/fhir/Patient?_tag=urn:test|b&_security=R").json()["total"] == 1

    gone = {"tag": [{"system": "urn:test", "code": "Akut"}, {"code": "b"}], "profile": ["http://example.org/other"]}
    less = meta_of(operator.post("/fhir/Patient/p/$meta-delete", content=given(**gone)))
    assert (less["tag"], less["security"], less["profile"]) == ([B], [RESTRICTED], [PROFILE])

    old = meta_of(operator.get(f"/fhir/Patient/p/_history/{first[3:-1]}/$meta"))
    assert old["tag"] == [A] and "security" not in old
    assert operator.get("/fhir/Patient/p/_history").json()["total"] == 3


def test_a_change_of_labels_minds_the_version(operator: httpx.Client) -> None:
    first = labelled(operator, "Patient", "p", tag=[A])
    assert operator.post("/fhir/Patient/p/$meta-add", content=given(tag=[B]), headers={"if-match": first}).is_success
    late = operator.post("/fhir/Patient/p/$meta-delete", content=given(tag=[A]), headers={"if-match": first})
    assert late.status_code == 412
    assert len(meta_of(operator.get("/fhir/Patient/p/$meta"))["tag"]) == 2
    assert operator.post("/fhir/Patient/none/$meta-add", content=given(tag=[B])).status_code == 404
    operator.delete("/fhir/Patient/p")
    assert operator.get("/fhir/Patient/p/$meta").status_code == 410
    assert operator.post("/fhir/Patient/p/$meta-add", content=given(tag=[B])).status_code == 410


@pytest.mark.parametrize(
    ("body", "status", "expression"),
    [
        ('{"resourceType":"Parameters"}', 400, None),
        (given(tag=["urgent"]), 422, "Parameters.parameter[0].value.ofType(Meta).tag[0]"),
        ('{"resourceType":"Patient"}', 400, "resourceType"),
    ],
)
def test_what_is_no_meta_is_refused(shared: httpx.Client, body: str, status: int, expression: str | None) -> None:
    labelled(shared, "Patient", "meta-refused", tag=[A])
    answer = shared.post("/fhir/Patient/meta-refused/$meta-add", content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0].get("expression", [None]) == [expression], answer.text


def test_a_version_that_was_served_keeps_its_labels(shared: httpx.Client) -> None:
    """R4 lets a server leave historical versions as they are; here nothing that was served changes (ADR 32)."""
    etag = labelled(shared, "Patient", "meta-version", tag=[A])
    path = f"/fhir/Patient/meta-version/_history/{etag[3:-1]}"
    assert shared.post(f"{path}/$meta-add", content=given(tag=[B])).status_code == 404
    assert shared.get("/fhir/Visit/$meta").status_code == 404
