"""Bundles that the server answers with."""

from gateway.definitions import load
from gateway.fhir import bundle
from gateway.fhir.bundle import Found, Version
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse

BASE = "https://here.example/fhir"


def test_a_page_of_results_splices_stored_bytes_in() -> None:
    stored = b'{"resourceType":"Patient","id":"1"}'
    found = [Found("Patient", "1", stored), Found("Organization", "2", {"resourceType": "Organization"}, "include")]
    page = bundle.searchset(found, base=BASE, links={"self": f"{BASE}/Patient"}, total=1)
    body = dump(page)
    assert stored in body
    assert [entry["search"]["mode"] for entry in parse(body)["entry"]] == ["match", "include"]
    assert check(parse(body), load()) == []


def test_an_empty_page_has_no_entry_list() -> None:
    page = bundle.searchset([], base=BASE, links={"self": f"{BASE}/Task?status=x"}, total=0)
    assert "entry" not in page
    assert check(page, load()) == []


def test_a_history_says_what_made_each_version_and_that_one_deleted_it() -> None:
    versions = [
        Version("Task", "1", "b", "2024-01-02T00:00:00Z", "DELETE", None),
        Version("Task", "1", "a", "2024-01-01T00:00:00Z", "POST", b'{"resourceType":"Patient"}'),
    ]
    made = parse(dump(bundle.history(versions, base=BASE, links={"self": BASE}, total=2)))
    deleted, created = made["entry"]
    assert "resource" not in deleted
    assert deleted["request"] == {"method": "DELETE", "url": "Task/1"}
    assert created["request"] == {"method": "POST", "url": "Task"}
    assert created["response"]["etag"] == 'W/"a"'
    assert check(made, load()) == []
