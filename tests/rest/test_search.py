"""search-type over HTTP: parameters, paging, includes. The semantics have their cases in tests/search."""

from __future__ import annotations

import httpx

PERSON = "http://electronichealth.se/identifier/personnummer"


def fill(client: httpx.Client, count: int) -> str:
    patient = client.put(
        "/fhir/Patient/p", json={"resourceType": "Patient", "id": "p", "identifier": [{"system": PERSON, "value": "1"}]}
    )
    assert patient.status_code == 201
    for n in range(count):
        task = {
            "resourceType": "Task",
            "id": f"t{n}",
            "status": "requested",
            "intent": "order",
            "for": {"reference": "Patient/p"},
            "authoredOn": f"2026-01-{n + 1:02}T10:00:00+01:00",
        }
        assert client.put(f"/fhir/Task/t{n}", json=task).status_code == 201
    return "p"


def ids(bundle: dict[str, object], mode: str = "match") -> list[str]:
    entries: list[dict[str, dict[str, str]]] = bundle.get("entry", [])  # type: ignore[assignment]
    return [entry["resource"]["id"] for entry in entries if entry["search"]["mode"] == mode]


def link(bundle: dict[str, object], relation: str) -> str | None:
    links: list[dict[str, str]] = bundle["link"]  # type: ignore[assignment]
    return next((one["url"] for one in links if one["relation"] == relation), None)


def test_pages_follow_each_other_without_loss_or_repetition(operator: httpx.Client) -> None:
    fill(operator, 7)

    page = operator.get("/fhir/Task", params={"patient": "Patient/p", "_sort": "-authored-on", "_count": "3"}).json()
    met = ids(page)
    assert page["total"] == 7
    while following := link(page, "next"):
        assert "Patient" not in following
        page = operator.get(following).json()
        met += ids(page)
    assert met == [f"t{n}" for n in range(6, -1, -1)]


def test_a_link_that_was_altered_is_refused(operator: httpx.Client) -> None:
    fill(operator, 2)
    following = link(operator.get("/fhir/Task?_count=1").json(), "next")

    assert following is not None
    assert operator.get(following[:-4] + "AAAA").status_code == 400


def test_a_search_includes_what_is_asked_for(operator: httpx.Client) -> None:
    fill(operator, 2)

    forward = operator.get("/fhir/Task?_include=Task:patient").json()
    assert sorted(ids(forward)) == ["t0", "t1"] and ids(forward, "include") == ["p"]
    backward = operator.get("/fhir/Patient?_revinclude=Task:patient").json()
    assert ids(backward) == ["p"] and sorted(ids(backward, "include")) == ["t0", "t1"]


def test_posting_a_search_finds_the_same(operator: httpx.Client) -> None:
    fill(operator, 2)

    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = operator.post("/fhir/Task/_search", content=b"authored-on=lt2026-01-02", headers=form).json()
    assert ids(posted) == ids(operator.get("/fhir/Task?authored-on=lt2026-01-02").json()) == ["t0"]


def test_unknown_parameters_are_refused_and_passed_over_only_on_request(operator: httpx.Client) -> None:
    refused = operator.get("/fhir/Patient?colour=red")
    assert refused.status_code == 400
    assert refused.json()["issue"][0]["diagnostics"] == "colour"

    lenient = operator.get("/fhir/Patient?colour=red", headers={"prefer": "handling=lenient"})
    assert lenient.status_code == 200
    assert "colour" not in (link(lenient.json(), "self") or "")
    assert lenient.json()["entry"][-1]["search"]["mode"] == "outcome"


def test_a_value_that_cannot_be_read_is_refused(operator: httpx.Client) -> None:
    assert operator.get("/fhir/Task?authored-on=yesterday").status_code == 400


def test_what_is_written_is_found_at_once_and_what_is_deleted_no_more(operator: httpx.Client) -> None:
    fill(operator, 1)
    assert ids(operator.get("/fhir/Task?status=requested").json()) == ["t0"]

    operator.delete("/fhir/Task/t0")
    assert ids(operator.get("/fhir/Task?status=requested").json()) == []
