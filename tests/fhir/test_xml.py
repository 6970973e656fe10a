"""XML in and out: what is taken over, what is told and where, and what is never let in."""

from typing import Any

import pytest
from lxml import etree

from gateway.definitions import load
from gateway.errors import BadRequest, NotAcceptable, TooLarge
from gateway.fhir import xml
from gateway.fhir.json import dump as dump_json
from gateway.fhir.json import parse as parse_json

XHTML = "http://www.w3.org/1999/xhtml"
DIV = f'<div xmlns="{XHTML}">{{}}</div>'


def parse(content: str, root: str = "Patient", declared: str = "") -> dict[str, Any]:
    """The resource of that content."""
    body = f'<{root} xmlns="http://hl7.org/fhir"{declared}>{content}</{root}>'
    return xml.parse(body.encode(), load())


def dump(resource: dict[str, Any], *, pretty: bool = False) -> str:
    return xml.dump(resource, load(), pretty=pretty).decode()


def content(resource: dict[str, Any]) -> str:
    """What is written between the tags of the resource."""
    return dump(resource).partition('fhir">')[2].rpartition("</")[0]


def faults(body: bytes) -> list[tuple[str, str | None, str | None]]:
    with pytest.raises(BadRequest) as refused:
        xml.parse(body, load())
    return [(issue.rule, issue.where, issue.expression) for issue in refused.value.issues]


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient"} | members


EXTENSION = {"url": "http://example.org/e", "valueCode": "x"}
MARK = '<extension url="http://example.org/e"><valueCode value="x"/></extension>'

PAIRS = [
    (patient(active=True), '<active value="true"/>'),
    (patient(multipleBirthInteger=-3), '<multipleBirthInteger value="-3"/>'),
    (patient(birthDate="2026-11"), '<birthDate value="2026-11"/>'),
    (patient(id="p1", meta={"versionId": "2"}), '<id value="p1"/><meta><versionId value="2"/></meta>'),
    (patient(name=[{"id": "n", "family": "Å & <B>"}]), '<name id="n"><family value="Å &amp; &lt;B>"/></name>'),
    (patient(name=[{"text": 'a\n\t"b"\r'}]), '<name><text value="a&#10;&#9;&quot;b&quot;&#13;"/></name>'),
    (patient(extension=[EXTENSION]), MARK),
    (patient(birthDate="2026", _birthDate={"id": "b"}), '<birthDate id="b" value="2026"/>'),
    (patient(_birthDate={"extension": [EXTENSION]}), f"<birthDate>{MARK}</birthDate>"),
    (
        patient(name=[{"given": ["A", None, "C"], "_given": [None, {"extension": [EXTENSION]}, {"id": "c"}]}]),
        f'<name><given value="A"/><given>{MARK}</given><given id="c" value="C"/></name>',
    ),
    (
        patient(name=[{"given": ["A", "B", "C"], "_given": [{"id": "a"}, None, None]}]),
        '<name><given id="a" value="A"/><given value="B"/><given value="C"/></name>',
    ),
    (
        patient(name=[{"_given": [{"extension": [EXTENSION]}]}]),
        f"<name><given>{MARK}</given></name>",
    ),
    (
        patient(name=[{"_given": [{"extension": [EXTENSION]}, {"extension": [EXTENSION]}]}]),
        f"<name><given>{MARK}</given><given>{MARK}</given></name>",
    ),
    (
        patient(contained=[{"resourceType": "Organization", "id": "o", "name": "O"}]),
        '<contained><Organization><id value="o"/><name value="O"/></Organization></contained>',
    ),
    (
        patient(text={"status": "generated", "div": DIV.format("<p>å&#160;<br/><!-- x -->&amp;</p>")}),
        f'<text><status value="generated"/>{DIV.format("<p>å&#160;<br/><!-- x -->&amp;</p>")}</text>',
    ),
]


@pytest.mark.parametrize(("resource", "written"), PAIRS, ids=[written[:40] for _, written in PAIRS])
def test_each_form_of_content_is_written_and_read_back(resource: dict[str, Any], written: str) -> None:
    assert content(resource) == written
    assert parse(written) == resource


@pytest.mark.parametrize("digits", ["1.50", "0.0", "-0.010", "100", "1e-24", "1E3", "0.000000000000000000000000001"])
def test_a_decimal_keeps_its_digits_through_both_formats(digits: str) -> None:
    body = f'{{"resourceType":"Observation","valueQuantity":{{"value":{digits}}}}}'.encode()

    written = xml.dump(parse_json(body), load())
    assert f'<value value="{digits}"/>'.encode() in written
    assert dump_json(xml.parse(written, load())) == body


