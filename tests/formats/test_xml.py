"""XML records: their nodes, their places, and what is refused."""

import tracemalloc
from collections.abc import Iterator

import pytest

from gateway import formats
from gateway.formats import Format, Limits, Node, Record, RecordKind
from gateway.issues import Issues

NS = "urn:test:visits"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
VISITS = Format.of(
    {
        "source": {"format": "xml"},
        "records": [{"name": "visit", "at": f"{{{NS}}}visit"}],
        "envelope": {
            "result-error": {"at": "{*}result", "when": {"code": "ERR*"}, "text": "The sender answered with an error."}
        },
    }
)


def read(body: bytes | str, form: Format = VISITS, **limits: int) -> tuple[list[Record], Issues]:
    issues = Issues()
    raw = body.encode() if isinstance(body, str) else body
    return list(formats.read(form, raw, issues, Limits(**limits))), issues


def visits(inner: str) -> str:
    return f'<v:answer xmlns:v="{NS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{inner}</v:answer>'


def rules(issues: Issues) -> list[str]:
    return [issue.rule for issue in issues]


def test_elements_and_attributes_are_children_by_local_name() -> None:
    [visit], issues = read(visits('<v:visit id="7"><v:unit>A</v:unit><v:unit>B</v:unit><v:empty/></v:visit>'))
    assert not issues
    assert visit.kind == "visit"
    assert visit.node.type == f"{{{NS}}}visit"
    assert visit.node.text("id") == "7"
    assert [unit.value for unit in visit.node.kids["unit"]] == ["A", "B"]
    assert visit.node.kids["empty"][0].value is None


def test_an_element_may_have_text_and_attributes() -> None:
    [visit], _ = read(visits('<v:visit><v:time zone="CET"> 2025&#45;03\n</v:time></v:visit>'))
    time = visit.node.kids["time"][0]
    assert (time.value, time.text("zone")) == ("2025-03", "CET")


def test_xsi_type_wins_over_the_element_name() -> None:
    [visit], _ = read(visits('<v:visit xsi:type="v:HomeVisit"/>'))
    assert visit.node.type == f"{{{NS}}}HomeVisit"


def test_a_soap_envelope_or_none_gives_the_same_records() -> None:
    bare = visits("<v:visit>1</v:visit>")
    wrapped = f'<s:Envelope xmlns:s="{SOAP}"><s:Header/><s:Body>{bare}</s:Body></s:Envelope>'
    assert [r.node.value for r in read(wrapped)[0]] == [r.node.value for r in read(bare)[0]] == ["1"]


def test_a_record_has_its_span_and_line() -> None:
    body = visits('\n<v:visit>1</v:visit>\n  <v:visit a=">"/>').encode()
    (first, second), _ = read(body)
    assert body[slice(*first.span)] == b"<v:visit>1</v:visit>"
    assert body[slice(*second.span)] == b'<v:visit a=">"/>'
    assert (second.position.line, second.position.column) == (3, 3)


def test_positions_point_at_elements_and_attribute_values() -> None:
    body = visits('\n<v:visit nr="Ä" id="7"><v:a><v:a>ö</v:a></v:a><v:unit>B</v:unit></v:visit>').encode()
    [visit], _ = read(body)
    unit = formats.position("xml", visit.node.kids["unit"][0], body)
    assert body[unit.start : unit.end] == b"<v:unit>B</v:unit>"
    attribute = formats.position("xml", visit.node.kids["id"][0], body)
    assert body[attribute.start : attribute.end] == b"7"
    outer = formats.position("xml", visit.node.kids["a"][0], body)
    assert body[outer.start : outer.end].decode() == "<v:a><v:a>ö</v:a></v:a>"
    # Columns count characters: the Ä before it is two bytes.
    assert str(attribute) == "line 2, column 21, @id"


def test_comments_and_cdata_do_not_end_an_element() -> None:
    body = visits("<v:visit><v:t><!-- </v:t> --><![CDATA[</v:t>]]></v:t><v:u/></v:visit>").encode()
    [visit], _ = read(body)
    text = visit.node.kids["t"][0]
    assert text.value == "</v:t>"
    place = formats.position("xml", text, body)
    assert body[place.start : place.end].endswith(b"]]></v:t>")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "windows-1252"])
