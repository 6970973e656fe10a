"""What others write is text: in pages, in narratives and in what refusals say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
from lxml import etree, html

HSA = "urn:oid:1.2.752.29.4.19"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&{{7*7}}<a href=javascript:x>"


def active(text: str) -> list[str]:
    """What a browser would act on, of what a page must not have."""
    page = html.document_fromstring(text)
    found = [one.tag for one in page.iter("script", "img", "iframe", "object", "embed", "base")]
    for one in page.iter(etree.Element):
        for name, value in one.attrib.items():
            if name.startswith("on") or value.strip().lower().startswith(("javascript:", "data:")):
                found.append(f"{one.tag} {name}")
    return found


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}, "display": MARKUP}


def write(operator: httpx.Client, resource: dict[str, Any]) -> None:
    answer = operator.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.status_code == 201, answer.text


def test_nothing_that_is_written_becomes_markup(operator: httpx.Client) -> None:
    write(
        operator, {"resourceType": "Patient", "id": "p", "name": [{"text": MARKUP}], "identifier": [{"value": MARKUP}]}
    )
    write(
        operator,
        {
            "resourceType": "Organization",
            "id": "o",
            "identifier": [{"system": HSA, "value": "SE2321000131-T0110"}],
            "name": MARKUP,
            "telecom": [{"system": "phone", "value": f"javascript:alert(1) {MARKUP}"}],
        },
    )
    for number, status in enumerate(("requested", "in-progress", "completed")):
        write(
            operator,
            {
                "resourceType": "Task",
                "id": f"t{number}",
                "status": status,
                "statusReason": {"text": MARKUP},
                "intent": "order",
                "code": {"text": MARKUP},
                "description": MARKUP,
                "for": {"reference": "Patient/p"},
                "owner": unit("SE2321000131-T0110"),
                "requester": unit(MARKUP),
                "authoredOn": "2026-03-01",
            },
        )
    found = operator.get("/patient/p")
    sources = re.findall(r"/patient/p/source/\w+", found.text)
    assert sources
    for path in ("/", "/patient/p", sources[0], f"/patient/{MARKUP}", f"/inbox/{MARKUP}", f"/patient/p?at={MARKUP}"):
        page = operator.get(path, headers={"accept": "text/html"})
        assert active(page.text) == [], path
        assert "{{7*7}}" in page.text or "alert" not in page.text, path
    narratives = list(divs(operator.get("/fhir/Patient/p/$who-does-what").json()))
    assert any("alert" in div for div in narratives)
    assert [active(div) for div in narratives] == [[] for _ in narratives]


def divs(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from divs(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from ([one] if name == "div" else divs(one))


def test_a_refusal_in_the_api_is_no_page(operator: httpx.Client) -> None:
    for path in (f"/fhir/{MARKUP}", f"/fhir/Patient?{MARKUP}=1", f"/ingest/{MARKUP}/1", f"/fhir/Patient/{MARKUP}"):
        answer = operator.get(path, headers={"accept": "text/html"})
        assert answer.headers["content-type"].startswith("application/")
        assert answer.headers["x-content-type-options"] == "nosniff"
