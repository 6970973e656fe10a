"""history of a resource, of a type and of everything: what is asked, paged under change, and seen by whom.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import create_engine, text

from gateway.app import background, wire
from gateway.settings import Settings
from tests.rest.conftest import REGION
from tests.rest.test_interactions import outcome

ENTRIES = ("fullUrl", "request", "response")


def put(client: httpx.Client, kind: str, id: str, **more: Any) -> httpx.Response:
    answer = client.put(f"/fhir/{kind}/{id}", json={"resourceType": kind, "id": id, **more})
    assert answer.is_success, answer.text
    return answer


def history(client: httpx.Client, address: str) -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert (body["resourceType"], body["type"]) == ("Bundle", "history")
    return body


def told(bundle: dict[str, Any]) -> list[str]:
    """The entries as method, type and id."""
    found = []
    for entry in bundle.get("entry", ()):
        assert all(name in entry for name in ENTRIES)
        assert ("resource" in entry) == (entry["request"]["method"] != "DELETE")
        found.append(f"{entry['request']['method']} {'/'.join(entry['fullUrl'].split('/')[-2:])}")
    return found


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def test_each_level_tells_its_versions_newest_first(operator: httpx.Client) -> None:
    put(operator, "Organization", "a", name="A")
    put(operator, "Location", "l", name="L")
    put(operator, "Organization", "a", name="B")
    operator.delete("/fhir/Organization/a")

    assert told(history(operator, "/fhir/Organization/a/_history")) == [
        "DELETE Organization/a",
        "PUT Organization/a",
        "POST Organization/a",
    ]
    of_type = history(operator, "/fhir/Organization/_history")
    assert len(told(of_type)) == of_type["total"] == 3
    whole = history(operator, "/fhir/_history")
    assert told(whole) == [
        "DELETE Organization/a",
        "PUT Organization/a",
        "POST Location/l",
        "POST Organization/a",
    ]
    assert [entry["response"]["status"][:3] for entry in whole["entry"]] == ["204", "200", "201", "201"]
    assert told(history(operator, "/fhir/_history?_sort=_lastUpdated")) == told(whole)[::-1]
    assert history(operator, "/fhir/_history?_summary=count") == {
        "resourceType": "Bundle",
        "type": "history",
        "total": 4,
        "link": [{"relation": "self", "url": link(history(operator, "/fhir/_history?_summary=count"), "self")}],
    }
    assert history(operator, "/fhir/Location/_history?_count=0")["total"] == 1


def test_since_and_at_choose_by_when_a_version_was_recorded_and_current(operator: httpx.Client) -> None:
    versions = [put(operator, "Organization", "a", name=name).json() for name in "ABC"]
    times = [quote(one["meta"]["lastUpdated"]) for one in versions]

    def named(query: str) -> list[str]:
        entries = history(operator, f"/fhir/Organization/_history?{query}").get("entry", [])
        return [entry["resource"]["name"] for entry in entries]

    assert named(f"_since={times[1]}") == ["C", "B"]
    assert named("_since=2999") == []
    assert named("_at=2001") == []
    assert named(f"_at={times[0][:4]}") == ["C", "B", "A"], "a year is all that was current in it"
    assert "A" in named(f"_at={times[0]}")
    assert named("_at=2999-01-01") == ["C"], "what is current stays so"


@pytest.mark.parametrize("order", ["-_lastUpdated", "_lastUpdated"])
def test_pages_tell_each_version_once_whatever_is_written_meanwhile(operator: httpx.Client, order: str) -> None:
    for number in range(6):
        put(operator, "Organization", f"o{number}", name="A")
    before = told(history(operator, f"/fhir/_history?_sort={order}"))
    page = history(operator, f"/fhir/_history?_count=2&_sort={order}")
    seen = told(page)
    for number in range(6):
        following = link(page, "next")
        if following is None:
            break
        put(operator, "Organization", f"o{number}", name="B")
        operator.delete(f"/fhir/Organization/o{5 - number}")
        page = history(operator, following)
        seen += told(page)
        assert link(page, "first")
    assert seen[: len(before)] == before
    if order == "-_lastUpdated":
        assert len(seen) == len(before)


def test_links_keep_what_was_asked_and_are_of_use_to_who_asked_only(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    for name in "ABC":
        put(operator, "Organization", "a", name=name)
    page = history(operator, "/fhir/Organization/a/_history?_count=1&_elements=name&_pretty=true")
    following = link(page, "next")
    assert following and "_elements=name" in following
    assert link(history(operator, following), "next")
    assert outcome(operator.get(following.replace("/a/_history", "/_history")), 400)
    assert outcome(client_of(REGION).get(following), 400)


def test_a_caller_sees_the_versions_of_his_own_persons_and_of_the_directory(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    mine, others = client_of(REGION), client_of("SE2120001348-T0100")
    put(operator, "Organization", "a", name="A")
    put(operator, "Patient", "p", gender="male")
    put(operator, "Patient", "q", gender="male")
    task = {"status": "draft", "intent": "order", "for": {"reference": "Patient/p"}}
    requester = {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": REGION}}
    put(mine, "Task", "t", **task, requester=requester)
    put(mine, "Task", "t", **task, requester=requester, priority="urgent")

    assert told(history(mine, "/fhir/_history")) == [
        "PUT Task/t",
        "POST Task/t",
        "POST Patient/p",
        "POST Organization/a",
    ]
    assert told(history(others, "/fhir/_history")) == ["POST Organization/a"]
    assert history(others, "/fhir/Task/_history")["total"] == 0
    assert history(mine, "/fhir/Task/_history?_summary=count")["total"] == 2
    assert outcome(others.get("/fhir/Task/t/_history"), 404)
    deleted = mine.delete("/fhir/Task/t")
    assert deleted.status_code == 204
    assert told(history(others, "/fhir/_history")) == ["POST Organization/a"]


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("_count=-1", "parameter-malformed"),
        ("_count=1001", "parameter-malformed"),
        ("_sort=name", "parameter-malformed"),
        ("_since=yesterday", "parameter-malformed"),
        ("_at=noon", "parameter-malformed"),
        ("name=A", "unknown-parameter"),
        ("_page=nonsense", "page-link"),
    ],
)
def test_what_a_history_cannot_be_asked_is_refused(shared: httpx.Client, query: str, rule: str) -> None:
    for address in ("/fhir/_history", "/fhir/Patient/_history", "/fhir/Patient/x/_history"):
        assert outcome(shared.get(f"{address}?{query}"), 400)["details"]["coding"][0]["code"] == rule
    assert outcome(shared.get("/fhir/Nonsense/_history"), 404)


@pytest.mark.postgres
def test_oldest_first_nothing_is_shown_that_something_older_may_still_come_before(postgres_url: str) -> None:
    wired = wire(Settings(database_url=postgres_url, worker=False))
    slow = create_engine(postgres_url)
    with background(wired) as base, httpx.Client(base_url=base, timeout=60) as client, slow.connect() as writing:
        put(client, "Basic", "before", code={"text": "x"})
        writing.execute(text("SELECT pg_current_xact_id()"))
        put(client, "Basic", "after", code={"text": "x"})

        assert told(history(client, "/fhir/Basic/_history?_sort=_lastUpdated")) == ["POST Basic/before"]
        assert told(history(client, "/fhir/Basic/_history")) == ["POST Basic/after", "POST Basic/before"]
        writing.rollback()
        both = history(client, "/fhir/Basic/_history?_sort=_lastUpdated")
        assert told(both) == ["POST Basic/before", "POST Basic/after"]
    slow.dispose()
    wired.close()