def test_the_declared_encoding_is_read(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?>' + visits("<v:visit>åäö</v:visit>")
    [visit], issues = read(body.encode(encoding))
    assert visit.node.value == "åäö"
    assert not issues


def test_a_wrong_encoding_is_told_with_its_place_and_what_it_looks_like() -> None:
    line = visits("<v:visit>åäö</v:visit>")
    records, issues = read(f'<?xml version="1.0" encoding="UTF-8"?>\n{line}'.encode("latin-1"))
    [issue] = issues
    assert not records
    assert (issue.rule, issue.where) == ("wrong-encoding", f"line 2, column {line.index('å') + 1}")
    assert "ISO-8859-1" in issue.text


@pytest.mark.parametrize(
    "doctype", ['<!DOCTYPE a [<!ENTITY x "y">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "<!DOCTYPE a>"]
)
def test_a_document_type_is_refused(doctype: str) -> None:
    records, issues = read(doctype + visits("<v:visit>&x;</v:visit>"))
    assert not records
    assert rules(issues) == ["doctype"]


def test_records_before_a_fault_are_given_and_the_fault_has_a_place() -> None:
    records, issues = read(visits("<v:visit>1</v:visit>\n<v:visit>2</v:oops>"))
    assert [record.node.value for record in records] == ["1"]
    [issue] = issues
    assert (issue.rule, issue.where) == ("malformed-xml", "line 2, column 13")


def test_a_truncated_message_is_told() -> None:
    whole = visits("<v:visit>1</v:visit><v:visit>2</v:visit>")
    records, issues = read(whole[:-25])
    assert len(records) == 1
    assert rules(issues) == ["malformed-xml"]


def test_a_soap_fault_is_an_issue_and_not_a_record() -> None:
    fault = "<s:Fault><faultstring>secret</faultstring></s:Fault>"
    records, issues = read(f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{fault}</s:Body></s:Envelope>')
    assert not records
    assert rules(issues) == ["soap-fault"]
    assert "secret" not in next(iter(issues)).text


def test_a_result_that_says_error_is_an_issue_by_the_manifest() -> None:
    assert rules(read(visits("<v:result><v:code>ERROR</v:code></v:result>"))[1]) == ["result-error"]
    assert rules(read(visits("<v:result><v:code>OK</v:code></v:result>"))[1]) == []


def test_a_message_for_another_source_is_told_by_its_root() -> None:
    records, issues = read('<other xmlns="urn:other"/>')
    assert not records
    [issue] = issues
    assert issue.rule == "no-known-record"
    assert "{urn:other}other" in issue.text


def test_an_answer_of_the_source_without_records_says_that_there_are_none() -> None:
    records, issues = read(visits(""))
    assert (records, list(issues)) == ([], [])


@pytest.mark.parametrize(
    ("body", "limits", "rule"),
    [
        (visits("<v:visit>" + "<a>" * 9 + "</a>" * 9 + "</v:visit>"), {"depth": 8}, "too-deep"),
        ("<a>" * 9 + "</a>" * 9, {"depth": 8}, "too-deep"),
        (visits("<v:visit>" + "<a/>" * 9 + "</v:visit>"), {"nodes": 8}, "too-large-record"),
        (visits("<v:visit/>" * 9), {"records": 8}, "too-many-records"),
        (visits("<v:visit/>"), {"bytes": 10}, "too-large-message"),
        (" \n", {}, "malformed-xml"),
        ("", {}, "empty-message"),
    ],
)
def test_what_is_too_much_or_nothing_is_told(body: str, limits: dict[str, int], rule: str) -> None:
    _, issues = read(body, **limits)
    assert rules(issues) == [rule]
    assert issues.bad


def test_where_narrows_a_record_kind_and_the_rest_is_held() -> None:
    form = Format.of(
        {
            "source": {"format": "xml"},
            "records": [{"name": "home", "at": "{*}visit", "where": {"place.code": ["home", "own*"]}}],
        }
    )
    records, _ = read(visits("<v:visit><place><code>ownflat</code></place></v:visit><v:visit><place/></v:visit>"), form)
    assert [(record.kind, rules(record.issues)) for record in records] == [("home", []), ("", ["unknown-record"])]


def test_large_messages_are_read_record_by_record() -> None:
    body = visits("<v:visit><v:unit>A</v:unit></v:visit>" * 20_000).encode()
    records = formats.read(VISITS, body, Issues())
    alive: list[Node] = [next(records).node]
    assert alive[0].text("unit") == "A"
    assert sum(1 for _ in records) == 19_999


def test_another_contract_s_answer_is_told_even_where_it_has_a_result() -> None:
    form = Format.of(
        {
            "source": {"format": "xml", "namespaces": ["receipts"]},
            "records": [{"name": "r", "at": "{ours}r"}],
            "envelope": {"failed": {"at": "{*}result", "when": {"code": "ERROR"}, "text": "It failed."}},
        }
    )
    rules = {}
    for space in ("ours", "receipts", "theirs"):
        issues = Issues()
        assert not list(formats.read(form, f'<a xmlns="{space}"><result><code>OK</code></result></a>'.encode(), issues))
        rules[space] = [issue.rule for issue in issues]
    assert rules == {"ours": [], "receipts": [], "theirs": ["no-known-record"]}


@pytest.mark.parametrize("encoding", ["UTF-9", "utf-32", "id", "base64", "big5", "utf_8_sig", "idna", "mbcs"])
def test_an_encoding_that_is_not_read_here_is_told(encoding: str) -> None:
    issues = Issues()
    list(formats.read(VISITS, f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode(), issues))
    assert issues.bad
    assert {issue.rule for issue in issues} <= {"unknown-encoding", "malformed-xml", "no-known-record"}


def _chunked(body: bytes, size: int) -> Iterator[bytes]:
    yield from (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
def test_a_stream_gives_what_the_whole_message_gives(size: int) -> None:
    """However it is cut: the same records, spans and values, and each record's own bytes for its nodes' places."""
    body = b"""<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x:all xmlns:x="urn:x">
<x:r n="1"><x:a>one &amp; <x:b/>two</x:a></x:r> <x:r n="2"/><x:r n="3">
  <x:a at="here">\xc3\xa5</x:a></x:r></x:all></s:Body></s:Envelope>"""
    form = Format("xml", {}, (RecordKind("r", "{urn:x}r"),))
    whole, cut = Issues(), Issues()
    expected = list(formats.read(form, body, whole))
    found = list(formats.stream(form, _chunked(body, size), cut))
    assert not whole
    assert not cut
    assert [record.span for record, _ in found] == [record.span for record in expected]
    assert [str(record.position) for record, _ in found] == [str(record.position) for record in expected]
    for (record, own), other in zip(found, expected, strict=True):
        assert own == body[slice(*record.span)]
        assert record.node.text("n") == other.node.text("n")
        assert record.node.text("a") == other.node.text("a")
    record, own = found[2]
    place = formats.position("xml", record.node.kids["a"][0], own)
    assert own[place.start : place.end] == b'<x:a at="here">\xc3\xa5</x:a>'
    attribute = formats.position("xml", record.node.kids["a"][0].kids["at"][0], own)
    assert own[attribute.start : attribute.end] == b"here"


def test_a_stream_that_breaks_off_gives_what_came_before() -> None:
    form = Format("xml", {}, (RecordKind("r", "{urn:x}r"),))
    issues = Issues()
    found = list(formats.stream(form, [b'<a xmlns="urn:x"><r>1</r>', b"<r>2</", b"q>"], issues))
    assert [own for _, own in found] == [b"<r>1</r>"]
    assert [issue.rule for issue in issues] == ["malformed-xml"]


def test_a_record_of_a_stream_that_does_not_end_is_refused() -> None:
    form = Format("xml", {}, (RecordKind("r", "{urn:x}r"),))
    issues = Issues()
    chunks = [b'<a xmlns="urn:x"><r>', *[b"x" * 1000] * 20]
    assert not list(formats.stream(form, chunks, issues, Limits(bytes=10_000)))
    assert [issue.rule for issue in issues] == ["too-large-record"]


def test_a_long_stream_takes_no_more_memory_than_a_short_one() -> None:
    """The long form, a gigabyte, is `python -m bench.mapping --stream 1000`."""
    form = Format("xml", {}, (RecordKind("r", "{urn:x}r"),))
    record = b"<r><a>" + b"x" * 2000 + b"</a></r>"

    def most(count: int) -> int:
        chunks = [b'<a xmlns="urn:x">', *[record * 30] * count, b"</a>"]
        tracemalloc.start()
        total = sum(1 for _ in formats.stream(form, iter(chunks), Issues()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == 30 * count
        return peak

    assert most(60) < most(6) * 1.5


def test_what_is_no_xml_is_not_streamed() -> None:
    with pytest.raises(ValueError, match="not read as a stream"):
        formats.stream(Format("csv", {}, ()), [], Issues())
