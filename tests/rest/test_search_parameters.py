"""Search parameters that are added by REST: checked, indexed in the background, announced when they are ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partialmethod
from typing import Any

import httpx
import pytest

from gateway.access import known
from gateway.app import Gateway, background, wire
from gateway.jobs import reindex
from gateway.jobs import runner as jobs
from gateway.settings import Settings
from tests.rest.conftest import FHIR

URL = "https://example.org/fhir/SearchParameter/"


@pytest.fixture
def gateway(database_url: str) -> Iterator[Gateway]:
    """Nothing is done in the background but what a test does."""
    wired = wire(Settings(database_url=database_url, worker=False))
    yield wired
    wired.close()


def parameter(id: str = "task-words", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter",
        "id": id,
        "url": URL + id,
        "name": "Words",
        "status": "active",
        "description": "What a task says.",
        "code": "words",
        "base": ["Task"],
        "type": "string",
        "expression": "Task.description",
    } | more


def put(client: httpx.Client, resource: dict[str, Any]) -> httpx.Response:
    return client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)


def task(id: str, words: str) -> dict[str, Any]:
    return {"resourceType": "Task", "id": id, "status": "requested", "intent": "order", "description": words}


def found(client: httpx.Client, search: str) -> list[str]:
    answer = client.get(f"/fhir/{search}")
    assert answer.status_code == 200, answer.text
    return sorted(entry["resource"]["id"] for entry in answer.json().get("entry", []))


def rule(answer: httpx.Response) -> tuple[int, str, str | None]:
    issue = answer.json()["issue"][0]
    return answer.status_code, issue["details"]["coding"][0]["code"], *issue.get("expression", [None])


def announced(client: httpx.Client, kind: str = "Task") -> set[str]:
    resources = client.get("/fhir/metadata").json()["rest"][0]["resource"]
    return {one["name"] for entry in resources if entry["type"] == kind for one in entry["searchParam"]}


def work(gateway: Gateway) -> None:
    """All that is to be done, at once: nobody else is there who might not know of it."""
    runner = gateway.jobs(settle=timedelta())
    while runner.run_due():
        pass
    gateway.known.look()


def test_a_parameter_is_indexed_before_it_is_announced_and_served(operator: httpx.Client, gateway: Gateway) -> None:
    for id, words in (("a", "dress the wound"), ("b", "bring food")):
        put(operator, task(id, words))
    assert rule(operator.get("/fhir/Task?words=dress"))[1] == "unknown-search-parameter"

    assert put(operator, parameter()).status_code == 201
    early = operator.get("/fhir/Task?words=dress")
    assert rule(early)[:2] == (400, "parameter-in-preparation")
    assert "0 % is indexed" in early.text
    assert "words" not in announced(operator)
    put(operator, task("c", "dress another wound"))

    work(gateway)
    assert found(operator, "Task?words=dress") == ["a", "c"]
    assert found(operator, "Task?_sort=words&_filter=words co food") == ["b"]
    assert "words" in announced(operator)
    put(operator, task("d", "dress for dinner"))
    assert found(operator, "Task?words=dress") == ["a", "c", "d"]


def test_what_is_changed_is_indexed_anew_and_what_is_retired_is_gone(operator: httpx.Client, gateway: Gateway) -> None:
    put(operator, task("a", "dress") | {"priority": "urgent"})
    put(operator, parameter())
    work(gateway)
    put(operator, parameter(expression="Task.priority"))
    assert rule(operator.get("/fhir/Task?words=urgent"))[1] == "parameter-in-preparation"
    work(gateway)
    assert (found(operator, "Task?words=urgent"), found(operator, "Task?words=dress")) == (["a"], [])

    put(operator, parameter(status="retired"))
    assert rule(operator.get("/fhir/Task?words=urgent"))[1] == "unknown-search-parameter"
    put(operator, parameter())
    work(gateway)
    assert found(operator, "Task?words=dress") == ["a"]
    operator.delete("/fhir/SearchParameter/task-words")
    assert rule(operator.get("/fhir/Task?words=dress"))[1] == "unknown-search-parameter"


def test_a_draft_is_kept_and_not_used(operator: httpx.Client, gateway: Gateway) -> None:
    assert put(operator, parameter(status="draft", code="status", expression="nonsense(")).status_code == 201
    work(gateway)
    assert gateway.known.uploaded() == []


UNUSABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"expression": "Task.descripton"}, "expression", "expression"),
    ({"expression": "Task.description.("}, "expression", "expression"),
    ({"expression": "description"}, "expression", "expression"),
    ({"base": ["Task", "Patient"]}, "expression", "expression"),
    ({"code": "status"}, "code-taken", "code"),
    ({"code": "_words"}, "code", "code"),
    ({"url": "http://hl7.org/fhir/SearchParameter/Task-status"}, "url-taken", "url"),
]


def test_what_cannot_be_used_is_refused_with_its_place(operator: httpx.Client) -> None:
    for change, expected, element in UNUSABLE:
        told = (422, f"search-parameter-{expected}", f"SearchParameter.{element}")
        assert rule(put(operator, parameter(**change))) == told, change
    assert operator.get("/fhir/SearchParameter/task-words").status_code == 404


def test_a_code_and_a_url_are_one_parameters(operator: httpx.Client, gateway: Gateway) -> None:
    put(operator, parameter())
    assert rule(put(operator, parameter("other")))[1] == "search-parameter-code-taken"
    assert (
        rule(put(operator, parameter("other", url=URL + "task-words", code="more")))[1] == "search-parameter-url-taken"
    )
    assert put(operator, parameter("other", base=["Patient"], expression="Patient.name.text")).status_code == 201
    work(gateway)
    assert [(one.code, one.base, one.percent) for one in gateway.known.uploaded()] == [
        ("words", ("Task",), 100),
        ("words", ("Patient",), 100),
    ]


def test_an_organisation_adds_none(operator: httpx.Client, client_of: Callable[..., httpx.Client]) -> None:
    assert put(client_of("SE2321000131-T0110"), parameter()).status_code == 403
    assert rule(operator.get("/fhir/Task?words=dress"))[1] == "unknown-search-parameter"


def test_a_parameter_of_all_types_is_searched_by_at_system_level(operator: httpx.Client, gateway: Gateway) -> None:
    put(operator, task("a", "x") | {"language": "sv"})
    more = {"code": "language-of", "type": "token", "base": ["Resource"], "expression": "Resource.language"}
    assert put(operator, parameter(**more)).status_code == 201
    work(gateway)
    assert found(operator, "?language-of=sv") == ["a"]


def test_many_are_indexed_in_steps_that_go_on_where_another_process_stopped(
    operator: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindex, "BATCH", 2)
    for n in range(7):
        put(operator, task(f"t{n}", "dress"))
    put(operator, parameter())
    steps: list[int] = []

    def stop_after_two(step: jobs.Step) -> None:
        steps.append(step.done)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gateway.jobs(settle=timedelta(), lease=timedelta(seconds=1)).run_due(stop_after_two)
    gateway.known.look()
    assert "57 % is indexed" in operator.get("/fhir/Task?words=dress").text

    again = gateway.jobs(settle=timedelta())
    until = time.monotonic() + 30
    while not again.run_due(lambda step: steps.append(step.done)) and time.monotonic() < until:
        time.sleep(0.05)  # The lease of the other holds until it ends.
    assert steps[:4] == [2, 4, 6, 7]
    gateway.known.look()
    assert len(found(operator, "Task?words=dress")) == 7


def test_what_a_process_writes_that_does_not_know_yet_is_indexed_too(
    operator: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FRESH", 3600)
    other = wire(gateway.settings)
    put(operator, parameter())
    runner = gateway.jobs(settle=timedelta(seconds=1))
    assert runner.run_due()  # All that was there is indexed. The rest waits for those who do not know yet.

    with background(other) as address, httpx.Client(timeout=60, base_url=address, headers=FHIR) as client:
        put(client, task("late", "dress"))
    other.close()
    while not runner.run_due():
        time.sleep(0.05)
    gateway.known.look()
    assert found(operator, "Task?words=dress") == ["late"]


def test_the_server_does_it_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "jobs", partialmethod(Gateway.jobs, timedelta(seconds=0.1)))
    wired = wire(Settings(database_url=database_url))
    with background(wired) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
        put(client, parameter())
        assert rule(client.get("/fhir/Task?words=x"))[1] == "parameter-in-preparation"
        until = time.monotonic() + 60
        while client.get("/fhir/Task?words=x").status_code != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert "words" in announced(client)
    wired.close()
