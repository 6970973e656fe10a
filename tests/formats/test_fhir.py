"""FHIR messages: Bundles, single resources, NDJSON, primitives with extensions."""

from decimal import Decimal

from gateway import formats
from gateway.formats import Format, Node, Record
from gateway.issues import Issues

FHIR = Format.of(
    {
        "source": {"format": "fhir"},
        "records": [{"name": "patient", "at": "Patient"}, {"name": "task", "at": "Task"}],
    }
)


def read(body: bytes | str) -> tuple[list[Record], Issues]:
    issues = Issues()
    return list(formats.read(FHIR, body.encode() if isinstance(body, str) else body, issues)), issues


def test_a_bundle_is_its_entries() -> None:
    body = (
        '{"resourceType":"Bundle","type":"searchset","entry":[\n'
        '{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"p"}},\n'
        '{"resource":{"resourceType":"Basic"}}],"total":2}'
    )
    (patient, other), issues = read(body)
    assert not issues
    assert (patient.kind, patient.node.text("fullUrl"), patient.node.text("resource", "id")) == (
        "patient",
        "urn:uuid:1",
        "p",
    )
    assert patient.node.kids["resource"][0].type == "Patient"
    assert [i.rule for i in other.issues] == ["unknown-record"]
    assert str(formats.position("fhir", patient.node.kids["resource"][0].kids["id"][0], body.encode())) == (
        "line 2, column 67, /entry/0/resource/id"
    )


def test_the_order_of_a_bundles_members_does_not_matter() -> None:
    records, _ = read('{"entry":[{"resource":{"resourceType":"Task"}}],"resourceType":"Bundle"}')
    assert [record.kind for record in records] == ["task"]


def test_a_bundle_inside_a_resource_is_not_the_message() -> None:
    records, _ = read('{"resourceType":"Task","contained":[{"resourceType":"Bundle","entry":[{}]}]}')
    assert [record.kind for record in records] == ["task"]


def test_an_empty_bundle_has_no_records_and_nothing_wrong() -> None:
    records, issues = read('{"resourceType":"Bundle","type":"searchset"}')
    assert not records
    assert not issues


def test_a_resource_or_one_a_line_is_an_entry_too() -> None:
    records, _ = read('{"resourceType":"Patient","id":"a"}\n{"resourceType":"Task","id":"b"}')
    assert [(record.kind, record.node.text("resource", "id")) for record in records] == [
        ("patient", "a"),
        ("task", "b"),
    ]


def test_a_deletion_is_of_the_type_that_its_request_names() -> None:
    [record], _ = read('{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"Task/7"}}]}')
    assert record.kind == "task"
    assert "resource" not in record.node.kids


def test_a_primitive_and_its_extensions_are_one_node() -> None:
    body = (
        b'{"resourceType":"Patient","birthDate":"1912-12-12","_birthDate":{"extension":[{"url":"u","valueCode":"c"}]},'
        b'"_gender":{"id":"g"},"name":[{"given":["A",null,"C"],"_given":[null,{"id":"b"}]}],"multipleBirthInteger":1.0}'
    )
    [record], _ = read(body)
    patient = record.node.kids["resource"][0]
    birth = patient.kids["birthDate"][0]
    assert (birth.value, birth.text("extension", "valueCode")) == ("1912-12-12", "c")
    assert (patient.kids["gender"][0].value, patient.text("gender", "id")) == (None, "g")
    given = patient.kids["name"][0].kids["given"]
    assert [(node.value, node.text("id")) for node in given] == [("A", ""), (None, "b"), ("C", "")]
    assert patient.kids["multipleBirthInteger"][0].value == Decimal("1.0")
    place = formats.position("fhir", birth.kids["extension"][0], body)
    assert place.path == "/_birthDate/extension/0"
    assert body[place.start : place.end] == b'{"url":"u","valueCode":"c"}'


def test_a_reference_by_urn_is_told_the_type_of_what_it_refers_to() -> None:
    body = (
        '{"resourceType":"Bundle","entry":['
        '{"resource":{"resourceType":"Task","for":{"reference":"urn:uuid:1"},"owner":{"reference":"urn:uuid:2"},'
        '"requester":{"reference":"urn:uuid:1","type":"Group"}}},'
        '{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"}}]}'
    )
    task = read(body)[0][0].node.kids["resource"][0]
    assert [task.text(name, "type") for name in ("for", "owner", "requester")] == ["Patient", "", "Group"]
    place = formats.position("fhir", task.kids["for"][0].kids["type"][0], body.encode())
    assert place.path == "/entry/0/resource/for/reference"


def test_a_truncated_bundle_gives_the_entries_before_the_cut() -> None:
    body = '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Task"}},{"resource":{"resourceTy'
    records, issues = read(body)
    assert [record.kind for record in records] == ["task"]
    assert [i.rule for i in issues] == ["malformed-json"]


def test_entries_that_are_no_list_are_told() -> None:
    records, issues = read('{"resourceType":"Bundle",\n"entry":{"resource":{"resourceType":"Task"}}}')
    assert not records
    assert [(i.severity, i.rule, i.where) for i in issues] == [("error", "not-a-list", "line 2, /entry")]


XML_BUNDLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<Bundle xmlns="http://hl7.org/fhir">
  <type value="collection"/>
  <entry>
    <fullUrl value="urn:uuid:1"/>
    <resource><Patient><id value="p"/>
      <name><given value="A"/><given value="B"><extension url="u"><valueCode value="x"/></extension></given></name>
    </Patient></resource>
  </entry>
  <entry><resource><Task><status value="draft"/><intent value="order"/>
    <for><reference value="urn:uuid:1"/></for></Task></resource></entry>
</Bundle>
"""


def test_xml_is_the_same_tree_as_json() -> None:
    (patient, task), issues = read(XML_BUNDLE)
    assert not issues
    assert (patient.kind, task.kind) == ("patient", "task")
    assert patient.node.text("resource", "name", "given") == "A"
    assert task.node.text("resource", "for", "type") == "Patient"
    assert task.node.kids["resource"][0].kids["status"][0].type == "code"


def test_xml_has_its_own_places() -> None:
    (patient, task), _ = read(XML_BUNDLE)
    given = patient.node.kids["resource"][0].kids["name"][0].kids["given"][1]
    place = formats.position("fhir", given, XML_BUNDLE)
    assert (place.path, place.line) == ("/entry/0/resource/name/0/given/1", 7)
    assert XML_BUNDLE[place.start : place.end].startswith(b'<given value="B">')
    code = given.kids["extension"][0].kids["valueCode"][0]
    assert XML_BUNDLE[slice(*_span(code))] == b'<valueCode value="x"/>'
    assert str(task.position).startswith("line 10")
    assert XML_BUNDLE[slice(*task.span)].startswith(b"<entry><resource><Task>")


def _span(node: Node) -> tuple[int | None, int | None]:
    place = formats.position("fhir", node, XML_BUNDLE)
    return place.start, place.end


def test_xml_that_is_no_fhir_is_told_with_its_place() -> None:
    records, issues = read(b'<Patient xmlns="http://hl7.org/fhir"><nam/></Patient>')
    assert not records
    assert [issue.where for issue in issues] == ["line 1, column 38"] or "line 1" in str(next(iter(issues)).where)


def test_an_empty_xml_bundle_has_no_records() -> None:
    records, issues = read(b'<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/></Bundle>')
    assert not records
    assert not issues