def test_elements_are_written_in_the_order_of_their_definition() -> None:
    bundle = {
        "entry": [{"resource": {"birthDate": "2026", "active": False, "resourceType": "Patient"}, "fullUrl": "urn:x"}],
        "type": "collection",
        "resourceType": "Bundle",
    }

    assert content(bundle) == (
        '<type value="collection"/><entry><fullUrl value="urn:x"/><resource><Patient><active value="false"/>'
        '<birthDate value="2026"/></Patient></resource></entry>'
    )


def test_comments_processing_instructions_and_white_space_are_passed_over() -> None:
    body = b"""\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?><?pi x?><!-- a -->
        <f:Patient xmlns:f="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:lang="sv"
            xsi:schemaLocation="a b">
            <!-- b --><f:active xml:lang="sv" value='true'><!-- c --></f:active><?pi y?>
        </f:Patient>"""

    assert xml.parse(body, load()) == patient(active=True)


def test_pretty_xml_says_the_same_and_leaves_the_narrative_alone() -> None:
    resource = patient(text={"status": "generated", "div": DIV.format("<p>a</p>\n b")}, name=[{"text": "x"}])

    written = dump(resource, pretty=True)
    assert '\n  <name>\n    <text value="x"/>\n  </name>\n' in written
    assert xml.parse(written.encode(), load()) == resource


# --- narrative -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "div",
    [
        DIV.format("<p title='>\"&#10;'>a > b</p>"),
        DIV.format('<img src="a/>b"/>'),
        DIV.format('<a href="?a=1&amp;b=2">å</a>'),
        f'<div class="x" title="1 > 2" xmlns="{XHTML}" ><div>inner</div></div >',
        f"<div xmlns='{XHTML}'/>",
        f'<div lang="sv" xmlns="{XHTML}"><b/></div>',
    ],
)
def test_a_narrative_is_taken_over_letter_by_letter(div: str) -> None:
    assert parse(f'<text><status value="generated"/>{div}</text><active value="true"/>')["text"]["div"] == div


def test_a_narrative_that_leans_on_what_is_declared_around_it_is_written_to_stand_alone() -> None:
    h = f' xmlns:h="{XHTML}"'
    leaning = [
        ('<text><h:div class="x">a<h:b>c</h:b>d</h:div></text>', f'<div xmlns="{XHTML}" class="x">a<b>c</b>d</div>'),
        (f'<text><div xmlns="{XHTML}">a<h:b>c</h:b></div></text>', f'<div xmlns="{XHTML}">a<b>c</b></div>'),
        (f'<text><div xmlns="{XHTML}">a<?pi?>b</div></text>', f'<div xmlns="{XHTML}">ab</div>'),
    ]
    for written, div in leaning:
        assert parse(written, declared=h)["text"]["div"] == div


@pytest.mark.parametrize("div", ["<div>no namespace</div>", DIV.format("<script>x</script>"), "</text><active/>"])
def test_a_narrative_that_is_not_safe_is_never_written(div: str) -> None:
    with pytest.raises(NotAcceptable):
        dump(patient(text={"status": "generated", "div": div}))


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "rule", "expression"),
    [
        ("<nmae/>", "unknown-element", "Patient"),
        ("<name><famly value='x'/></name>", "unknown-element", "Patient.name[0]"),
        ("<name/><name><given/></name>", "empty-element", "Patient.name[1].given[0]"),
        ("<birthDate/>", "empty-element", "Patient.birthDate"),
        ("<contained/>", "empty-element", "Patient.contained[0]"),
        ("<active value='yes'/>", "primitive-format", "Patient.active"),
        ("<multipleBirthInteger value='1.0'/>", "primitive-format", "Patient.multipleBirth.ofType(integer)"),
        ("<gender value='male'/><active value='true'/>", "xml-order", "Patient"),
        ("<active value='true'/><active value='true'/>", "too-many-values", "Patient"),
        ("<contained><Patient/><Patient/></contained>", "too-many-values", "Patient.contained[0]"),
        ("<contained><Patient><x/></Patient></contained>", "unknown-element", "Patient.contained[0]"),
        ("<contained><Nothing/></contained>", "unknown-resource-type", "Patient.contained[0]"),
        ("<active value='true' colour='red'/>", "unknown-attribute", "Patient"),
        ("<name value='x'/>", "unknown-attribute", "Patient"),
        ("<active>true</active>", "xml-text", "Patient.active"),
        ("<active xmlns='urn:other' value='true'/>", "xml-namespace", "Patient"),
        ("<text><div>x</div></text>", "unknown-element", "Patient.text"),
    ],
)
def test_what_json_could_not_say_is_told_with_its_place(content: str, rule: str, expression: str) -> None:
    body = f'<Patient xmlns="http://hl7.org/fhir">\n {content}</Patient>'.encode()

    found = faults(body)
    assert (rule, expression) in {(rule, expression) for rule, _, expression in found}
    assert all(where and where.startswith("line 2, column ") for _, where, _ in found)


