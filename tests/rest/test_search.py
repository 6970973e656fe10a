"""search-type over HTTP: parameters, paging, includes. The semantics have their cases in tests/search."""

from __future__ import annotations

import httpx
import pytest

from gateway.access import searching

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
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


def relations(bundle: dict[str, object]) -> set[str]:
    return {one["relation"] for one in bundle["link"]}  # type: ignore[attr-defined]


def test_pages_lead_forward_and_back_and_each_resource_is_on_one(operator: httpx.Client) -> None:
    fill(operator, 7)
    first = operator.get("/fhir/Task?_sort=-authored-on&_count=3").json()
    assert relations(first) == {"self", "first", "next", "last"}

    second = operator.get(link(first, "next") or "").json()
    assert relations(second) == {"self", "first", "prev", "next", "last"}
    third = operator.get(link(second, "next") or "").json()
    assert relations(third) == {"self", "first", "prev", "last"}
    assert [ids(one) for one in (first, second, third)] == [["t6", "t5", "t4"], ["t3", "t2", "t1"], ["t0"]]

    assert ids(operator.get(link(first, "last") or "").json()) == ["t0"]
    assert ids(operator.get(link(second, "self") or "").json()) == ["t3", "t2", "t1"]
    back = operator.get(link(third, "prev") or "").json()
    assert (ids(back), relations(back)) == (ids(second), relations(second))
    again = operator.get(link(back, "prev") or "").json()
    assert (ids(again), relations(again)) == (ids(first), relations(first))
    assert ids(operator.get(link(third, "first") or "").json()) == ids(first)


def test_what_changes_while_paging_back_moves_nothing_else(operator: httpx.Client) -> None:
    fill(operator, 7)
    last = operator.get(link(operator.get("/fhir/Task?_sort=authored-on&_count=2").json(), "last") or "").json()
    operator.delete("/fhir/Task/t5")
    operator.delete("/fhir/Task/t6")
    met = ids(last)
    while before := link(last, "prev"):
        last = operator.get(before).json()
        met = [*ids(last), *met]
    assert met == ["t0", "t1", "t2", "t3", "t4", "t6"]


def test_one_page_has_no_links_to_others(operator: httpx.Client) -> None:
    fill(operator, 2)
    assert relations(operator.get("/fhir/Task").json()) == {"self"}


def test_counting_only_gives_the_number_and_no_entry(operator: httpx.Client) -> None:
    fill(operator, 2)
    for search in ("_summary=count", "_count=0", "_summary=count&_total=none"):
        answer = operator.get(f"/fhir/Task?{search}").json()
        assert (answer["total"], "entry" in answer, relations(answer)) == (2, False, {"self"})


def test_the_total_is_given_unless_it_is_not_asked_for(operator: httpx.Client) -> None:
    fill(operator, 2)
    assert operator.get("/fhir/Task?_count=1").json()["total"] == 2
    assert operator.get("/fhir/Task?_count=1&_total=estimate").json()["total"] == 2
    uncounted = operator.get("/fhir/Task?_count=1&_total=none").json()
    assert "total" not in uncounted
    assert ids(operator.get(link(uncounted, "last") or "").json()) == ["t1"]


def test_self_says_what_was_used(operator: httpx.Client) -> None:
    fill(operator, 1)
    answer = operator.get("/fhir/Task?status=requested&_count=100000&_format=json").json()
    assert (link(answer, "self") or "").endswith("/fhir/Task?status=requested&_count=1000&_format=json")


