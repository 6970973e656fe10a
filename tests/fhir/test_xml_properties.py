"""Whatever the definitions allow goes through XML and comes back; whatever comes as XML is read or refused."""

from base64 import b64encode
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gateway.definitions import ElementDef, load
from gateway.errors import BadRequest
from gateway.fhir import xml
from gateway.fhir.json import dump, parse
from gateway.fhir.primitives import string
from gateway.fhir.xml.shapes import attributes_of
from tests.fhir.test_xml_corpus import spelled

TYPES = ("Patient", "Task", "CarePlan", "Bundle", "Parameters")
XHTML = "http://www.w3.org/1999/xhtml"

TEXT = st.text(max_size=12).filter(string)
DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,25})?(e-?[0-9]{1,2})?", fullmatch=True)
PRIMITIVES: dict[str, SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "decimal": DIGITS.map(lambda digits: parse(f'{{"a":{digits}}}'.encode())["a"]),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "positiveInt": st.integers(1, 2**31 - 1),
    "unsignedInt": st.integers(0, 2**31 - 1),
    "base64Binary": st.binary(min_size=1, max_size=9).map(lambda raw: b64encode(raw).decode()),
    "xhtml": st.sampled_from(
        [f'<div xmlns="{XHTML}">{inner}</div>' for inner in ("a", "<p title='&#10;>'>a</p>", "å&#160;<!-- b --><br/>")]
    ),
}


@cache
def value_of(type_name: str, depth: int) -> SearchStrategy[Any]:
    if load().types[type_name].kind == "primitive":
        return PRIMITIVES.get(type_name, TEXT)
    if type_name == "Resource":
        return st.sampled_from(("Patient", "Basic")).flatmap(lambda name: object_of(name, depth))
    return object_of(type_name, depth)


@st.composite
def object_of(draw: st.DrawFn, type_name: str, depth: int) -> dict[str, Any]:
    """An object of a type with a few of its elements, in any order."""
    definition = load().types[type_name]
    made: dict[str, Any] = {"resourceType": type_name} if definition.kind == "resource" else {}
    elements = [one for one in definition.elements.values() if depth > 0 or is_plain(one)]
    chosen = draw(st.lists(st.sampled_from(elements), min_size=1, max_size=4, unique_by=lambda one: one.order))
    for element in chosen:
        made |= draw(member(element, type_name, depth - 1))
    if len(made) == ("resourceType" in made):
        made["id"] = "x"
    return made


def is_plain(element: ElementDef) -> bool:
    return load().types[element.type].kind == "primitive"


@st.composite
def member(draw: st.DrawFn, element: ElementDef, owner: str, depth: int) -> dict[str, Any]:
    """An element with its value or values, and at times with what stands beside a value."""
    name = element.name
    one = value_of(element.type, depth)
    pair = st.tuples(one, st.none())
    if is_plain(element) and element.type != "xhtml" and name not in attributes_of(load(), owner):
        pair |= st.tuples(one | st.none(), BESIDE)
    pairs = draw(st.lists(pair, min_size=1, max_size=3 if element.is_list else 1))
    values, besides = [value for value, _ in pairs], [beside for _, beside in pairs]
    made: dict[str, Any] = {}
    if any(value is not None for value in values):
        made[name] = values if element.is_list else values[0]
    if any(besides):
        made["_" + name] = besides if element.is_list else besides[0]
    return made


BESIDE = st.sampled_from(
    [{"id": "b"}, {"extension": [{"url": "urn:e", "valueDecimal": parse(b'{"a":1.50}')["a"]}]}],
)


@pytest.mark.parametrize("type_name", TYPES)
def test_whatever_the_definitions_allow_comes_back_from_xml_unchanged(type_name: str) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(object_of(type_name, 3))
    def holds(resource: dict[str, Any]) -> None:
        written = xml.dump(resource, load())
        again = xml.parse(written, load())
        assert spelled(dump(again)) == spelled(dump(resource))
        assert xml.dump(again, load()) == written
        assert xml.parse(xml.dump(resource, load(), pretty=True), load()) == resource

    holds()


FRAGMENTS = st.sampled_from(
    [
        '<Patient xmlns="http://hl7.org/fhir">',
        "</Patient>",
        "<name>",
        "</name>",
        '<given value="a"/>',
        '<given id="x">',
        "</given>",
        '<extension url="u">',
        "</extension>",
        '<valueDecimal value="1.0"/>',
        '<valueDecimal value="1e9999"/>',
        "<contained>",
        "</contained>",
        "<text>",
        "</text>",
        f'<div xmlns="{XHTML}">',
        "</div>",
        "<!-- x -->",
        "<![CDATA[x]]>",
        "<?pi?>",
        "&amp;",
        "&#0;",
        '<x:y xmlns:x="u"/>',
        '<!DOCTYPE a [<!ENTITY b "c">]>',
        "\x00",
        "å",
        " ",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAGMENTS, max_size=12), st.booleans())
def test_whatever_comes_is_read_or_refused_with_a_place(fragments: list[str], whole: bool) -> None:
    body = "".join(['<Patient xmlns="http://hl7.org/fhir">', *fragments, "</Patient>"] if whole else fragments)
    try:
        resource = xml.parse(body.encode(), load())
    except BadRequest as refused:
        assert all((issue.where or "").startswith("line ") for issue in refused.issues)
    else:
        assert parse(dump(resource)) == resource


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_bytes_that_are_no_xml_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        xml.parse(body, load())