def test_the_faults_of_a_document_are_told_together() -> None:
    body = b'<Patient xmlns="http://hl7.org/fhir"><a/><active value="x"/>\n<b><c/></b></Patient>'

    assert [rule for rule, _, _ in faults(body)] == ["unknown-element", "primitive-format", "unknown-element"]


def test_an_unknown_element_is_told_with_the_name_that_was_meant() -> None:
    with pytest.raises(BadRequest, match="cannot be understood") as refused:
        parse("<birthdate value='2026'/><deceased value='true'/>")
    first, second = refused.value.issues
    assert "birthDate" in first.text
    assert "deceasedBoolean" in second.text


@pytest.mark.parametrize(
    ("body", "rule", "where"),
    [
        (b"", "xml-syntax", "line 1, column 1"),
        (b"<Patient", "xml-syntax", "line 1, column 1"),
        (b'<Patient xmlns="http://hl7.org/fhir">\n<name></b></Patient>', "xml-syntax", "line 2, column 9"),
        (b'<Patient xmlns="http://hl7.org/fhir"><x:a/></Patient>', "xml-syntax", "line 1, column 38"),
        (b'<Patient xmlns="http://hl7.org/fhir"><active value="\xe5"/></Patient>', "xml-syntax", "line 1, column 53"),
        (b'<Patient xmlns="http://hl7.org/fhir">&nbsp;</Patient>', "xml-syntax", "line 1, column 38"),
        (b"<Patient/>", "xml-namespace", "line 1, column 1"),
        (b'<Element xmlns="http://hl7.org/fhir"/>', "unknown-resource-type", "line 1, column 1"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><Patient/>', "xml-encoding", "line 1, column 1"),
        (b"<!DOCTYPE Patient><Patient/>", "xml-doctype", "line 1, column 18"),
        (b'<!DOCTYPE p [<!ENTITY a "b">]><Patient>&a;</Patient>', "xml-doctype", "line 1, column 13"),
    ],
)
def test_what_is_no_fhir_document_is_refused_with_its_place(body: bytes, rule: str, where: str) -> None:
    assert faults(body)[0][:2] == (rule, where)


def test_size_depth_and_the_number_of_faults_are_bounded() -> None:
    with pytest.raises(TooLarge):
        xml.parse(b" " * 11, load(), most_bytes=10)
    deep = "<extension>" * 300 + "</extension>" * 300
    assert faults(f'<Patient xmlns="http://hl7.org/fhir">{deep}</Patient>'.encode())[-1][0] == "xml-depth"
    wrong = b'<Patient xmlns="http://hl7.org/fhir">' + b"<x/>" * 1000 + b"</Patient>"
    assert len(faults(wrong)) == 100


def test_as_deep_as_xml_is_read_json_is_written() -> None:
    deep = "<extension>" * 98 + "<extension url='u'/>" + "</extension>" * 98
    resource = parse(deep)
    assert parse_json(dump_json(resource)) == resource


@pytest.mark.parametrize("text", ["\x01", "\x0b", "\uffff", "\ud800"])
def test_a_character_that_xml_cannot_hold_is_not_quietly_lost(text: str) -> None:
    with pytest.raises(NotAcceptable):
        dump(patient(name=[{"text": text}]))


def test_a_fault_never_tells_a_value() -> None:
    with pytest.raises(BadRequest) as refused:
        parse("<active value='191212121212'/><name>191212121212</name><birthDate secret='191212121212'/>")
    assert "1912" not in str([issue.to_json() for issue in refused.value.issues])


def test_what_is_written_is_xml_for_others_too() -> None:
    root = etree.fromstring(xml.dump(patient(active=True), load()))
    assert root.tag == "{http://hl7.org/fhir}Patient"
    assert root[0].attrib == {"value": "true"}


def test_a_number_that_is_out_of_range_is_refused() -> None:
    body = (
        b'<Patient xmlns="http://hl7.org/fhir"><extension url="u"><valueDecimal value="1e9999"/></extension></Patient>'
    )

    with pytest.raises(BadRequest):
        xml.parse(body, load())