def test_all_types_are_searched_at_once(operator: httpx.Client) -> None:
    fill(operator, 2)
    assert sorted(ids(operator.get("/fhir?_type=Task,Patient").json())) == ["p", "t0", "t1"]
    assert ids(operator.get("/fhir?_id=t1").json()) == ["t1"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = operator.post("/fhir/_search", content=b"_type=Task&patient=Patient/p&_count=1", headers=form).json()
    assert (posted["total"], ids(posted)) == (2, ["t0"])
    assert ids(operator.get(link(posted, "next") or "").json()) == ["t1"]


def test_a_compartment_is_searched_in_one_type_or_in_all(operator: httpx.Client) -> None:
    fill(operator, 3)
    assert sorted(ids(operator.get("/fhir/Patient/p/Task").json())) == ["t0", "t1", "t2"]
    page = operator.get("/fhir/Patient/p/*?_count=2").json()
    assert (page["total"], ids(operator.get(link(page, "next") or "").json())) == (3, ["t2"])
    assert "/fhir/Patient/p/*?_count=2" in (link(page, "self") or "")
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = operator.post("/fhir/Patient/p/Task/_search", content=b"authored-on=2026-01-02", headers=form).json()
    assert ids(posted) == ["t1"]


def test_a_compartment_that_there_is_not_is_said_to_be_none(operator: httpx.Client) -> None:
    for path, status, rule in (
        ("Patient/p/Location", 400, "not-in-compartment"),
        ("Location/l/Task", 404, "unknown-compartment"),
        ("Patient/p/Human", 404, "unknown-resource-type"),
        ("Patient/p/$nothing", 404, "unknown-operation"),
        ("Patient/!/Task", 400, "id-malformed"),
    ):
        answer = operator.get(f"/fhir/{path}")
        assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (status, rule)


def test_a_page_is_of_the_search_that_it_was_made_for(operator: httpx.Client) -> None:
    fill(operator, 3)
    following = link(operator.get("/fhir/Patient/p/Task?_count=1").json(), "next") or ""
    sealed = following.partition("_page=")[2]
    for path in ("Task", "Patient/q/Task", "Patient/p/*", ""):
        assert operator.get(f"/fhir/{path}?_page={sealed}").status_code == 400


def test_handling_is_strict_unless_it_is_asked_to_be_lenient(operator: httpx.Client) -> None:
    for prefer in ("handling=strict", "return=minimal", 'x="handling=lenient"', "handling=strict, handling=lenient"):
        assert operator.get("/fhir/Patient?colour=red", headers={"prefer": prefer}).status_code == 400
    for prefer in ("handling=lenient", "return=minimal, handling=lenient", 'Handling="lenient"; x=y'):
        answer = operator.get("/fhir/Patient?colour=red", headers={"prefer": prefer})
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "handling=lenient")


def test_more_includes_than_are_given_are_said_to_be_more(
    operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(operator, 4)
    monkeypatch.setattr(searching, "MOST_INCLUDED", 3)
    answer = operator.get("/fhir/Patient?_revinclude=Task:patient").json()
    assert ids(answer, "include") == ["t0", "t1", "t2"]
    assert answer["entry"][-1]["resource"]["issue"][0]["details"]["coding"][0]["code"] == "too-many-included"


def test_what_is_announced_of_searches_is_served(operator: httpx.Client) -> None:
    rest = operator.get("/fhir/metadata").json()["rest"][0]
    assert {"code": "search-system"} in rest["interaction"]
    assert "http://hl7.org/fhir/CompartmentDefinition/device" in rest["compartment"]
    values = {"_id": "x", "_lastUpdated": "2026", "_count": "1", "_sort": "_id", "_total": "none", "_type": "Task"}
    values |= {"_contained": "false", "_containedType": "container"}
    values |= {"_filter": "_id eq x", "_has": "", "_include": "*", "_revinclude": "*", "_list": "x"}
    for one in rest["searchParam"]:
        name = "_has:Provenance:target:_id" if one["name"] == "_has" else one["name"]
        answer = operator.get("/fhir", params={name: values.get(one["name"]) or "x"})
        assert answer.status_code == 200, one
    task = next(one for one in rest["resource"] if one["type"] == "Task")
    for name, included in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
        for value in task[included]:
            assert operator.get("/fhir/Task", params={name: value, "_count": "0"}).status_code == 200, value


def test_a_search_by_a_value_set_asks_the_one_that_is_kept_here_now(operator: httpx.Client) -> None:
    fill(operator, 2)
    url = "http://example.org/ValueSet/open"
    assert operator.get("/fhir/Task", params={"status:in": url}).status_code == 400
    include = {"system": "http://hl7.org/fhir/task-status", "concept": [{"code": "requested"}]}
    value_set = {
        "resourceType": "ValueSet",
        "id": "v",
        "url": url,
        "status": "active",
        "compose": {"include": [include]},
    }
    assert operator.put("/fhir/ValueSet/v", json=value_set).status_code == 201
    assert ids(operator.get("/fhir/Task", params={"status:in": url}).json()) == ["t0", "t1"]
    assert ids(operator.get("/fhir/Task", params={"status:not-in": "ValueSet/v"}).json()) == []
    include["concept"] = [{"code": "completed"}]
    assert operator.put("/fhir/ValueSet/v", json=value_set).status_code == 200
    assert ids(operator.get("/fhir/Task", params={"status:in": url}).json()) == []


def test_words_are_found_as_soon_as_they_are_written_and_no_longer_than_they_stand(operator: httpx.Client) -> None:
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "text": {"status": "generated", "div": f"<div {XHTML}>Trött</div>"},
    }
    assert operator.put("/fhir/Patient/p", json=patient).status_code == 201
    assert ids(operator.get("/fhir/Patient?_text=trott").json()) == ["p"]
    patient["text"] = {"status": "generated", "div": f"<div {XHTML}>Pigg</div>"}
    assert operator.put("/fhir/Patient/p", json=patient).status_code == 200
    assert ids(operator.get("/fhir/Patient?_text=trott").json()) == []
    assert ids(operator.get("/fhir/Patient?_content=pigg").json()) == ["p"]
    assert operator.delete("/fhir/Patient/p").status_code == 204
    assert ids(operator.get("/fhir/Patient?_content=pigg").json()) == []


