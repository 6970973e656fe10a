"""XML against HL7's own examples and schema: every example goes through both formats unchanged.

The counts are exact, so that a change in either direction is seen.
"""

import json
from functools import cache
from typing import Any

import pytest
from lxml import etree

from gateway.definitions import load
from gateway.errors import NotAcceptable
from gateway.fhir import xml
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse
from tests.fhir.test_check_corpus import folder

XHTML = "{http://www.w3.org/1999/xhtml}"
UNSAFE = {
    "ActivityDefinition-blood-tubes-supply",
    "ActivityDefinition-heart-valve-replacement",
    "EventDefinition-example",
    "Questionnaire-zika-virus-exposure-assessment",
}
"""Faulty JSON examples whose narrative is not XHTML, and so cannot be put into XML."""
OUTSIDE_THE_SCHEMA = {"Questionnaire-qs1"}
"""A faulty JSON example: it lacks an element that is required."""
FAULTY = {"devicemetric-example.xml"}
"""A faulty XML example: its parent is a resource of a type that is not allowed."""

PARSER = etree.XMLParser(remove_comments=True, remove_pis=True, huge_tree=True)

pytestmark = pytest.mark.corpus


@cache
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(folder("r4/xsd") / "fhir-single.xsd"))


def spelled(body: bytes) -> object:
    """JSON whose numbers are compared digit by digit."""
    return json.loads(body, parse_float=lambda digits: ("float", digits), parse_int=lambda digits: ("int", digits))


def canonical(body: bytes) -> Any:
    """A document without comments, without white space between elements, and with its attributes in order."""

    def of(element: Any) -> Any:
        if element.tag.startswith(XHTML):
            return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)
        said = sorted((name, value) for name, value in element.attrib.items() if not name.startswith("{"))
        return element.tag, said, [of(child) for child in element]

    return of(etree.fromstring(body, PARSER))


def test_every_json_example_comes_back_from_xml_unchanged_and_is_valid_by_the_schema_on_its_way() -> None:
    files = sorted(folder("r4/examples/json").glob("*.json"))
    unsafe, invalid = set(), set()
    for file in files:
        body = file.read_bytes()
        resource = parse(body)
        name = f"{resource['resourceType']}-{resource['id']}"
        try:
            written = xml.dump(resource, load())
        except NotAcceptable:
            unsafe.add(name)
            continue
        if not schema().validate(etree.fromstring(written, PARSER)):
            invalid.add(name)
        assert spelled(dump(xml.parse(written, load()))) == spelled(body), name
    assert len(files) == 820
    assert unsafe == UNSAFE
    assert invalid == OUTSIDE_THE_SCHEMA


def test_every_xml_example_is_a_sound_resource_and_comes_back_from_json_unchanged() -> None:
    files = sorted(folder("r4/examples/xml").glob("*.xml"))
    refused = set()
    for file in files:
        body = file.read_bytes()
        resource = parse(dump(xml.parse(body, load())))
        if check(resource, load()):
            refused.add(file.name)
        assert canonical(xml.dump(resource, load())) == canonical(body), file.name
    assert len(files) == 873
    assert refused == FAULTY


def test_pretty_xml_of_the_examples_says_the_same() -> None:
    for file in sorted(folder("r4/examples/xml").glob("*.xml"))[::9]:
        resource = xml.parse(file.read_bytes(), load())
        assert xml.parse(xml.dump(resource, load(), pretty=True), load()) == resource, file.name
