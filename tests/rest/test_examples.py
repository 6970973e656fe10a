"""HL7's own examples over the live endpoint: accepted, stored and given back unchanged, in JSON and in XML.

Whoever breaks a digit, an extension or a narrative is told the file that shows it. Of the examples in XML, which take a
minute, each fourth is sent; all of them with ALL_EXAMPLES=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.definitions import load
from gateway.fhir import xml
from gateway.fhir.json import dump, parse
from tests.fhir.test_check_corpus import FAULTY, folder

pytestmark = pytest.mark.corpus

JSON = {"accept": "application/fhir+json"}
XML = {"content-type": "application/fhir+xml", "accept": "application/fhir+xml"}
FAULTY_IN_XML = {"devicemetric-example"}
GIVEN_BY_THE_SERVER = ("versionId", "lastUpdated")


def as_sent(resource: dict[str, Any]) -> bytes:
    """A resource without what the server says of it."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in GIVEN_BY_THE_SERVER}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return dump(sorted_members(rest | ({"meta": meta} if meta else {})))


def sorted_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    return [sorted_members(item) for item in value] if isinstance(value, list) else value


def refused(client: httpx.Client, of_file: Callable[[httpx.Client, Path], bool], files: Iterable[Path]) -> list[str]:
    """The files that are not accepted. Many at once: each answer waits for a commit, which all of them share."""
    files = sorted(files)
    with ThreadPoolExecutor(16) as clients:
        outcomes = clients.map(lambda file: of_file(client, file), files)
        return [file.stem for file, accepted in zip(files, outcomes, strict=True) if not accepted]


def accepted_in_json(client: httpx.Client, file: Path) -> bool:
    body = file.read_bytes()
    resource = parse(body)
    address = f"/fhir/{resource['resourceType']}/{resource['id']}"
    stored = client.put(address, content=body)
    if not stored.is_success:
        assert stored.status_code == 422, (file.name, stored.text[:500])
        return False
    assert as_sent(parse(stored.content)) == as_sent(resource), file.name
    assert client.get(address, headers=JSON).content == stored.content, file.name
    in_xml = client.get(address, headers={"accept": "application/fhir+xml"})
    assert as_sent(xml.parse(in_xml.content, load())) == as_sent(resource), file.name
    return True


def accepted_in_xml(client: httpx.Client, file: Path) -> bool:
    body = file.read_bytes()
    resource = xml.parse(body, load())
    kind = resource["resourceType"]
    if "id" in resource:
        stored = client.put(f"/fhir/{kind}/{resource['id']}", content=body, headers=XML)
    else:
        stored = client.post(f"/fhir/{kind}", content=body, headers=XML)
    if not stored.is_success:
        assert stored.status_code == 422, (file.name, stored.text[:500])
        return False
    made = xml.parse(stored.content, load())
    assert as_sent(made) == as_sent({"id": made["id"]} | resource), file.name
    return True


def test_every_example_comes_back_as_it_was_sent_in_both_formats(shared: httpx.Client) -> None:
    files = list((folder("r4/examples") / "json").glob("*.json"))
    assert len(files) == 820
    assert set(refused(shared, accepted_in_json, files)) == FAULTY


def test_every_example_in_xml_comes_back_as_it_was_sent(shared: httpx.Client) -> None:
    files = sorted((folder("r4/examples") / "xml").glob("*.xml"))
    assert len(files) == 873
    chosen = files if "ALL_EXAMPLES" in os.environ else [one for one in files if one.stem in FAULTY_IN_XML] + files[::4]
    assert set(refused(shared, accepted_in_xml, chosen)) == FAULTY_IN_XML