def test_a_search_by_a_version_of_a_reference_says_that_it_is_not_looked_at(shared: httpx.Client) -> None:
    """https://hl7.org/fhir/R4/search.html#versions"""
    found = shared.get("/fhir/Task?subject=Patient/nobody/_history/1").json()
    (entry,) = found["entry"]
    assert entry["search"]["mode"] == "outcome"
    (issue,) = entry["resource"]["issue"]
    assert (issue["severity"], issue["details"]["coding"][0]["code"]) == ("warning", "version-not-searched")
    assert "entry" not in shared.get("/fhir/Task?subject=Patient/nobody").json()


@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_a_status_that_is_none_finds_nothing_and_the_bundle_says_so(shared: httpx.Client, handling: str) -> None:
    """https://hl7.org/fhir/R4/search.html#errors: an unknown code is no error, however strict one is."""
    answer = shared.get("/fhir/Task?status=foo", headers={"Prefer": f"handling={handling}"})
    assert answer.status_code == 200
    found = answer.json()
    assert found["total"] == 0
    (entry,) = found["entry"]
    assert entry["search"]["mode"] == "outcome"
    (issue,) = entry["resource"]["issue"]
    assert (issue["severity"], issue["details"]["coding"][0]["code"]) == ("warning", "code-never-found")
    assert issue["details"]["text"].startswith("status: ")
    assert found["link"][0]["url"].endswith("/fhir/Task?status=foo")
    counted = shared.get("/fhir/Task?status=foo&_summary=count").json()
    assert counted["total"] == 0
    assert "entry" not in shared.get("/fhir/Task?status=failed&subject=Patient/nobody").json()


def test_what_contains_the_matches_comes(shared: httpx.Client) -> None:
    """The whole way: page links, total and self are those of any search."""
    for number in range(3):
        medication = {"resourceType": "Medication", "id": "m", "identifier": [{"system": "urn:held", "value": "1"}]}
        request = {
            "resourceType": "MedicationRequest",
            "id": f"holds-{number}",
            "contained": [medication],
            "status": "active",
            "intent": "order",
            "medicationReference": {"reference": "#m"},
            "subject": {"reference": "Patient/nobody"},
        }
        assert shared.put(f"/fhir/MedicationRequest/holds-{number}", json=request).status_code in (200, 201)
    page = shared.get("/fhir/Medication?identifier=urn:held|1&_contained=true&_sort=_id&_count=2").json()
    assert page["total"] == 3
    assert [one["fullUrl"].partition("/fhir/")[2] for one in page["entry"]] == [
        "MedicationRequest/holds-0",
        "MedicationRequest/holds-1",
    ]
    rest = shared.get(link(page, "next") or "").json()
    assert [one["resource"]["id"] for one in rest["entry"]] == ["holds-2"]
    assert "_contained=true" in (link(page, "self") or "")
    chained = shared.get("/fhir/MedicationRequest?medication.identifier=urn:held|1").json()
    assert chained["total"] == 3


def test_a_condition_does_not_ask_what_is_contained(shared: httpx.Client) -> None:
    condition = {"if-none-exist": "identifier=urn:held|1&_contained=both"}
    refused = shared.post("/fhir/Medication", json={"resourceType": "Medication"}, headers=condition)
    assert refused.status_code == 400
    assert refused.json()["issue"][0]["details"]["coding"][0]["code"] == "condition-not-criteria"


@pytest.mark.parametrize("parameter", ["_text", "_content"])
def test_a_word_that_is_too_long_is_refused_alike_on_either_database(standing: httpx.Client, parameter: str) -> None:
    assert standing.get("/fhir/Patient", params={parameter: "a" * 2046}).status_code == 200
    for word in ("a" * 2047, "liver not " + "a" * 2047, "γ" * 600, "a" * 2047 + "*"):
        answer = standing.get("/fhir/Patient", params={parameter: word})
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "malformed-search-value"
