"""HL7's own cases for the three patch languages, unchanged.

The XML and JSON cases patch documents that are no resources, so they meet the engines below the FHIR wrapping.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from lxml import etree

from gateway import patch
from gateway.definitions import load
from gateway.errors import GatewayError
from gateway.fhir import xml
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse_any
from gateway.patch import json_patch, xml_patch
from tests.fhir.test_check_corpus import folder

pytestmark = pytest.mark.corpus


def cases(name: str) -> list[Any]:
    return list(etree.parse(folder("fhir-test-cases/r4/patch") / name).getroot().iter("case"))


def only(element: Any, name: str) -> Any:
    """The one element in that child, standing for itself."""
    inner = [child for child in element.find(name) if isinstance(child.tag, str)]
    return deepcopy(inner[0]) if inner else None


def fhir(element: Any) -> Any:
    return xml.parse(etree.tostring(element), load())


def test_fhirpath_patch_does_what_hl7s_cases_say() -> None:
    done = 0
    for case in cases("fhir-patch-tests.xml"):
        before, diff = fhir(only(case, "input")), fhir(only(case, "diff"))
        for body, media_type in (
            (dump(diff), "application/fhir+json"),
            (xml.dump(diff, load()), "application/fhir+xml"),
        ):
            change = patch.read(body, media_type, "Patient", load())
            if (error := case.find("error")) is not None:
                with pytest.raises(GatewayError) as refusal:
                    change(before)
                assert refusal.value.text == error.get("msg"), case.get("name")
            else:
                after = change(before)
                assert after == fhir(only(case, "output")), case.get("name")
                assert not check(after, load()), case.get("name")
        done += 1
    assert done == 33


def nodes(element: Any) -> Any:
    """A document's content without white space between elements, and without the prefixes it declares."""
    attributes = sorted(element.attrib.items())
    parts: list[Any] = [(element.text or "").strip()]
    for child in element:
        parts += [nodes(child), (child.tail or "").strip()]
    return str(element.tag), attributes, [part for part in parts if part != ""]


def test_xml_patch_does_what_hl7s_cases_say() -> None:
    done = 0
    for case in cases("xml-patch-tests.xml"):
        target = only(case, "target")
        if target is None:  # There is always a resource that is patched.
            continue
        change = etree.tostring(case.find("{*}patch"), with_tail=False)
        if case.find("error") is not None:
            with pytest.raises(GatewayError):
                operations = xml_patch.read(change)
                xml_patch.patched(operations, target)
        else:
            after = xml_patch.patched(xml_patch.read(change), target)
            assert nodes(after) == nodes(only(case, "patched")), case.get("name")
        done += 1
    assert done == 28


def test_json_patch_does_what_hl7s_cases_say() -> None:
    listed = parse_any((folder("fhir-test-cases/r4/patch") / "json-patch-tests.json").read_bytes())
    for case in listed:
        if "error" in case:
            with pytest.raises(GatewayError):
                json_patch.apply(json_patch.read(dump(case["patch"])), case["doc"])
        else:
            assert json_patch.apply(json_patch.read(dump(case["patch"])), case["doc"]) == case["expected"], case
    assert len(listed) == 16
